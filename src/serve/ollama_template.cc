#include "serve/ollama_template.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view strip_right(std::string_view text) { return text.substr(0, text.find_last_not_of(kSpace) + 1); }
std::string_view strip_left(std::string_view text) { return text.substr(std::min(text.find_first_not_of(kSpace), text.size())); }
std::string_view strip(std::string_view text) { return strip_left(strip_right(text)); }

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = strip_left(text); !text.empty(); text = strip_left(text)) {
    const std::size_t end = std::min(text.find_first_of(kSpace), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

[[noreturn]] void fail_unknown(std::string_view what) {
  throw Error(ErrorCode::kUnsupported, fmt::format("template: {{{{ {} }}}} is not supported", what),
              "known are .System, .Prompt, .Response, if, else and end; or give a Jinja template");
}

// What a template says is known once its values are: no conditions are left in the result.
class Translator {
 public:
  Translator(std::string_view text, const OllamaTemplateValues& values) : rest_(text), values_(values) {}

  std::string run() {
    while (!rest_.empty()) {
      const std::size_t open = rest_.find("{{");
      std::string_view text = rest_.substr(0, open);
      if (trims_) text = strip_left(text);
      trims_ = false;
      if (open == std::string_view::npos) {
        literal(text);
        break;
      }
      rest_.remove_prefix(open + 2);
      const bool trims_before = rest_.size() > 1 && rest_[0] == '-' && kSpace.find(rest_[1]) != std::string_view::npos;
      if (trims_before) rest_.remove_prefix(1);
      literal(trims_before ? strip_right(text) : text);
      action(take_action());
    }
    if (!branches_.empty()) fail(ErrorCode::kInvalidInput, "template: an if without end");
    return std::move(out_);
  }

 private:
  struct Branch {
    bool was_live;   // what is around it is written
    bool is_live;    // it is written itself
    bool any_taken;  // it, or one before it
    bool is_last = false;  // after else
  };

  // Up to the closing braces, which are consumed.
  std::string_view take_action() {
    const std::size_t close = rest_.find("}}");
    if (close == std::string_view::npos) fail(ErrorCode::kInvalidInput, "template: {{{{ without }}}}");
    std::string_view text = rest_.substr(0, close);
    rest_.remove_prefix(close + 2);
    if (text.size() > 1 && text.back() == '-' && kSpace.find(text[text.size() - 2]) != std::string_view::npos) {
      trims_ = true;
      text.remove_suffix(1);
    }
    return strip(text);
  }

  bool is_live() const { return !ended_ && (branches_.empty() || branches_.back().is_live); }

  void literal(std::string_view text) {
    if (text.empty() || !is_live()) return;
    out_ += "{{ \"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out_ += '\\';
      if (c == '\n') {
        out_ += "\\n";
      } else if (c == '\r') {
        out_ += "\\r";  // as it is, it would be a line end
      } else {
        out_ += c;
      }
    }
    out_ += "\" }}";
  }

  void action(std::string_view text) {
    const std::vector<std::string_view> words = words_of(text);
    if (words.empty()) fail(ErrorCode::kInvalidInput, "template: {{{{ }}}} is empty");
    if (text.starts_with("/*") && text.ends_with("*/")) return;
    if (words[0] == "if") return begin_if(words);
    if (words[0] == "else") return begin_else(words);
    if (words[0] == "end" && words.size() == 1) return end_if();
    if (words.size() != 1) fail_unknown(text);
    value(words[0]);
  }

  void begin_if(const std::vector<std::string_view>& words) {
    if (branches_.size() >= static_cast<std::size_t>(limits::kMaxTemplateDepth)) fail(ErrorCode::kLimit, "template: too many ifs within each other");
    const bool live = is_live(), holds = condition(words, 1);
    branches_.push_back({.was_live = live, .is_live = live && holds, .any_taken = holds});
  }

  void begin_else(const std::vector<std::string_view>& words) {
    if (branches_.empty() || branches_.back().is_last) fail(ErrorCode::kInvalidInput, "template: an else without if");
    Branch& branch = branches_.back();
    const bool is_else_if = words.size() > 2 && words[1] == "if";
    if (words.size() > 1 && !is_else_if) fail_unknown("else …");
    const bool holds = !is_else_if || condition(words, 2);
    branch.is_live = branch.was_live && !branch.any_taken && holds;
    branch.any_taken |= holds;
    branch.is_last = !is_else_if;
  }

  void end_if() {
    if (branches_.empty()) fail(ErrorCode::kInvalidInput, "template: an end without if");
    branches_.pop_back();
  }

  // X, not X, and X Y…, or X Y… from words[first] on.
  bool condition(const std::vector<std::string_view>& words, std::size_t first) const {
    if (words.size() == first + 1) return is_given(words[first]);
    if (words.size() == first + 2 && words[first] == "not") return !is_given(words[first + 1]);
    if (words.size() < first + 3 || (words[first] != "and" && words[first] != "or")) fail_unknown("if …");
    const bool is_and = words[first] == "and";
    bool result = is_and;
    for (std::size_t i = first + 1; i < words.size(); ++i) {
      const bool given = is_given(words[i]);
      result = is_and ? result && given : result || given;
    }
    return result;
  }

  bool is_given(std::string_view name) const {
    if (name == ".System") return values_.has_system;
    if (name == ".Prompt" || name == ".First") return true;
    if (name == ".Response" || name == ".Suffix" || name == ".Tools" || name == ".Think") return false;
    fail_unknown(name);
  }

  void value(std::string_view name) {
    if (name == ".Response") {
      ended_ = ended_ || is_live();  // the model goes on from here
      return;
    }
    const bool given = is_given(name);
    if (!given || !is_live()) return;
    if (name == ".System") {
      out_ += "{{ messages[0].content }}";
    } else if (name == ".Prompt") {
      out_ += "{{ messages[-1].content }}";
    } else {
      fail_unknown(name);
    }
  }

  std::string_view rest_;
  const OllamaTemplateValues& values_;
  std::string out_;
  std::vector<Branch> branches_;
  bool trims_ = false;  // the text that follows begins behind its white space
  bool ended_ = false;  // .Response has come
};

// Jinja has no names that begin with a point.
bool is_ollama_template(std::string_view text) {
  std::size_t close = 0;
  // The search goes on behind each action: within them it would take quadratic time.
  for (std::size_t open = text.find("{{"); open != std::string_view::npos; open = text.find("{{", close)) {
    close = std::min(text.find("}}", open), text.size());
    std::string_view action = text.substr(open + 2, close - open - 2);
    if (action.starts_with('-')) action.remove_prefix(1);
    const std::vector<std::string_view> words = words_of(action);
    if (words.empty()) continue;
    if (words[0].starts_with('.') || words[0] == "if" || words[0] == "range" || words[0] == "end" || words[0].starts_with('$')) return true;
  }
  return false;
}

}  // namespace

std::string jinja_of_ollama_template(std::string_view text, const OllamaTemplateValues& values) {
  if (text.size() > limits::kMaxTemplateBytes) {
    fail(ErrorCode::kLimit, "template: it has {} bytes, allowed: {}", text.size(), limits::kMaxTemplateBytes);
  }
  if (!is_ollama_template(text)) return std::string(text);
  return Translator(text, values).run();
}

}  // namespace minnow
