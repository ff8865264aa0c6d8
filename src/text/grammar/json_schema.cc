#include "text/grammar/json_schema.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "base/error.h"
#include "base/limits.h"
#include "text/grammar/json_text.h"
#include "text/grammar/schema_logic.h"

namespace minnow::grammar {
namespace {

constexpr std::size_t kMaxInlineValues = 32;
constexpr const char *kCopied = "x-copied", *kInOrder = "in order";
constexpr std::size_t kMaxKeyPatterns = 4;  // patterns of patternProperties for one object: all their combinations are tried

}  // namespace

class SchemaCompiler {
 public:
  SchemaCompiler(const OrderedJson& document, SchemaForm form, Grammar& grammar, Budget& budget)
      : form_(form), reader_(document), logic_(reader_, budget), budget_(budget), g_(grammar), json_(g_, form.compact) {}

  ExprId value_of(const OrderedJson& schema, SchemaValues::Types types) {
    g_.leave_out(form_.without);
    const ExprId body = types == SchemaValues::Types::kAll ? value({&schema}) : value({&schema, &but_strings_});
    g_.leave_out(std::nullopt);
    return body;
  }

  // Places are compiled one after another, not within each other: references may chain them without end.
  void finish() {
    g_.leave_out(form_.without);
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto [all, rule] = places_[i];  // a copy: more of them come
      budget_.spend_on(g_.rules()[rule].name);
      g_.define(rule, alternatives(all));
    }
    g_.leave_out(std::nullopt);
  }

  // The strings that a schema allows.
  ByteGraph strings_of(const OrderedJson& schema, StringForm form) {
    Grammar g;
    std::vector<ExprId> choices;
    for (const Conjunction& flat : logic_.branches({&schema})) {
      if (const auto listed = logic_.values(flat)) {
        for (const OrderedJson* v : *listed) {
          if (!v->is_string()) continue;
          const auto& text = v->get_ref<const std::string&>();
          choices.push_back(g.literal(form == StringForm::kJson ? json_escaped(text) : text));
        }
      } else if ((logic_.types(flat) & kStringType) != 0) {
        choices.push_back(g.graph(std::make_shared<const ByteGraph>(logic_.strings(flat, form))));
      }
    }
    return make_graph(g, g.choice(choices), budget_);
  }

 private:
  // A value that fulfils all of them; equal conjunctions share a rule.
  ExprId value(const Conjunction& schemas) {
    const Conjunction all = reader_.canonical(schemas);
    if (const auto simple = plain_value(all)) return *simple;
    const auto [it, is_new] = rules_.try_emplace(all, std::nullopt);
    if (is_new && is_small(all)) {
      const ExprId body = alternatives(all);
      small_.emplace(all, body == g_.never() ? nothing("schema: " + reader_.pointer(*all[0])) : body);
    } else if (is_new) {
      if (rules_.size() > limits::kMaxSchemaPlaces) fail(ErrorCode::kLimit, "schema: more than {} places", limits::kMaxSchemaPlaces);
      it->second = g_.add_rule("schema: " + reader_.pointer(*all[0]));
      places_.emplace_back(all, *it->second);
    }
    return it->second ? g_.rule(*it->second) : small_.at(all);
  }

  // No value, with a name for the error.
  ExprId nothing(std::string name) { return g_.rule(g_.add_rule(std::move(name))); }

  // What stands in its place without a rule of its own, so that what several alternatives have in common is read once.
  bool is_small(const Conjunction& all) {
    for (const Conjunction& flat : logic_.branches(all)) {
      if (const auto listed = logic_.values(flat)) {
        if (listed->size() > kMaxInlineValues) return false;
      } else if ((logic_.types(flat) & (kObjectType | kArrayType | kStringType)) != 0) {
        return false;
      }
    }
    return true;
  }

  // The commonest schemas, at once.
  std::optional<ExprId> plain_value(const Conjunction& all) {
    if (all.empty()) return json_.value();
    if (all.size() != 1) return std::nullopt;
    const OrderedJson& s = *all[0];
    if (s.is_boolean()) return s.get<bool>() ? json_.value() : g_.never();
    if (s.empty()) return json_.value();
    if (s.size() != 1 || !s.contains("type") || !s["type"].is_string()) return std::nullopt;
    const auto& type = s["type"].get_ref<const std::string&>();
    if (type == "string") return json_.string();
    if (type == "number") return json_.number();
    if (type == "integer") return json_.integer();
    return std::nullopt;
  }

  ExprId alternatives(const Conjunction& all) {
    std::vector<ExprId> choices;
    for (const Conjunction& flat : logic_.branches(all)) {
      if (const auto listed = logic_.values(flat)) {
        add_values(flat, *listed, choices);
      } else {
        add_types(flat, choices);
      }
    }
    std::erase(choices, g_.never());
    return g_.choice(choices);
  }

  void add_values(const Conjunction& flat, const std::vector<const OrderedJson*>& values, std::vector<ExprId>& choices) {
    std::vector<std::string> texts;
    for (const OrderedJson* v : values) {
      if (values.size() <= kMaxInlineValues || v->is_structured()) {
        choices.push_back(json_.literal(*v));
      } else {
        texts.push_back(JsonText::scalar(*v));
      }
    }
    if (texts.empty()) return;
    // As a rule of their own they are laid as they are.
    const std::string name = fmt::format("schema: \"enum\" at {}", reader_.pointer(*flat[0]));
    budget_.spend_on(name);
    const ExprId body = g_.graph(std::make_shared<const ByteGraph>(graph_of_texts(std::move(texts), budget_)));
    choices.push_back(g_.rule(g_.add_rule(name, body)));
  }

  void add_types(const Conjunction& flat, std::vector<ExprId>& choices) {
    const unsigned types = logic_.types(flat);
    if ((types & kNullType) != 0) choices.push_back(json_.null());
    if ((types & kBooleanType) != 0) choices.push_back(json_.boolean());
    if ((types & (kIntegerType | kFractionType)) != 0) choices.push_back(number(flat));
    if ((types & kStringType) != 0) choices.push_back(string(flat));
    if ((types & kArrayType) != 0) choices.push_back(array(flat));
    if ((types & kObjectType) != 0) choices.push_back(object(flat));
  }

  ExprId number(const Conjunction& flat) {
    const NumberRange range = logic_.numbers(flat);
    if (must_be_listed(range)) return listed_number(flat, range);
    if (!range.low && !range.high && range.multiple_of == 1 && !(range.halvings && range.fractions)) return range.fractions ? json_.number() : json_.integer();
    ByteGraph graph = number_graph(range, budget_);
    return is_void(graph) ? g_.never() : g_.graph(std::make_shared<const ByteGraph>(std::move(graph)));
  }

  ExprId listed_number(const Conjunction& flat, const NumberRange& range) {
    auto texts = listed_numbers(range);
    if (!texts) {
      const auto one = std::find_if(flat.begin(), flat.end(), [](const OrderedJson* s) { return s->contains("multipleOf"); });
      reader_.unsupported(**one, "multipleOf", "of many multiples validators say that they are none: give minimum and maximum, at most 10,000 steps "
                                               "apart, or leave it out");
    }
    return texts->empty() ? g_.never() : g_.graph(std::make_shared<const ByteGraph>(graph_of_texts(std::move(*texts), budget_)));
  }

  // Whether the texts are to be copied from a message: what else is said about them could not be held to then.
  std::optional<ExprId> copied(const Conjunction& flat) {
    if (!form_.copies) return std::nullopt;
    const auto is_mark = [](const OrderedJson* s) { return s->contains(kCopied) && ((*s)[kCopied] == true || (*s)[kCopied] == kInOrder); };
    const auto marked = std::find_if(flat.begin(), flat.end(), is_mark);
    if (marked == flat.end()) return std::nullopt;
    if (flat.size() > 1 || (*marked)->size() != 2) reader_.unsupported(**marked, kCopied, "beside \"type\": \"string\" nothing else can be said");
    const bool in_order = (**marked)[kCopied] == kInOrder;
    const ExprId text = g_.copied_text(in_order);
    if (g_.copies_in_order() != in_order) reader_.unsupported(**marked, kCopied, "either all copied texts are in order or none");
    return json_.quoted(text);
  }

  ExprId string(const Conjunction& flat) {
    if (const auto text = copied(flat)) return *text;
    if (logic_.limits_strings(flat)) return g_.graph(std::make_shared<const ByteGraph>(quoted(logic_.strings(flat))));
    const CountRange length = logic_.counts(flat, "minLength", "maxLength");
    if (length.min == 0 && length.max == UINT32_MAX) return json_.string();
    check_count(flat, "minLength", length.min);
    check_count(flat, "maxLength", length.max);
    if (length.min > length.max) return g_.never();
    const char* key = length.max == UINT32_MAX ? "minLength" : "maxLength";
    const auto one = std::find_if(flat.begin(), flat.end(), [&](const OrderedJson* s) { return s->contains(key); });
    return json_.string({length.min, length.max}, fmt::format("schema: \"{}\" at {}", key, reader_.pointer(**one)), budget_);
  }

  void check_count(const Conjunction& flat, const char* key, uint32_t count) const {
    if (count <= limits::kMaxGrammarRepeats || count == UINT32_MAX) return;
    for (const OrderedJson* s : flat) {
      if (s->contains(key)) {
        fail(ErrorCode::kLimit, "schema: \"{}\" at {} is more than {}", key, reader_.pointer(*s), limits::kMaxGrammarRepeats);
      }
    }
  }

  ExprId array(const Conjunction& flat) {
    const CountRange count = logic_.counts(flat, "minItems", "maxItems");
    std::size_t own = count.min;  // items that are laid one by one
    for (const OrderedJson* s : flat) {
      if (s->contains("uniqueItems") && (*s)["uniqueItems"].get<bool>() && count.max > 1) {
        reader_.unsupported(*s, "uniqueItems", "it needs to remember all items");
      }
      if (s->contains("prefixItems")) own = std::max(own, (*s)["prefixItems"].size());
    }
    check_count(flat, "minItems", count.min);
    check_count(flat, "maxItems", count.max);
    const bool is_bounded = count.max != UINT32_MAX;
    if (is_bounded) own = count.max;
    Chain items;
    items.first_exit = count.min;
    for (std::size_t i = 0; i < own; ++i) items.items.push_back({value(reader_.item(flat, i)), false});
    if (!is_bounded) {
      items.items.push_back({value(reader_.item(flat, own)), true});
      items.repeats_last = true;
    }
    return count.min > count.max ? g_.never() : json_.array_of(std::move(items));
  }

  // The names that a schema for names lists, if that is all that it allows and they are few.
  std::optional<std::vector<std::string>> listed_names(const OrderedJson& schema) {
    std::vector<std::string> out;
    for (const Conjunction& flat : logic_.branches({&schema})) {
      const auto listed = logic_.values(flat);
      if (!listed && (logic_.types(flat) & kStringType) != 0) return std::nullopt;
      for (const OrderedJson* v : listed.value_or(std::vector<const OrderedJson*>())) {
        if (v->is_string()) out.push_back(v->get<std::string>());
      }
    }
    return out.size() <= kMaxInlineValues ? std::optional(std::move(out)) : std::nullopt;
  }

  // Those that the schema spells out, in the order in which they are written.
  std::vector<std::string> names(const Conjunction& flat) {
    std::vector<std::string> out;
    std::unordered_set<std::string> known;
    const auto add = [&](const std::string& name) {
      if (known.insert(name).second) out.push_back(name);
    };
    for (const OrderedJson* s : flat) {
      if (!s->contains("properties")) continue;
      for (const auto& [name, unused] : (*s)["properties"].items()) add(name);
    }
    for (const std::string& name : logic_.required(flat)) add(name);
    // As properties of their own none of them is written twice.
    const CountRange count = logic_.counts(flat, "minProperties", "maxProperties");
    if (count.min > 1 || count.max != UINT32_MAX) return out;
    for (const OrderedJson* s : flat) {
      if (!s->contains("propertyNames")) continue;
      for (const std::string& name : listed_names((*s)["propertyNames"]).value_or(std::vector<std::string>())) add(name);
    }
    return out;
  }

  ExprId object(const Conjunction& flat) {
    const std::vector<std::string> known = names(flat), required = logic_.required(flat);
    Chain members;
    for (const std::string& name : known) {
      const bool may_skip = std::find(required.begin(), required.end(), name) == required.end();
      const Conjunction all = logic_.property(flat, name);
      const bool is_allowed = logic_.key_is_allowed(flat, name) && std::none_of(all.begin(), all.end(), is_false);
      const ExprId body = is_allowed ? value(all) : (may_skip ? g_.never() : missing(flat, name));
      members.items.push_back({json_.member(g_.literal('"' + json_escaped(name) + '"'), body), may_skip});
    }
    const std::vector<ExprId> others = other_members(flat, known);
    limit_members(flat, known, required, others, members);
    return json_.object_of(std::move(members));
  }

  static bool is_false(const OrderedJson* schema) { return schema->is_boolean() && !schema->get<bool>(); }

  // A member that has to be there and cannot.
  ExprId missing(const Conjunction& flat, const std::string& name) {
    const auto asks = std::find_if(flat.begin(), flat.end(), [&](const OrderedJson* s) {
      return s->contains("required") && std::find((*s)["required"].begin(), (*s)["required"].end(), name) != (*s)["required"].end();
    });
    return nothing(fmt::format("schema: the property \"{}\" of \"required\" at {}", name, reader_.pointer(**asks)));
  }

  // Puts the other members at the end, as many as may be.
  void limit_members(const Conjunction& flat, const std::vector<std::string>& known, const std::vector<std::string>& required,
                     const std::vector<ExprId>& others, Chain& members) {
    const CountRange count = logic_.counts(flat, "minProperties", "maxProperties");
    const auto refuse = [&](const char* key, const char* why) {
      for (const OrderedJson* s : flat) {
        if (s->contains(key)) reader_.unsupported(*s, key, why);
      }
    };
    check_count(flat, "maxProperties", count.max);
    const bool too_few = count.min > required.size();
    const bool too_many = count.max < known.size() || (!others.empty() && count.max != UINT32_MAX);
    if (too_few && count.min > 1) refuse("minProperties", "more than one that is not required: names could be written twice");
    if (too_many && !known.empty()) refuse("maxProperties", "together with properties that may be left out");
    members.first_exit = static_cast<uint32_t>(known.size());
    members.needs_one = too_few;
    if (others.empty() || count.max == 0) return;
    if (count.max == UINT32_MAX) {
      members.items.push_back({g_.choice(others), true});
      members.repeats_last = true;
      ++members.first_exit;
      return;
    }
    members.items.assign(count.max, {g_.choice(others), false});
    members.first_exit = count.min;
  }

  // Members whose names the schema does not spell out: by which patterns their names match.
  std::vector<ExprId> other_members(const Conjunction& flat, const std::vector<std::string>& known) {
    struct KeyPattern {
      const OrderedJson* schema;
      std::string expression;
    };
    std::vector<KeyPattern> patterns;
    for (const OrderedJson* s : flat) {
      if (!s->contains("patternProperties")) continue;
      for (const auto& [expression, unused] : (*s)["patternProperties"].items()) patterns.push_back({s, expression});
    }
    if (patterns.size() > kMaxKeyPatterns) {
      reader_.unsupported(*patterns[0].schema, "patternProperties", fmt::format("more than {} patterns for one object", kMaxKeyPatterns));
    }
    std::vector<ExprId> out;
    for (unsigned matched = 0; matched < 1u << patterns.size(); ++matched) {
      const auto matches = [&](const OrderedJson& schema, const std::string& expression) {
        for (std::size_t i = 0; i < patterns.size(); ++i) {
          if (patterns[i].schema == &schema && patterns[i].expression == expression) return (matched >> i & 1u) != 0;
        }
        return false;
      };
      const Conjunction all = reader_.other_property(flat, matches);
      if (std::any_of(all.begin(), all.end(), is_false)) continue;
      std::optional<ByteGraph> keys;
      for (std::size_t i = 0; i < patterns.size(); ++i) {
        narrow(keys, logic_.pattern(*patterns[i].schema, patterns[i].expression), (matched >> i & 1u) != 0);
      }
      if (const auto key = other_key(flat, known, std::move(keys))) out.push_back(json_.member(*key, value(all)));
    }
    return out;
  }

  ByteGraph any_key() {
    Grammar g;
    return make_graph(g, g.repeat(json_characters(g, CharClass{{0, 0x10FFFF}}), 0, kUnbounded), budget_);
  }

  void narrow(std::optional<ByteGraph>& keys, const ByteGraph& by, bool inside) {
    if (!keys) keys = any_key();
    keys = inside ? intersection(*keys, by, budget_) : difference(*keys, by, budget_);
  }

  std::optional<ExprId> other_key(const Conjunction& flat, const std::vector<std::string>& known, std::optional<ByteGraph> keys) {
    if (!known.empty()) {
      Grammar g;
      std::vector<ExprId> texts;
      for (const std::string& name : known) texts.push_back(g.literal(json_escaped(name)));
      narrow(keys, make_graph(g, g.choice(texts), budget_), false);
    }
    for (const OrderedJson* s : flat) {
      if (s->contains("propertyNames")) narrow(keys, strings_of((*s)["propertyNames"], StringForm::kJson), true);
    }
    if (!keys) return json_.string();
    if (is_void(*keys)) return std::nullopt;
    return json_.quoted(g_.graph(std::make_shared<const ByteGraph>(std::move(*keys))));
  }

  const OrderedJson but_strings_ = {{"type", OrderedJson::array({"null", "boolean", "number", "array", "object"})}};
  const SchemaForm form_;
  SchemaReader reader_;
  SchemaLogic logic_;
  Budget& budget_;
  Grammar& g_;
  JsonText json_;
  std::map<Conjunction, std::optional<RuleId>> rules_;  // nullopt: in small_
  std::map<Conjunction, ExprId> small_;
  std::vector<std::pair<Conjunction, RuleId>> places_;
};

SchemaValues::SchemaValues(const OrderedJson& document, SchemaForm form, Grammar& grammar, Budget& budget)
    : compiler_(std::make_unique<SchemaCompiler>(document, form, grammar, budget)) {}
SchemaValues::~SchemaValues() = default;

ExprId SchemaValues::value(const OrderedJson& schema, Types types) { return compiler_->value_of(schema, types); }
ByteGraph SchemaValues::plain_strings(const OrderedJson& schema) { return compiler_->strings_of(schema, StringForm::kPlain); }
void SchemaValues::finish() { compiler_->finish(); }

Grammar schema_grammar(const OrderedJson& schema, SchemaForm form, Budget& budget) {
  Grammar grammar;
  SchemaValues values(schema, form, grammar, budget);
  const ExprId body = values.value(schema);
  values.finish();
  grammar.set_root(grammar.add_rule("schema: #", body));
  return grammar;
}

}  // namespace minnow::grammar
