#include "text/grammar/json_text.h"

#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/grammar/constraint_spec.h"
#include "text/grammar/counted_string.h"

namespace minnow::grammar {
namespace {

// Longer numbers are no better ones, and all of these fit into a double.
constexpr uint32_t kMaxDigits = 64;

const CharClass& needing_escape() {
  static const CharClass set{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
  return set;
}

char short_escape(char32_t c) {
  switch (c) {
    case '"': case '\\': return static_cast<char>(c);
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
  }
}

}  // namespace

ExprId json_characters(Grammar& g, const CharClass& set) {
  std::vector<ExprId> choices;
  const CharClass plain = set.minus(needing_escape());
  if (!plain.empty()) choices.push_back(g.characters(plain));
  std::vector<ExprId> escapes;
  for (const auto& [first, last] : needing_escape().ranges()) {
    for (char32_t c = first; c <= last; ++c) {
      if (!set.contains(c)) continue;
      if (const char letter = short_escape(c); letter != 0) {
        escapes.push_back(g.literal(std::string_view(&letter, 1)));
      } else {
        escapes.push_back(g.literal(fmt::format("u{:04x}", static_cast<uint32_t>(c))));
      }
    }
  }
  if (!escapes.empty()) choices.push_back(g.sequence({g.literal("\\"), g.choice(escapes)}));
  return g.choice(choices);
}

std::string json_escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (const char letter = short_escape(c.code_point); letter != 0) {
      out += {'\\', letter};
    } else if (c.code_point < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c.code_point));
    } else {
      append_utf8(out, c.code_point);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

template <typename Make>
ExprId JsonText::shared(std::optional<RuleId>& rule, const char* name, const Make& make) {
  if (!rule) {
    rule = g_.add_rule(name);
    g_.define(*rule, make());
  }
  return g_.rule(*rule);
}

ExprId JsonText::space() {
  if (compact_) return g_.empty();
  return shared(space_, "JSON white space", [&] {
    const ExprId indent = g_.repeat(g_.literal(" "), 0, ConstraintSpec::kMaxIndent);
    return g_.optional(g_.choice({g_.literal(" "), g_.sequence({g_.literal("\n"), indent})}));
  });
}

// u and four digits after the backslash; two of them for characters past U+FFFF.
ExprId JsonText::escaped_unit() {
  const ExprId hex = g_.choice({g_.bytes('0', '9'), g_.bytes('a', 'f'), g_.bytes('A', 'F')});
  const auto either = [&](const char* upper, const char* lower) { return g_.choice({g_.literal(upper), g_.literal(lower)}); };
  const ExprId d = either("D", "d");
  const ExprId below_d = g_.choice({g_.bytes('0', '9'), g_.bytes('a', 'c'), g_.bytes('A', 'C'), either("E", "e"), either("F", "f")});
  const ExprId high = g_.choice({g_.bytes('8', '9'), g_.bytes('a', 'b'), g_.bytes('A', 'B')});
  const ExprId low = g_.choice({g_.bytes('c', 'f'), g_.bytes('C', 'F')});
  const ExprId unit = g_.choice({g_.sequence({below_d, hex, hex, hex}), g_.sequence({d, g_.bytes('0', '7'), hex, hex}),
                                 g_.sequence({d, high, hex, hex, g_.literal("\\u"), d, low, hex, hex})});
  return g_.sequence({g_.literal("u"), unit});
}

ExprId JsonText::string_character() {
  std::vector<ExprId> letters;
  for (const char letter : kEscapeLetters) letters.push_back(g_.literal(std::string_view(&letter, 1)));
  letters.push_back(escaped_unit());
  const CharClass plain = needing_escape().complement();
  return g_.choice({g_.characters(plain), g_.sequence({g_.literal("\\"), g_.choice(letters)})});
}

ExprId JsonText::quoted(ExprId contents) { return g_.sequence({g_.literal("\""), contents, g_.literal("\"")}); }

ExprId JsonText::string() {
  return shared(string_, "JSON string", [&] { return quoted(g_.repeat(string_character(), 0, kUnbounded)); });
}

ExprId JsonText::string(Length length, const std::string& name, Budget& budget) {
  if (length == Length{}) return string();
  const auto [it, is_new] = strings_.try_emplace(length, 0);
  if (is_new) {
    CountedString parts{.min = length.min, .max = length.max};
    shared(wide_, "JSON character past ASCII", [&] { return g_.characters(CharClass{{0x80, 0x10FFFF}}); });
    shared(unit_, "JSON escape by number", [&] { return escaped_unit(); });
    parts.wide = *wide_;
    parts.unit = *unit_;
    budget.spend_on(name);
    it->second = g_.add_rule(name, g_.graph(std::make_shared<const ByteGraph>(counted_string(parts, budget))));
  }
  return g_.rule(it->second);
}

ExprId JsonText::integer() {
  return shared(integer_, "JSON integer", [&] {
    const ExprId more = g_.repeat(g_.bytes('0', '9'), 0, kMaxDigits - 1);
    return g_.sequence({g_.optional(g_.literal("-")), g_.choice({g_.literal("0"), g_.sequence({g_.bytes('1', '9'), more})})});
  });
}

ExprId JsonText::number() {
  return shared(number_, "JSON number", [&] {
    const ExprId fraction = g_.sequence({g_.literal("."), g_.repeat(g_.bytes('0', '9'), 1, kMaxDigits)});
    const ExprId e = g_.choice({g_.literal("e"), g_.literal("E")});
    const ExprId sign = g_.optional(g_.choice({g_.literal("+"), g_.literal("-")}));
    const ExprId exponent = g_.sequence({e, sign, g_.repeat(g_.bytes('0', '9'), 1, 2)});
    return g_.sequence({integer(), g_.optional(fraction), g_.optional(exponent)});
  });
}

ExprId JsonText::value() {
  return shared(value_, "JSON value", [&] {
    return g_.choice({object(), array(), string(), number(), boolean(), null()});
  });
}

ExprId JsonText::object() {
  return shared(object_, "JSON object", [&] {
    Chain members;
    members.items.push_back({member(string(), value()), true});
    members.repeats_last = true;
    return object_of(std::move(members));
  });
}

ExprId JsonText::array() {
  return shared(array_, "JSON array", [&] {
    Chain items;
    items.items.push_back({value(), true});
    items.repeats_last = true;
    return array_of(std::move(items));
  });
}

ExprId JsonText::member(ExprId key, ExprId value) { return g_.sequence({key, g_.literal(":"), space(), value}); }

ExprId JsonText::list(const char* open, Chain items, const char* close) {
  items.separator = g_.sequence({g_.literal(","), space()});
  return g_.sequence({g_.literal(open), space(), g_.chain(std::move(items)), space(), g_.literal(close)});
}

ExprId JsonText::object_of(Chain members) { return list("{", std::move(members), "}"); }
ExprId JsonText::array_of(Chain items) { return list("[", std::move(items), "]"); }

ExprId JsonText::literal(const OrderedJson& value) {
  Chain parts;
  if (value.is_object()) {
    for (const auto& [key, part] : value.items()) {
      parts.items.push_back({member(g_.literal('"' + json_escaped(key) + '"'), literal(part)), false});
    }
    parts.first_exit = static_cast<uint32_t>(parts.items.size());
    return object_of(std::move(parts));
  }
  if (value.is_array()) {
    for (const auto& part : value) parts.items.push_back({literal(part), false});
    parts.first_exit = static_cast<uint32_t>(parts.items.size());
    return array_of(std::move(parts));
  }
  return g_.literal(scalar(value));
}

std::string JsonText::scalar(const OrderedJson& value) {
  if (value.is_string()) return '"' + json_escaped(value.get_ref<const std::string&>()) + '"';
  if (value.is_number_float()) {
    const double x = value.get<double>();
    if (std::abs(x) < 0x1p53 && x == std::trunc(x)) return std::to_string(static_cast<int64_t>(x));
  }
  return value.dump();
}

}  // namespace minnow::grammar
