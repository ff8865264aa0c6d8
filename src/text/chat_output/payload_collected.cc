// Payloads that are collected up to their end and read when they are whole.
#include <algorithm>

#include "text/chat_output/payload.h"

namespace minnow::chat_output {
namespace {

// Follows the brackets of a Python list up to the one that closes it.
class PythonBrackets {
 public:
  // True when the byte closes the last bracket.
  bool closes(char c) {
    if (escaped_) {
      escaped_ = false;
    } else if (quote_ != 0) {
      if (c == '\\') escaped_ = true;
      if (c == quote_) quote_ = 0;
    } else if (c == '"' || c == '\'') {
      quote_ = c;
    } else if (c == '[' || c == '(' || c == '{') {
      ++depth_;
    } else if (c == ']' || c == ')' || c == '}') {
      return --depth_ <= 0;
    }
    return false;
  }

 private:
  int64_t depth_ = 0;
  char quote_ = 0;
  bool escaped_ = false;
};

class CollectedReader final : public PayloadReader {
 public:
  CollectedReader(const CallSyntax& syntax, const ToolSchemas& tools) : syntax_(syntax), tools_(tools) {}

  Step step(char c, CallSink& sink) override {
    text_ += c;
    if (syntax_.payload == Payload::kPythonList) {
      if (!brackets_.closes(c)) return Step::kMore;
    } else if (!closes()) {
      return Step::kMore;
    } else {
      text_.resize(text_.size() - syntax_.close.size());
    }
    return read(sink) ? Step::kDone : Step::kBroken;
  }

  bool finish(CallSink& sink) override {
    return syntax_.close.empty() && syntax_.payload != Payload::kPythonList && read(sink);
  }

 private:
  // Whether the text ends with the closing text. Within the value of an argument that is only text.
  bool closes() {
    const ArgumentTags& tags = syntax_.tags;
    if (!tags.argument_open.empty()) {
      if (!in_argument_ && text_.ends_with(tags.argument_open)) in_argument_ = true;
      if (in_argument_ && text_.ends_with(tags.value_close)) in_argument_ = false;
    }
    return !in_argument_ && !syntax_.close.empty() && text_.ends_with(syntax_.close);
  }

  bool read(CallSink& sink) const {
    std::vector<Call> calls;
    if (!read_calls(calls)) return false;
    const bool bare = syntax_.open.empty();
    const auto unknown = [&](const Call& call) { return !tools_.empty() && !tools_.has(call.name); };
    if (calls.empty() || (bare && std::any_of(calls.begin(), calls.end(), unknown))) return false;
    for (const Call& call : calls) {
      sink.begin(call.name, {});
      sink.arguments(call.arguments);
      sink.end({});
    }
    return true;
  }

  bool read_calls(std::vector<Call>& calls) const {
    switch (syntax_.payload) {
      case Payload::kTagged:
        return read_tagged_call(text_, syntax_, tools_, calls);
      case Payload::kBraces:
        return read_braces_call(text_, calls);
      case Payload::kCode:
        return read_code_call(text_, calls);
      default:
        return read_python_calls(text_, tools_, calls);
    }
  }

  const CallSyntax& syntax_;
  const ToolSchemas& tools_;
  std::string text_;
  PythonBrackets brackets_;
  bool in_argument_ = false;
};

}  // namespace

std::unique_ptr<PayloadReader> make_collected_reader(const CallSyntax& syntax, const ToolSchemas& tools) {
  return std::make_unique<CollectedReader>(syntax, tools);
}

}  // namespace minnow::chat_output
