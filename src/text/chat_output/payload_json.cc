// Calls as JSON objects that name the tool, one or a list. Where the name comes before the arguments, as it
// nearly always does, the arguments are passed on as they come.
#include <array>

#include "base/json.h"
#include "text/chat_output/json_scanner.h"
#include "text/chat_output/payload.h"

namespace minnow::chat_output {
namespace {

constexpr std::array<std::string_view, 3> kNameKeys = {"name", "tool_name", "function"};
constexpr std::array<std::string_view, 2> kArgumentKeys = {"arguments", "parameters"};
constexpr std::array<std::string_view, 3> kIdKeys = {"id", "tool_call_id", "call_id"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  for (const std::string_view w : words) {
    if (w == word) return true;
  }
  return false;
}

// The first of the keys that the object has, or nullptr.
template <std::size_t N>
const Json* first_of(const Json& object, const std::array<std::string_view, N>& keys) {
  for (const std::string_view key : keys) {
    const auto it = object.find(key);
    if (it != object.end()) return &*it;
  }
  return nullptr;
}

class JsonReader final : public PayloadReader {
 public:
  JsonReader(const CallSyntax& syntax, const ToolSchemas& tools)
      : keyed_(syntax.payload == Payload::kKeyedJson), bare_(syntax.open.empty()), tools_(tools) {}

  Step step(char c, CallSink& sink) override {
    const JsonScanner::Place before = scanner_.place();
    const int depth = scanner_.depth();
    if (!scanner_.step(c)) return Step::kBroken;
    if (depth == 0 && c == '[') call_depth_ = 2;
    if (depth + 1 == call_depth_ && scanner_.depth() == call_depth_) {
      text_.clear();
      seen_ = 0;
    }
    if (depth == 1 && call_depth_ == 2 && !only_objects(before, c)) return Step::kBroken;
    append(before, c);
    if (depth >= call_depth_ && !inside_call(before, depth, c, sink)) return Step::kBroken;
    if (!scanner_.ended()) return Step::kMore;
    return n_calls_ > 0 ? Step::kDone : Step::kBroken;
  }

 private:
  // Of a list: nothing but objects in it.
  bool only_objects(JsonScanner::Place before, char c) const {
    const bool element = before == JsonScanner::Place::kValue || before == JsonScanner::Place::kFirstElement;
    return !element || c == '{' || c == ']' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
  }

  void append(JsonScanner::Place before, char c) {
    if (before == JsonScanner::Place::kInString || before == JsonScanner::Place::kInKey) {
      append_string_byte(text_, c);
    } else {
      text_ += c;
    }
  }

  // `before` and `depth` are those that the byte was read with; text_ ends with it.
  bool inside_call(JsonScanner::Place before, int depth, char c, CallSink& sink) {
    using Place = JsonScanner::Place;
    if (depth == call_depth_) {
      if (scanner_.place() == Place::kInKey && before != Place::kInKey) token_ = text_.size() - 1;
      if (before == Place::kInKey && scanner_.place() == Place::kColon) {
        if (!take_string(key_) || !accept_key()) return false;
      }
      if (before == Place::kValue && c == '"') token_ = text_.size() - 1;
      if (before == Place::kInString && scanner_.place() == Place::kAfterValue &&
          is_one_of(kNameKeys, key_) && !keyed_) {
        if (!take_string(name_)) return false;
      }
      if (before == Place::kValue && c == '{' && arguments_.empty() &&
          (keyed_ || is_one_of(kArgumentKeys, key_))) {
        begin_arguments(sink);
      }
    }
    if (in_arguments_) {
      const std::string_view added = std::string_view(text_).substr(seen_);
      arguments_ += added;
      if (begun_) sink.arguments(added);
      in_arguments_ = scanner_.depth() > call_depth_;
    }
    seen_ = text_.size();
    return scanner_.depth() >= call_depth_ || end_call(sink);
  }

  bool accept_key() {
    if (keyed_) {
      if (!name_.empty()) return false;  // one key is one call
      name_ = key_;
      return is_tool_name(name_);
    }
    return !bare_ || is_one_of(kNameKeys, key_) || is_one_of(kArgumentKeys, key_) ||
           is_one_of(kIdKeys, key_) || key_ == "type";
  }

  bool take_string(std::string& out) {
    const Json value =
        Json::parse(text_.begin() + static_cast<std::ptrdiff_t>(token_), text_.end(), nullptr, false);
    if (!value.is_string()) return false;
    out = value.get<std::string>();
    return true;
  }

  bool acceptable_name() const {
    return is_tool_name(name_) && (!bare_ || tools_.empty() || tools_.has(name_));
  }

  void begin_arguments(CallSink& sink) {
    in_arguments_ = true;
    begun_ = acceptable_name();
    if (begun_) sink.begin(name_, {});
  }

  // The object is whole: what has not been passed on yet is looked up in it.
  bool end_call(CallSink& sink) {
    const Json call = Json::parse(text_, nullptr, false);
    if (!call.is_object()) return false;
    const Json* id = first_of(call, kIdKeys);
    if (!begun_) {
      std::string arguments;
      if (!whole_call(call, arguments)) return false;
      sink.begin(name_, {});
      sink.arguments(arguments);
    }
    sink.end(id != nullptr && id->is_string() && !keyed_ ? id->get_ref<const std::string&>() : std::string());
    ++n_calls_;
    begun_ = false;
    name_.clear();
    arguments_.clear();
    return true;
  }

  bool whole_call(const Json& call, std::string& text) {
    const Json* arguments = nullptr;
    if (keyed_) {
      if (call.size() != 1) return false;
      name_ = call.begin().key();
      arguments = &*call.begin();
    } else {
      const Json* function = first_of(call, kNameKeys);
      // The way of the API: {"type": "function", "function": {"name": …, "arguments": …}}
      if (function != nullptr && function->is_object()) return whole_call(*function, text);
      if (function == nullptr || !function->is_string()) return false;
      name_ = function->get<std::string>();
      arguments = first_of(call, kArgumentKeys);
    }
    if (!acceptable_name()) return false;
    if (arguments == nullptr && bare_) return false;
    if (arguments == nullptr || arguments->is_null())
      text = "{}";
    else if (arguments->is_string())
      text = arguments->get<std::string>();  // JSON within a string
    else
      text = arguments_.empty() ? arguments->dump() : arguments_;  // as written, keys in their order
    return Json::parse(text, nullptr, false).is_object();
  }

  const bool keyed_, bare_;
  const ToolSchemas& tools_;
  JsonScanner scanner_;
  int call_depth_ = 1;
  int n_calls_ = 0;
  std::string text_;       // of the call at hand, as valid JSON
  std::size_t token_ = 0;  // where the last key or string begins in it
  std::size_t seen_ = 0;   // its size before the last byte
  std::string key_, name_, arguments_;
  bool begun_ = false;  // the sink knows of the call
  bool in_arguments_ = false;
};

}  // namespace

std::unique_ptr<PayloadReader> make_json_reader(const CallSyntax& syntax, const ToolSchemas& tools) {
  return std::make_unique<JsonReader>(syntax, tools);
}

}  // namespace minnow::chat_output
