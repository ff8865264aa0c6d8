#include "text/chat_template.h"

#include <array>

#include "base/limits.h"
#include "base/utf8.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/json_form.h"
#include "text/jinja/lexer.h"
#include "text/jinja/parser.h"

namespace minnow {

struct ChatTemplate::Impl {
  std::string source;  // viewed by the tree
  jinja::Body body;
};

ChatTemplate::ChatTemplate(const std::string& source) : impl_(std::make_unique<Impl>()) {
  if (source.size() > limits::kMaxTemplateBytes) {
    fail(ErrorCode::kLimit, "chat template: {} bytes are more than {}", source.size(),
         limits::kMaxTemplateBytes);
  }
  if (!is_valid_utf8(source)) fail(ErrorCode::kInvalidInput, "chat template: not valid UTF-8");
  impl_->source = jinja::normalized_source(source);
  impl_->body = jinja::parse_template(impl_->source);
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

ChatRendering ChatTemplate::render_marked(const ChatTemplateInput& input) const {
  jinja::Runtime rt(input.now.value_or(std::time(nullptr)));
  std::vector<jinja::Binding> variables = {
      {"messages", from_json(rt, input.messages)},
      {"tools", from_json(rt, input.tools)},
      {"documents", jinja::Value::none()},  // transformers always passes it
      {"add_generation_prompt", jinja::Value::boolean(input.add_generation_prompt)},
      {"bos_token", jinja::Value::string(input.bos_token)},
      {"eos_token", jinja::Value::string(input.eos_token)},
  };
  // Later ones win: names are assigned in this order.
  for (auto item = input.extra.begin(); item != input.extra.end(); ++item) {
    variables.push_back({item.key(), from_json(rt, *item)});
  }
  jinja::Evaluator evaluator(rt);
  ChatRendering rendering{.text = evaluator.render(impl_->body, variables)};
  for (const jinja::TextRange& range : evaluator.generated()) rendering.generated.emplace_back(range.begin, range.end);
  return rendering;
}

std::string json_of_template(const OrderedJson& value, int indent) {
  jinja::Runtime rt(0);
  jinja::TextBuilder out(rt);
  const std::string level(static_cast<std::size_t>(indent), ' ');
  jinja::JsonStyle style;
  if (indent > 0) {
    style.indent = level;
    style.item_separator = ",";
  }
  jinja::write_json(out, jinja::from_json(rt, value), style);
  return std::string(out.view());
}

std::string ChatTemplate::render(const std::vector<ChatMessage>& messages, const std::string& bos,
                                 const std::string& eos) const {
  ChatTemplateInput input;
  for (const ChatMessage& message : messages) {
    input.messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  input.bos_token = bos;
  input.eos_token = eos;
  return render(input);
}

}  // namespace minnow
