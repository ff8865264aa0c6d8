#include "text/grammar/regex.h"

#include "base/limits.h"
#include "text/grammar/json_text.h"
#include "text/grammar/regex_class.h"

namespace minnow::grammar {
namespace {

// Bytes that no UTF-8 text has stand for ^ and $ until the automaton is made: before a text may stand any number of the
// one, after it any number of the other, and each anchor reads one.
constexpr uint8_t kBegin = kFirstMarkByte, kEnd = kFirstMarkByte + 1;

class RegexParser {
 public:
  // opens_up: anchors at the ends of the outermost alternatives are not laid. In their place any text stands where they are not.
  RegexParser(std::string_view pattern, RegexOptions options, bool opens_up, Grammar& grammar)
      : in_(pattern, options.schema), schema_(options.schema), escapes_(options.schema && !options.plain), opens_up_(opens_up), g_(grammar) {}

  ExprId parse() {
    const ExprId whole = alternatives(0);
    if (!in_.done()) in_.invalid("a parenthesis that none opened");
    return whole;
  }
  bool has_anchors() const { return has_anchors_; }

  ExprId any_text() {
    return g_.repeat(set(CharClass{{0, 0x10FFFF}}), 0, kUnbounded);
  }

 private:
  ExprId set(const CharClass& characters) {
    return escapes_ ? json_characters(g_, characters) : g_.characters(characters);
  }

  ExprId alternatives(int depth) {
    if (depth > limits::kMaxGrammarNesting) {
      fail(ErrorCode::kLimit, "regular expression: groups within groups, more than {} deep", limits::kMaxGrammarNesting);
    }
    std::vector<ExprId> choices{branch(depth)};
    while (in_.take("|")) choices.push_back(branch(depth));
    return g_.choice(choices);
  }

  ExprId branch(int depth) {
    const bool opens_up = opens_up_ && depth == 0;
    bool begins = false, ends = false;
    std::vector<ExprId> parts;
    while (!in_.done() && in_.peek() != '|' && in_.peek() != ')') {
      if (in_.peek() == '^' || in_.peek() == '$') {
        const char anchor = static_cast<char>(in_.character());
        if (is_quantifier()) in_.unsupported("a repeated anchor");
        if (opens_up && anchor == '^' && parts.empty()) {
          begins = true;
        } else if (opens_up && anchor == '$' && (in_.done() || in_.peek() == '|')) {
          ends = true;
        } else {
          has_anchors_ = true;
          parts.push_back(g_.bytes(anchor == '^' ? kBegin : kEnd, anchor == '^' ? kBegin : kEnd));
        }
        continue;
      }
      parts.push_back(quantified(atom(depth)));
    }
    if (opens_up && schema_ && !begins) parts.insert(parts.begin(), any_text());
    if (opens_up && schema_ && !ends) parts.push_back(any_text());
    return g_.sequence(parts);
  }

  ExprId atom(int depth) {
    if (in_.take("(")) return group(depth);
    if (in_.take("[")) return set(in_.brackets());
    if (in_.take("\\")) return set(in_.escape(false));
    if (in_.take(".")) {
      const CharClass ends = schema_ ? CharClass{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}} : CharClass{{'\n', '\n'}};
      return set(ends.complement());
    }
    if (is_quantifier()) in_.invalid("nothing stands before a repetition");
    // An error where JavaScript reads Unicode, a literal where it does not, and {,3} a repetition elsewhere.
    if (schema_ && in_.peek() == '{') in_.unsupported("a brace that begins no repetition (\\{ is the character)");
    const char32_t c = in_.character();
    return set(CharClass{{c, c}});
  }

  ExprId group(int depth) {
    if (in_.take("?")) {
      if (in_.starts_with("<=") || in_.starts_with("<!")) in_.unsupported("a look behind");
      if (in_.starts_with("=") || in_.starts_with("!")) in_.unsupported("a look ahead");
      if (in_.take("<") || in_.take("P<")) {
        while (!in_.done() && in_.peek() != '>') in_.character();
        if (!in_.take(">")) in_.invalid("the name of a group lacks its closing bracket");
      } else if (!in_.take(":")) {
        in_.unsupported(fmt::format("the group (?{}", in_.peek()));
      }
    } else if (in_.peek() == '*') {
      in_.unsupported("a verb (*");
    }
    const ExprId inner = alternatives(depth + 1);
    if (!in_.take(")")) in_.invalid("a group lacks its closing parenthesis");
    return inner;
  }

  // Whether a repetition comes next; a brace that is none stands for itself in PCRE.
  bool is_quantifier() {
    if (in_.peek() == '*' || in_.peek() == '+' || in_.peek() == '?') return true;
    const std::size_t begin = in_.position();
    uint32_t min = 0, max = 0;
    const bool found = braces(min, max);
    in_.rewind(begin);
    return found;
  }

  bool braces(uint32_t& min, uint32_t& max) {
    const std::size_t begin = in_.position();
    if (!in_.take("{")) return false;
    const auto low = in_.number();
    min = low.value_or(0);
    max = min;
    if (low && in_.take(",")) max = in_.number().value_or(kUnbounded);
    if (low && in_.take("}")) return true;
    in_.rewind(begin);
    return false;
  }

  ExprId quantified(ExprId part) {
    uint32_t min = 0, max = kUnbounded;
    if (in_.take("+")) {
      min = 1;
    } else if (in_.take("?")) {
      max = 1;
    } else if (!in_.take("*") && !braces(min, max)) {
      return part;
    }
    if (min > max) in_.invalid("a repetition whose numbers are in the wrong order");
    if (in_.peek() == '+') in_.unsupported("a possessive repetition");
    in_.take("?");  // lazy: the same texts
    if (is_quantifier()) in_.invalid("a repetition of a repetition");
    return g_.repeat(part, min, max);
  }

  RegexReader in_;
  bool schema_, escapes_, opens_up_;
  Grammar& g_;
  bool has_anchors_ = false;
};

}  // namespace

ByteGraph regex_graph(std::string_view pattern, RegexOptions options, Budget& budget) {
  {
    Grammar g;
    RegexParser parser(pattern, options, /*opens_up=*/true, g);
    const ExprId whole = parser.parse();
    if (!parser.has_anchors()) return make_graph(g, whole, budget);
  }
  Grammar g;
  RegexParser parser(pattern, options, /*opens_up=*/false, g);
  ExprId whole = parser.parse();
  const ExprId any = parser.any_text();
  const ExprId begins = g.repeat(g.bytes(kBegin, kBegin), 0, kUnbounded), ends = g.repeat(g.bytes(kEnd, kEnd), 0, kUnbounded);
  if (options.schema) {
    whole = g.sequence({begins, any, whole, any, ends});
  } else {
    whole = g.sequence({begins, whole, ends});
  }
  const ByteGraph marked = intersection(make_graph(g, whole, budget), make_graph(g, g.sequence({begins, any, ends}), budget), budget);
  return make_graph(g, g.graph(std::make_shared<const ByteGraph>(marked)), budget);
}

}  // namespace minnow::grammar
