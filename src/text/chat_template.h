// Chat templates: the Jinja text that comes with a model, rendered to the prompt text.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace minnow {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", "tool"
  std::string content;
};

struct ChatTemplateInput {
  OrderedJson messages = OrderedJson::array();  // as in the OpenAI API: role, content, tool_calls, …
  OrderedJson tools;                            // null or an array
  bool add_generation_prompt = true;
  std::string bos_token, eos_token;  // the texts of those tokens
  OrderedJson extra =
      OrderedJson::object();  // further variables, e.g. enable_thinking; they win over the above
  std::optional<std::time_t> now = std::nullopt;  // what strftime_now sees; the clock by default
};

struct ChatRendering {
  std::string text;
  // Bytes written inside of {% generation %} blocks: what the model is to say. In order and apart; none when the template
  // has no such blocks.
  std::vector<std::pair<std::size_t, std::size_t>> generated;
};

// As templates' tojson writes a value; `indent` spaces for each level, 0: all on one line.
std::string json_of_template(const OrderedJson& value, int indent);

// Immutable once built; may render from many threads at once.
class ChatTemplate {
 public:
  // Parses the Jinja text. Throws kInvalidInput ("chat template: line 3: …"), kUnsupported for tags that load
  // other templates, kLimit when it is too long or nested too deep.
  explicit ChatTemplate(const std::string& source);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // Throws kInvalidInput for what the template raises (raise_exception) and for errors in it; kLimit when it
  // takes more than the steps, depth, memory or output of limits.h.
  std::string render(const ChatTemplateInput& input) const { return render_marked(input).text; }
  ChatRendering render_marked(const ChatTemplateInput& input) const;
  std::string render(const std::vector<ChatMessage>& messages, const std::string& bos,
                     const std::string& eos) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minnow
