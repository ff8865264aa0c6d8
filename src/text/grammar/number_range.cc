#include "text/grammar/number_range.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace minnow::grammar {
namespace {

constexpr uint32_t kMaxWholeDigits = 64;
constexpr std::size_t kDoubleDigits = 15;
constexpr int64_t kMaxListed = 10'001;

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

std::string text_of(const Decimal& d) { return (d.negative ? "-" : "") + d.whole + (d.fraction.empty() ? "" : "." + d.fraction); }
double double_of(const Decimal& d) { return std::strtod(text_of(d).c_str(), nullptr); }
double tenth(uint32_t n) { return std::strtod(fmt::format("1e-{}", n).c_str(), nullptr); }

// How many digits behind the point a double surely tells apart beside these before it.
std::size_t precise_digits(const Decimal& d) { return kDoubleDigits - std::min(kDoubleDigits, d.whole.size()); }

// The bound with the next double in place of a strict one, so that what is read as the bound itself lies outside.
void loosen(std::optional<Bound>& bound, double towards, std::size_t places) {
  if (!bound || !bound->strict || places <= precise_digits(bound->value)) return;
  if (auto next = Decimal::parse(fmt::format("{}", std::nextafter(double_of(bound->value), towards)))) bound = Bound{std::move(*next), false};
}

// Multiples of 1 / 2^n between 0 and 1, with a point.
ExprId binary_fractions(Grammar& g, uint32_t n) {
  std::vector<ExprId> choices;
  for (uint32_t i = 1; i < 1u << n; ++i) choices.push_back(g.literal(fmt::format("{}", std::ldexp(i, -static_cast<int>(n))).substr(1)));
  return g.choice(choices);
}

// The first (low) or last number within the bound, in units of 10^-n; nullopt for more digits than are needed here.
std::optional<int64_t> scaled(const Bound& bound, uint32_t n, bool low) {
  const Decimal& d = bound.value;
  std::string digits = d.whole + d.fraction.substr(0, n);
  if (d.fraction.size() < n) digits.append(n - d.fraction.size(), '0');
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value > int64_t{1} << 53) return std::nullopt;
  if (d.negative) value = -value;
  const bool is_cut = d.fraction.size() > n;
  if (low) return value + (is_cut ? (d.negative ? 0 : 1) : (bound.strict ? 1 : 0));
  return value - (is_cut ? (d.negative ? 1 : 0) : (bound.strict ? 1 : 0));
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
  std::size_t precise = kDoubleDigits, needed = 1;
  const auto look = [&] {
    for (const auto* bound : {&range.low, &range.high}) {
      if (!*bound) continue;
      precise = std::min(precise, precise_digits((*bound)->value));
      needed = std::max(needed, (*bound)->value.fraction.size());
    }
    return std::max(precise, needed);
  };
  if (range.fractions) {
    const std::size_t places = look();
    loosen(range.low, HUGE_VAL, places);
    loosen(range.high, -HUGE_VAL, places);
  }
  const auto places = static_cast<uint32_t>(look());
  Grammar g;
  ExprId fraction = g.empty();
  if (range.halvings) {
    if (range.fractions) fraction = g.optional(binary_fractions(g, *range.halvings));
  } else if (range.fractions) {
    fraction = g.optional(g.sequence({g.literal("."), g.repeat(g.bytes('0', '9'), 1, places)}));
  }
  const ExprId whole = g.choice({g.bytes('0', '0'), g.sequence({g.bytes('1', '9'), g.repeat(g.bytes('0', '9'), 0, kMaxWholeDigits - 1)})});
  ByteGraph graph = make_graph(g, g.sequence({g.optional(g.literal("-")), whole, fraction}), budget);
  if (range.low) graph = intersection(graph, make_graph(g, side(g, *range.low, true, range.fractions), budget), budget);
  if (range.high) graph = intersection(graph, make_graph(g, side(g, *range.high, false, range.fractions), budget), budget);
  if (range.multiple_of > 1) graph = intersection(graph, multiples(range.multiple_of), budget);
  return graph;
}

bool must_be_listed(const NumberRange& range) {
  // Of these the double is so close to 10^-n that quotients of whole numbers come out whole.
  static constexpr uint32_t kClose[] = {1, 2, 3, 4, 6, 7, 8, 10, 12, 13, 14, 16};
  const auto is_close = [](uint32_t n) { return std::find(std::begin(kClose), std::end(kClose), n) != std::end(kClose); };
  return !range.tenths.empty() && (range.fractions || !std::all_of(range.tenths.begin(), range.tenths.end(), is_close));
}

std::optional<std::vector<std::string>> listed_numbers(const NumberRange& range) {
  const uint32_t n = range.fractions ? *std::min_element(range.tenths.begin(), range.tenths.end()) : 0;
  if (!range.low || !range.high) return std::nullopt;
  const auto first = scaled(*range.low, n, true), last = scaled(*range.high, n, false);
  if (!first || !last || *last - *first >= kMaxListed) return std::nullopt;
  std::vector<std::string> out;
  for (int64_t i = *first; i <= *last; ++i) {
    if (const auto number = Decimal::parse(fmt::format("{}e-{}", i, n)); number && contains(range, *number)) out.push_back(text_of(*number));
  }
  return out;
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
  const auto is_whole = [](double x) { return std::isfinite(x) && x == std::trunc(x); };
  if (range.halvings && !is_whole(std::ldexp(double_of(number), static_cast<int>(*range.halvings)))) return false;
  for (const uint32_t n : range.tenths) {
    if (!is_whole(double_of(number) / tenth(n))) return false;
  }
  uint32_t remainder = 0;
  for (const char c : number.whole) remainder = (remainder * 10 + static_cast<uint32_t>(c - '0')) % range.multiple_of;
  return remainder == 0;
}

}  // namespace minnow::grammar
