#include "text/grammar/number_range.h"

#include <algorithm>
#include <charconv>

namespace minnow::grammar {
namespace {

constexpr uint32_t kMaxWholeDigits = 64;
constexpr std::size_t kDoubleDigits = 15;

int compare_magnitudes(const Decimal& a, const Decimal& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
  if (const int order = a.whole.compare(b.whole); order != 0) return order;
  return a.fraction.compare(b.fraction);
}

// Digits of numbers without a sign.
class Digits {
 public:
  Digits(Grammar& g, bool fractions) : g_(g), fractions_(fractions) {}

  ExprId any() { return g_.sequence({any_whole(), any_fraction()}); }

  ExprId at_least(const Decimal& d, bool strict) {
    return g_.choice({g_.sequence({greater_whole(d.whole), any_fraction()}),
                      g_.sequence({g_.literal(d.whole), fraction_at_least(d.fraction, strict)})});
  }

  ExprId at_most(const Decimal& d, bool strict) {
    return g_.choice({g_.sequence({smaller_whole(d.whole), any_fraction()}),
                      g_.sequence({g_.literal(d.whole), fraction_at_most(d.fraction, strict)})});
  }

 private:
  ExprId digit(char low = '0', char high = '9') {
    return low > high ? g_.never() : g_.bytes(static_cast<uint8_t>(low), static_cast<uint8_t>(high));
  }
  ExprId digits(uint32_t min, uint32_t max) { return g_.repeat(digit(), min, max); }
  ExprId any_whole() { return g_.choice({digit('0', '0'), g_.sequence({digit('1'), digits(0, kMaxWholeDigits - 1)})}); }
  ExprId any_fraction() {
    return fractions_ ? g_.optional(g_.sequence({g_.literal("."), digits(1, kUnbounded)})) : g_.empty();
  }

  ExprId greater_whole(const std::string& whole) {
    const auto n = static_cast<uint32_t>(whole.size());
    std::vector<ExprId> choices;
    if (whole == "0") return g_.sequence({digit('1'), digits(0, kMaxWholeDigits - 1)});
    for (uint32_t i = 0; i < n; ++i) {
      const ExprId next = digit(static_cast<char>(whole[i] + 1));
      if (whole[i] < '9') choices.push_back(g_.sequence({g_.literal(whole.substr(0, i)), next, digits(n - i - 1, n - i - 1)}));
    }
    if (n < kMaxWholeDigits) choices.push_back(g_.sequence({digit('1'), digits(n, kMaxWholeDigits - 1)}));
    return g_.choice(choices);
  }

  ExprId smaller_whole(const std::string& whole) {
    const auto n = static_cast<uint32_t>(whole.size());
    std::vector<ExprId> choices;
    if (n > 1) {
      choices.push_back(digit('0', '0'));
      choices.push_back(g_.sequence({digit('1'), digits(0, n - 2)}));
    }
    for (uint32_t i = 0; i < n; ++i) {
      const char lowest = i == 0 && n > 1 ? '1' : '0';
      if (whole[i] <= lowest) continue;
      choices.push_back(g_.sequence({g_.literal(whole.substr(0, i)), digit(lowest, static_cast<char>(whole[i] - 1)),
                                     digits(n - i - 1, n - i - 1)}));
    }
    return g_.choice(choices);
  }

  // The rest of a number whose whole part is that of the bound.
  ExprId fraction_at_least(const std::string& f, bool strict) {
    if (!fractions_) return f.empty() && !strict ? g_.empty() : g_.never();
    if (f.empty() && !strict) return any_fraction();
    std::vector<ExprId> choices;
    for (std::size_t i = 0; i < f.size(); ++i) {
      if (f[i] == '9') continue;
      choices.push_back(g_.sequence({g_.literal(f.substr(0, i)), digit(static_cast<char>(f[i] + 1)), digits(0, kUnbounded)}));
    }
    const ExprId more = strict ? g_.sequence({g_.repeat(digit('0', '0'), 0, kUnbounded), digit('1'), digits(0, kUnbounded)})
                               : digits(0, kUnbounded);
    choices.push_back(g_.sequence({g_.literal(f), more}));
    return g_.sequence({g_.literal("."), g_.choice(choices)});
  }

  ExprId fraction_at_most(const std::string& f, bool strict) {
    if (!fractions_) return f.empty() && strict ? g_.never() : g_.empty();
    std::vector<ExprId> choices;
    const ExprId zeros = g_.repeat(digit('0', '0'), f.empty() ? 1 : 0, kUnbounded);
    for (std::size_t i = 0; i < f.size(); ++i) {
      if (i > 0) choices.push_back(g_.literal(f.substr(0, i)));
      if (f[i] == '0') continue;
      choices.push_back(g_.sequence({g_.literal(f.substr(0, i)), digit('0', static_cast<char>(f[i] - 1)), digits(0, kUnbounded)}));
    }
    if (!strict) choices.push_back(g_.sequence({g_.literal(f), zeros}));
    const ExprId written = g_.sequence({g_.literal("."), g_.choice(choices)});
    return f.empty() && strict ? g_.never() : g_.optional(written);
  }

  Grammar& g_;
  bool fractions_;
};

// All numbers on one side of a bound.
ExprId side(Grammar& g, const Bound& bound, bool above, bool fractions) {
  Digits digits(g, fractions);
  const Decimal& v = bound.value;
  const ExprId minus = g.literal("-");
  if (above) {
    if (!v.negative) return digits.at_least(v, bound.strict);
    return g.choice({digits.any(), g.sequence({minus, digits.at_most(v, bound.strict)})});
  }
  if (v.negative || (v.is_zero() && bound.strict)) return g.sequence({minus, digits.at_least(v, bound.strict)});
  return g.choice({digits.at_most(v, bound.strict), g.sequence({minus, digits.any()})});
}

// Integers that leave no remainder.
ByteGraph multiples(uint32_t of) {
  ByteGraph out;  // start, after the sign, after a zero, then one state for each remainder
  out.states.resize(3 + std::size_t{of});
  const auto add_digits = [&](uint32_t from, uint32_t remainder, uint32_t lowest) {
    for (uint32_t d = lowest; d < 10; ++d) {
      const auto byte = static_cast<uint8_t>('0' + d);
      out.states[from].edges.push_back({byte, byte, 3 + (remainder * 10 + d) % of});
    }
  };
  out.states[0].edges.push_back({'-', '-', 1});
  out.states[0].edges.push_back({'0', '0', 2});
  out.states[2].final = out.states[3].final = true;
  add_digits(0, 0, 1);
  add_digits(1, 0, 1);
  for (uint32_t r = 0; r < of; ++r) add_digits(3 + r, r, 0);
  return out;
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view json) {
  Decimal d;
  if (json.starts_with('-')) {
    d.negative = true;
    json.remove_prefix(1);
  }
  int exponent = 0;
  if (const std::size_t e = json.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = json.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error != std::errc() || end != digits.data() + digits.size() || std::abs(exponent) > 64) return std::nullopt;
    json = json.substr(0, e);
  }
  const std::size_t point = std::min(json.find('.'), json.size());
  std::string digits(json.substr(0, point));
  const std::string after(json.substr(std::min(point + 1, json.size())));
  const int places = static_cast<int>(after.size()) - exponent;
  digits += after;
  if (places < 0) digits.append(static_cast<std::size_t>(-places), '0');
  const auto n = static_cast<std::size_t>(std::max(places, 0));
  if (digits.size() <= n) digits.insert(0, n + 1 - digits.size(), '0');
  d.whole = digits.substr(0, digits.size() - n);
  d.fraction = digits.substr(digits.size() - n);
  d.whole.erase(0, std::min(d.whole.find_first_not_of('0'), d.whole.size() - 1));
  d.fraction.erase(d.fraction.find_last_not_of('0') + 1);
  if (d.is_zero()) d.negative = false;
  return d;
}

int Decimal::compare(const Decimal& other) const {
  if (negative != other.negative) return negative ? -1 : 1;
  const int order = compare_magnitudes(*this, other);
  return negative ? -order : order;
}

void NumberRange::at_least(Bound bound) {
  const int order = low ? bound.value.compare(low->value) : 1;
  if (order > 0 || (order == 0 && bound.strict)) low = std::move(bound);
}

void NumberRange::at_most(Bound bound) {
  const int order = high ? bound.value.compare(high->value) : -1;
  if (order < 0 || (order == 0 && bound.strict)) high = std::move(bound);
}

ByteGraph number_graph(NumberRange range, Budget& budget) {
  std::size_t precise = range.max_fraction_digits, needed = 1;
  for (const auto& bound : {range.low, range.high}) {
    if (!bound) continue;
    precise = std::min(precise, kDoubleDigits - std::min(kDoubleDigits, bound->value.whole.size()));
    needed = std::max(needed, bound->value.fraction.size());
  }
  Grammar g;
  const auto places = static_cast<uint32_t>(std::min<std::size_t>(std::max(precise, needed), range.max_fraction_digits));
  ExprId fraction = g.empty();
  if (range.fractions && places > 0) {
    fraction = g.optional(g.sequence({g.literal("."), g.repeat(g.bytes('0', '9'), 1, places)}));
  }
  const ExprId whole = g.choice({g.bytes('0', '0'), g.sequence({g.bytes('1', '9'), g.repeat(g.bytes('0', '9'), 0, kMaxWholeDigits - 1)})});
  ByteGraph graph = make_graph(g, g.sequence({g.optional(g.literal("-")), whole, fraction}), budget);
  if (range.low) graph = intersection(graph, make_graph(g, side(g, *range.low, true, range.fractions), budget), budget);
  if (range.high) graph = intersection(graph, make_graph(g, side(g, *range.high, false, range.fractions), budget), budget);
  if (range.multiple_of > 1) graph = intersection(graph, multiples(range.multiple_of), budget);
  return graph;
}

bool contains(const NumberRange& range, const Decimal& number) {
  if (range.low) {
    const int order = number.compare(range.low->value);
    if (order < 0 || (order == 0 && range.low->strict)) return false;
  }
  if (range.high) {
    const int order = number.compare(range.high->value);
    if (order > 0 || (order == 0 && range.high->strict)) return false;
  }
  if (!range.fractions && !number.fraction.empty()) return false;
  if (number.fraction.size() > range.max_fraction_digits) return false;
  uint32_t remainder = 0;
  for (const char c : number.whole) remainder = (remainder * 10 + static_cast<uint32_t>(c - '0')) % range.multiple_of;
  return remainder == 0;
}

}  // namespace minnow::grammar
