#include "text/grammar/shape_grammar.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "text/grammar/json_schema.h"
#include "text/grammar/regex.h"
#include "text/grammar/schema_reader.h"
#include "text/grammar/token_masks.h"

namespace minnow::grammar {
namespace {

using Kind = TextShape::Kind;

class ShapeCompiler {
 public:
  ShapeCompiler(const ConstraintSpec& spec, const TokenVocabulary* vocabulary, Budget& budget)
      : vocabulary_(vocabulary),
        budget_(budget),
        document_(parse_ordered_json(spec.text, "schema")),
        values_(document_, form_of(spec), g_, budget) {}

  // The shape has to stay what it is.
  Grammar compile(const TextShape& shape) {
    const ExprId body = lay(shape);
    values_.finish();
    g_.set_root(g_.add_rule("text", body));
    return std::move(g_);
  }

 private:
  static SchemaForm form_of(const ConstraintSpec& spec) {
    SchemaForm form{.compact = spec.compact};
    if (spec.json_without != 0) form.without = static_cast<uint8_t>(spec.json_without);
    return form;
  }

  ExprId lay(const TextShape& shape) {
    switch (shape.kind) {
      case Kind::kText: return g_.literal(shape.text);
      case Kind::kMark: return g_.literal(spelled(shape.text));
      case Kind::kRegex: return g_.graph(std::make_shared<const ByteGraph>(regex_graph(shape.text, {}, budget_)));
      case Kind::kJson: return values_.value(place(shape.text));
      case Kind::kJsonButStrings: return values_.value(place(shape.text), SchemaValues::Types::kAllButStrings);
      case Kind::kString: return string(shape);
      case Kind::kSequence: return g_.sequence(parts(shape));
      case Kind::kChoice: return g_.choice(parts(shape));
      case Kind::kOptional: return g_.optional(lay(only(shape)));
      case Kind::kRepeat: return g_.repeat(lay(only(shape)), 0, kUnbounded);
      case Kind::kList: return list(shape);
      case Kind::kRequired: return required(shape);
    }
    fail(ErrorCode::kInternal, "a shape of no kind");
  }

  static const TextShape& only(const TextShape& shape) {
    if (shape.parts.size() != 1) fail(ErrorCode::kInternal, "a shape has {} parts instead of one", shape.parts.size());
    return shape.parts[0];
  }

  std::vector<ExprId> parts(const TextShape& shape) {
    std::vector<ExprId> out;
    for (const TextShape& part : shape.parts) out.push_back(lay(part));
    return out;
  }

  ExprId list(const TextShape& shape) {
    Chain chain;
    for (const TextShape& part : shape.parts) {
      const bool may_skip = part.kind == Kind::kOptional;
      chain.items.push_back({lay(may_skip ? only(part) : part), may_skip});
    }
    chain.separator = g_.literal(shape.text);
    chain.first_exit = static_cast<uint32_t>(chain.items.size());
    return g_.chain(std::move(chain));
  }

  // Equal ones are one rule.
  ExprId required(const TextShape& shape) {
    for (const auto& [known, rule] : required_[shape.text]) {
      if (*known == shape) return g_.rule(rule);
    }
    const RuleId rule = g_.add_rule(shape.text, lay(only(shape)));
    g_.require(rule);
    required_[shape.text].emplace_back(&shape, rule);
    return g_.rule(rule);
  }

  std::string spelled(const std::string& mark) const { return vocabulary_ == nullptr ? mark : vocabulary_->spelled(mark); }

  const OrderedJson& place(const std::string& pointer) const {
    const OrderedJson::json_pointer at(pointer);
    if (!document_.contains(at)) fail(ErrorCode::kInternal, "a shape refers to {}, which its schema has not", pointer);
    return document_.at(at);
  }

  // Equal ones share a rule, and so their masks.
  ExprId string(TextShape shape) {
    if (!shape.text.empty() && is_any_string(place(shape.text))) shape.text.clear();
    const std::array<std::string, 3> key = {shape.text, shape.until, shape.except};
    auto it = strings_.find(key);
    if (it == strings_.end()) {
      const ExprId body = g_.graph(std::make_shared<const ByteGraph>(string_graph(shape)));
      it = strings_.emplace(key, g_.add_rule("text up to a mark", body)).first;
    }
    return g_.rule(it->second);
  }

  static bool is_any_string(const OrderedJson& schema) {
    if (!schema.is_object() || schema.value("type", OrderedJson()) != "string") return false;
    const auto keywords = schema_keywords();
    const auto is_note = [&](const std::string& key) {
      return std::any_of(keywords.begin(), keywords.end(), [&](const Keyword& k) { return k.name == key && k.use == KeywordUse::kAnnotation; });
    };
    const auto items = schema.items();
    return std::all_of(items.begin(), items.end(), [&](const auto& item) { return item.key() == "type" || is_note(item.key()); });
  }

  ByteGraph string_graph(const TextShape& shape) {
    Grammar g;
    const auto graph = [&](ByteGraph made) { return g.graph(std::make_shared<const ByteGraph>(std::move(made))); };
    const ExprId any = g.repeat(g.characters(CharClass{{0, 0x10FFFF}}), 0, kUnbounded), line = g.literal("\n");
    ByteGraph raw = without_mark(shape.until);
    if (!shape.text.empty() || !shape.except.empty()) {
      ByteGraph texts = shape.text.empty() ? make_graph(g, any, budget_) : values_.plain_strings(place(shape.text));
      if (!shape.except.empty()) texts = difference(texts, regex_graph(shape.except, {}, budget_), budget_);
      const ExprId with_line = g.choice({g.sequence({line, any}), g.sequence({any, line})});
      texts = difference(texts, make_graph(g, with_line, budget_), budget_);
      const ExprId laid_out = g.sequence({g.optional(line), graph(std::move(texts)), g.optional(line)});
      raw = intersection(make_graph(g, laid_out, budget_), raw, budget_);
    }
    return make_graph(g, g.sequence({graph(std::move(raw)), g.literal(spelled(shape.until))}), budget_);
  }

  // Texts with the mark behind them in which it does not come earlier, whichever tokens would spell it.
  ByteGraph without_mark(const std::string& mark) {
    Grammar g;
    const ExprId any = g.repeat(g.characters(CharClass{{0, 0x10FFFF}}), 0, kUnbounded);
    std::vector<ExprId> earlier = {g.sequence({any, g.literal(mark), any})};
    for (std::size_t n = 1; n < mark.size(); ++n) {
      // The end of the text and the first bytes of the mark would make one.
      if (mark.ends_with(mark.substr(0, n))) earlier.push_back(g.sequence({any, g.literal(mark.substr(0, mark.size() - n))}));
    }
    return difference(make_graph(g, any, budget_), make_graph(g, g.choice(earlier), budget_), budget_);
  }

  const TokenVocabulary* vocabulary_;
  Budget& budget_;
  const OrderedJson document_;
  Grammar g_;
  SchemaValues values_;
  std::map<std::array<std::string, 3>, RuleId> strings_;
  std::map<std::string, std::vector<std::pair<const TextShape*, RuleId>>> required_;
};

}  // namespace

Grammar shape_grammar(const ConstraintSpec& spec, const TokenVocabulary* vocabulary, Budget& budget) {
  return ShapeCompiler(spec, vocabulary, budget).compile(spec.shape);
}

}  // namespace minnow::grammar
