#include "text/grammar/schema_logic.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <unordered_set>

#include "base/error.h"
#include "base/limits.h"
#include "text/grammar/json_text.h"
#include "text/grammar/regex.h"
#include "text/grammar/schema_formats.h"

namespace minnow::grammar {
namespace {

constexpr std::size_t kNoParent = SIZE_MAX;
constexpr uint32_t kMaxMultiple = 1024;

unsigned type_bits(const std::string& name) {
  if (name == "null") return kNullType;
  if (name == "boolean") return kBooleanType;
  if (name == "object") return kObjectType;
  if (name == "array") return kArrayType;
  if (name == "integer") return kIntegerType;
  if (name == "number") return kIntegerType | kFractionType;
  return kStringType;
}

std::optional<Decimal> decimal_of(const OrderedJson& number) { return Decimal::parse(number.dump()); }

unsigned type_of(const OrderedJson& value) {
  if (value.is_number()) {
    const auto d = decimal_of(value);
    return d && d->fraction.empty() ? kIntegerType : kFractionType;
  }
  return type_bits(value.type_name());
}

uint32_t count_of(const OrderedJson& value) {
  const double x = value.get<double>();
  return x >= static_cast<double>(UINT32_MAX) ? UINT32_MAX - 1 : static_cast<uint32_t>(x);
}

uint32_t length_of(const std::string& text) {
  return static_cast<uint32_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

// 0.5, 0.25, …: how often 1 is halved.
std::optional<uint32_t> halvings_of(double x) {
  for (uint32_t n = 1; 1u << n <= kMaxMultiple; ++n) {
    if (x == std::ldexp(1, -static_cast<int>(n))) return n;
  }
  return std::nullopt;
}

bool has_any(const OrderedJson& schema, std::initializer_list<const char*> keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return schema.contains(key); });
}

void add_unique(Conjunction& to, const OrderedJson* schema) {
  if (std::find(to.begin(), to.end(), schema) == to.end()) to.push_back(schema);
}

}  // namespace

// A conjunction on its way to being flat.
struct SchemaLogic::Open {
  struct Item {
    const OrderedJson* schema;
    std::size_t parent;  // in trail: which schema it stands in
  };
  Conjunction flat;
  std::deque<Item> waiting;
  std::deque<std::pair<Item, const char*>> choices;  // anyOf, oneOf
  std::vector<Item> trail;
};

std::vector<Conjunction> SchemaLogic::branches(const Conjunction& all) {
  Open state;
  for (const OrderedJson* schema : all) state.waiting.push_back({schema, kNoParent});
  std::vector<Conjunction> out;
  open_up(std::move(state), out, 0);
  return out;
}

void SchemaLogic::open_up(Open state, std::vector<Conjunction>& out, int depth) {
  while (!state.waiting.empty()) {
    const Open::Item item = state.waiting.front();
    state.waiting.pop_front();
    const OrderedJson& s = *item.schema;
    if (s.is_boolean()) {
      if (!s.get<bool>()) return;
      continue;
    }
    reader_.check(s);
    for (std::size_t i = item.parent; i != kNoParent; i = state.trail[i].parent) {
      if (state.trail[i].schema == item.schema) reader_.unsupported(s, "$ref", "the schema refers to itself and nothing else");
    }
    budget_.work(16 + state.trail.size());
    if (std::find(state.flat.begin(), state.flat.end(), &s) != state.flat.end()) continue;
    state.flat.push_back(&s);
    state.trail.push_back(item);
    const std::size_t self = state.trail.size() - 1;
    if (s.contains("$ref")) state.waiting.push_back({&reader_.resolve(s), self});
    if (s.contains("allOf")) {
      for (const auto& part : s["allOf"]) state.waiting.push_back({&part, self});
    }
    for (const char* key : {"anyOf", "oneOf"}) {
      if (s.contains(key)) state.choices.push_back({{&s, self}, key});
    }
  }
  if (state.choices.empty()) {
    out.push_back(std::move(state.flat));
    if (out.size() > limits::kMaxSchemaBranches) {
      fail(ErrorCode::kLimit, "schema: more than {} combinations of anyOf, oneOf and allOf at {}", limits::kMaxSchemaBranches,
           out.back().empty() ? "#" : reader_.pointer(*out.back()[0]));
    }
    return;
  }
  const auto [item, key] = state.choices.front();
  state.choices.pop_front();
  if (depth > limits::kMaxGrammarNesting / 4) reader_.unsupported(*item.schema, key, "its alternatives are nested too deep");
  if (key == std::string_view("oneOf")) prove_one(*item.schema, state.flat);
  for (const auto& alternative : (*item.schema)[key]) {
    budget_.work(16 + state.flat.size() + state.trail.size() + state.choices.size());
    Open next = state;
    next.waiting.push_back({&alternative, item.parent});
    open_up(std::move(next), out, depth + 1);
  }
}

void SchemaLogic::prove_one(const OrderedJson& schema, const Conjunction& context) {
  // Within a proof too many branches do no harm, and without this a schema that refers to itself would be proven for ever. A
  // oneOf within another is proven where it is opened itself.
  if (proving_) return;
  proving_ = true;
  const OrderedJson& list = schema["oneOf"];
  std::vector<std::vector<Conjunction>> alternatives;
  for (const auto& alternative : list) {
    alternatives.push_back(branches({&alternative}));
    for (Conjunction& flat : alternatives.back()) {
      for (const OrderedJson* s : context) add_unique(flat, s);
    }
  }
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    for (std::size_t j = i + 1; j < alternatives.size(); ++j) {
      for (const Conjunction& a : alternatives[i]) {
        for (const Conjunction& b : alternatives[j]) {
          budget_.work(64);
          if (disjoint_flat(a, b, 0)) continue;
          reader_.unsupported(schema, "oneOf", fmt::format("its alternatives {} and {} may both be true; use anyOf, or a property with "
                                                           "a different const in each", i, j));
        }
      }
    }
  }
  proving_ = false;
}

unsigned SchemaLogic::types(const Conjunction& flat) const {
  unsigned bits = kAllTypes;
  for (const OrderedJson* s : flat) {
    if (!s->contains("type")) continue;
    const OrderedJson& type = (*s)["type"];
    unsigned own = 0;
    if (type.is_string()) own = type_bits(type.get_ref<const std::string&>());
    else for (const auto& name : type) own |= type_bits(name.get_ref<const std::string&>());
    bits &= own;
  }
  return bits;
}

NumberRange SchemaLogic::numbers(const Conjunction& flat) const {
  NumberRange range;
  range.fractions = (types(flat) & kFractionType) != 0;
  for (const OrderedJson* s : flat) {
    const auto number = [&](const char* key) -> std::optional<Decimal> {
      if (!s->contains(key)) return std::nullopt;
      const auto d = decimal_of((*s)[key]);
      if (!d || d->whole.size() > 40) reader_.unsupported(*s, key, "the number is too large, or too close to 0");
      return d;
    };
    if (const auto d = number("minimum")) range.at_least({*d, false});
    if (const auto d = number("exclusiveMinimum")) range.at_least({*d, true});
    if (const auto d = number("maximum")) range.at_most({*d, false});
    if (const auto d = number("exclusiveMaximum")) range.at_most({*d, true});
    const auto multiple = number("multipleOf");
    if (!multiple) continue;
    if (multiple->negative || multiple->is_zero()) reader_.invalid(*s, "multipleOf", "a number above 0");
    const bool is_one_digit = multiple->whole == "0" && multiple->fraction.ends_with('1') &&
                              multiple->fraction.find_first_not_of('0') == multiple->fraction.size() - 1;
    if (is_one_digit) {
      range.tenths.push_back(static_cast<uint32_t>(multiple->fraction.size()));
    } else if (const auto n = halvings_of((*s)["multipleOf"].get<double>())) {
      range.halvings = std::min(range.halvings.value_or(*n), *n);
    } else if (multiple->fraction.empty() && multiple->whole.size() <= 4 && count_of((*s)["multipleOf"]) <= kMaxMultiple &&
               (range.multiple_of == 1 || range.multiple_of == count_of((*s)["multipleOf"]))) {
      range.multiple_of = count_of((*s)["multipleOf"]);
      range.fractions = false;
    } else {
      reader_.unsupported(*s, "multipleOf", fmt::format("it can be a whole number up to {0}, 0.5, 0.25, … down to 1/{0}, or 0.1, 0.01, …; one for "
                                                        "each value", kMaxMultiple));
    }
  }
  return range;
}

CountRange SchemaLogic::counts(const Conjunction& flat, const char* min_key, const char* max_key) const {
  CountRange range;
  for (const OrderedJson* s : flat) {
    if (s->contains(min_key)) range.min = std::max(range.min, count_of((*s)[min_key]));
    if (s->contains(max_key)) range.max = std::min(range.max, count_of((*s)[max_key]));
  }
  return range;
}

bool SchemaLogic::limits_strings(const Conjunction& flat) const {
  return std::any_of(flat.begin(), flat.end(), [](const OrderedJson* s) { return has_any(*s, {"pattern", "format"}); });
}

const ByteGraph& SchemaLogic::pattern(const OrderedJson& schema, const std::string& expression, StringForm form) {
  const std::pair<std::string, StringForm> key(expression, form);
  if (const auto it = patterns_.find(key); it != patterns_.end()) return it->second;
  try {
    budget_.spend_on(fmt::format("schema: \"pattern\" at {}", reader_.pointer(schema)));
    return patterns_.emplace(key, regex_graph(expression, {.schema = true, .plain = form == StringForm::kPlain}, budget_)).first->second;
  } catch (const Error& e) {
    throw Error(e.code(), fmt::format("schema: \"pattern\" at {}: {}", reader_.pointer(schema), e.what()));
  }
}

std::vector<const ByteGraph*> SchemaLogic::patterns(const Conjunction& flat, StringForm form) {
  std::vector<const ByteGraph*> out;
  for (const OrderedJson* s : flat) {
    if (s->contains("pattern")) out.push_back(&pattern(*s, (*s)["pattern"].get<std::string>(), form));
    if (!s->contains("format")) continue;
    const auto expression = format_pattern((*s)["format"].get_ref<const std::string&>());
    if (!expression) {
      reader_.unsupported(*s, "format", fmt::format("\"{}\" is not known; there are {}", (*s)["format"].get<std::string>(),
                                                    fmt::join(format_names(), ", ")));
    }
    out.push_back(&pattern(*s, *expression, form));
  }
  return out;
}

ByteGraph SchemaLogic::strings(const Conjunction& flat, StringForm form) {
  const CountRange length = counts(flat, "minLength", "maxLength");
  std::optional<ByteGraph> graph;
  const auto narrow = [&](const ByteGraph& by) { graph = graph ? intersection(*graph, by, budget_) : by; };
  for (const ByteGraph* one : patterns(flat, form)) narrow(*one);
  if (graph && length.min == 0 && length.max == UINT32_MAX) return *std::move(graph);
  Grammar g;
  const CharClass all{{0, 0x10FFFF}};
  const ExprId any = form == StringForm::kJson ? json_characters(g, all) : g.characters(all);
  narrow(make_graph(g, g.repeat(any, length.min, length.max), budget_));
  return *std::move(graph);
}

std::vector<std::string> SchemaLogic::required(const Conjunction& flat) const {
  std::vector<std::string> names;
  std::unordered_set<std::string> known;
  for (const OrderedJson* s : flat) {
    if (!s->contains("required")) continue;
    for (const auto& name : (*s)["required"]) {
      const auto& text = name.get_ref<const std::string&>();
      if (known.insert(text).second) names.push_back(text);
    }
  }
  return names;
}

Conjunction SchemaLogic::property(const Conjunction& flat, const std::string& name) {
  return reader_.property(flat, name, [&](const OrderedJson& schema, const std::string& expression) {
    return accepts(pattern(schema, expression), json_escaped(name));
  });
}

bool SchemaLogic::key_is_allowed(const Conjunction& flat, const std::string& name) {
  return std::all_of(flat.begin(), flat.end(), [&](const OrderedJson* s) {
    return !s->contains("propertyNames") || fits(OrderedJson(name), {&(*s)["propertyNames"]}, 1);
  });
}

std::optional<std::vector<const OrderedJson*>> SchemaLogic::values(const Conjunction& flat) {
  std::optional<std::vector<const OrderedJson*>> out;
  const OrderedJson* listed = nullptr;
  for (const OrderedJson* s : flat) {
    if (out || !has_any(*s, {"enum", "const"})) continue;
    out.emplace();
    listed = s;
    if (s->contains("const")) out->push_back(&(*s)["const"]);
    else for (const auto& value : (*s)["enum"]) out->push_back(&value);
  }
  if (out) std::erase_if(*out, [&](const OrderedJson* value) { return !fits_flat(*value, flat, 0, listed); });
  return out;
}

bool SchemaLogic::fits(const OrderedJson& value, const Conjunction& all, int depth) {
  if (depth > limits::kMaxJsonDepth * 2) fail(ErrorCode::kLimit, "schema: a value of enum or const is nested too deep");
  const auto alternatives = branches(all);
  return std::any_of(alternatives.begin(), alternatives.end(), [&](const Conjunction& flat) { return fits_flat(value, flat, depth); });
}

// The order of members does not matter.
bool SchemaLogic::same(const OrderedJson& a, const OrderedJson& b) {
  return a.is_structured() ? a.size() == b.size() && Json(a) == Json(b) : a == b;
}

bool SchemaLogic::fits_flat(const OrderedJson& value, const Conjunction& flat, int depth, const OrderedJson* listed) {
  budget_.work(16);
  if ((types(flat) & type_of(value)) == 0) return false;
  for (const OrderedJson* s : flat) {
    if (s->contains("const") && !same(value, (*s)["const"])) return false;
    if (!s->contains("enum") || (s == listed && !s->contains("const"))) continue;
    budget_.work((*s)["enum"].size() / 16);
    if (std::none_of((*s)["enum"].begin(), (*s)["enum"].end(), [&](const OrderedJson& one) { return same(value, one); })) return false;
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const CountRange length = counts(flat, "minLength", "maxLength");
    if (length_of(text) < length.min || length_of(text) > length.max) return false;
    const std::string escaped = json_escaped(text);
    const auto all = patterns(flat, StringForm::kJson);
    budget_.work(all.size() * escaped.size());
    return std::all_of(all.begin(), all.end(), [&](const ByteGraph* one) { return accepts(*one, escaped); });
  }
  if (value.is_number()) {
    const auto d = decimal_of(value);
    return d && contains(numbers(flat), *d);  // the reader has refused what is none
  }
  if (value.is_object()) return fits_object(value, flat, depth);
  if (!value.is_array()) return true;
  const CountRange count = counts(flat, "minItems", "maxItems");
  if (value.size() < count.min || value.size() > count.max) return false;
  for (const OrderedJson* s : flat) {
    if (s->contains("uniqueItems") && (*s)["uniqueItems"] == true && repeats(value)) return false;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!fits(value[i], reader_.item(flat, i), depth + 1)) return false;
  }
  return true;
}

bool SchemaLogic::repeats(const OrderedJson& array) {
  for (std::size_t i = 0; i < array.size(); ++i) {
    budget_.work(1 + i / 16);
    for (std::size_t j = 0; j < i; ++j) {
      if (same(array[i], array[j])) return true;
    }
  }
  return false;
}

bool SchemaLogic::fits_object(const OrderedJson& value, const Conjunction& flat, int depth) {
  const CountRange count = counts(flat, "minProperties", "maxProperties");
  if (value.size() < count.min || value.size() > count.max) return false;
  for (const std::string& name : required(flat)) {
    if (!value.contains(name)) return false;
  }
  for (const auto& [name, part] : value.items()) {
    if (!key_is_allowed(flat, name) || !fits(part, property(flat, name), depth + 1)) return false;
  }
  return true;
}

bool SchemaLogic::disjoint(const Conjunction& a, const Conjunction& b, int depth) {
  if (depth > 4) return false;
  const auto left = branches(a), right = branches(b);
  for (const Conjunction& x : left) {
    for (const Conjunction& y : right) {
      if (!disjoint_flat(x, y, depth)) return false;
    }
  }
  return true;
}

bool SchemaLogic::disjoint_flat(const Conjunction& a, const Conjunction& b, int depth) {
  budget_.work(64);
  for (const bool of_first : {true, false}) {
    const Conjunction& other = of_first ? b : a;
    const auto listed = values(of_first ? a : b);
    if (!listed) continue;
    return std::none_of(listed->begin(), listed->end(), [&](const OrderedJson* v) { return fits_flat(*v, other, depth); });
  }
  const unsigned both = types(a) & types(b);
  if ((both & (kNullType | kBooleanType)) != 0) return false;
  Conjunction all = a;
  for (const OrderedJson* s : b) add_unique(all, s);
  if ((both & (kIntegerType | kFractionType)) != 0) {
    NumberRange range = numbers(all);
    const int order = range.low && range.high ? range.low->value.compare(range.high->value) : -1;
    if (order < 0 || (order == 0 && !range.low->strict && !range.high->strict)) return false;
  }
  if ((both & kStringType) != 0 && !is_void(strings(all))) return false;
  if ((both & kArrayType) != 0) {
    const CountRange count = counts(all, "minItems", "maxItems");
    if (count.min <= count.max) return false;
  }
  return (both & kObjectType) == 0 || disjoint_objects(a, b, depth);
}

// A property that one of them asks for, and that cannot be right for both.
bool SchemaLogic::disjoint_objects(const Conjunction& a, const Conjunction& b, int depth) {
  std::vector<std::string> names = required(a);
  for (std::string& name : required(b)) names.push_back(std::move(name));
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return disjoint(property(a, name), property(b, name), depth + 1);
  });
}

}  // namespace minnow::grammar
