#include "base/error.h"
#include "respond/family_calls.h"
#include "respond/forced_calls.h"
#include "respond/responder.h"
#include "respond/system_messages.h"
#include "respond/thinking.h"

namespace minnow {
namespace {

// Of a model, or the one given in their place. Empty where there is none; `tools` is another one for chats with tools.
struct Templates {
  std::string_view chat = {}, tools = {};

  std::string_view with_tools() const { return tools.empty() ? chat : tools; }
};

Templates templates_of(const Model& model, const std::string& override_text) {
  if (!override_text.empty()) return {.chat = override_text};
  if (!model.tokenizer || model.tokenizer->chat_template.empty()) return {};
  return {.chat = model.tokenizer->chat_template, .tools = model.tokenizer->tool_template};
}

[[noreturn]] void refuse_without_template() {
  throw Error(ErrorCode::kNotFound, "this model has no chat template", "use --raw to continue plain text, or --template FILE");
}

bool has_tools(const ChatRequest& request) {
  return request.tool_choice != ToolChoice::kNone && request.tools.is_array() && !request.tools.empty();
}

bool is_forced(const ChatRequest& request) {
  return request.tool_choice == ToolChoice::kRequired || request.tool_choice == ToolChoice::kNamed;
}

ChatTemplateInput template_input(const ChatRequest& request) {
  ChatTemplateInput input{.messages = request.messages, .extra = request.template_variables};
  if (has_tools(request)) input.tools = request.tools;
  if (!request.thinking) return input;
  for (const char* name : {"enable_thinking", "thinking"}) {  // Qwen, SmolLM, …; DeepSeek, Granite
    if (!input.extra.contains(name)) input.extra[name] = *request.thinking;
  }
  return input;
}

void check_messages(const ChatRequest& request) {
  if (!request.messages.is_array()) fail(ErrorCode::kInvalidInput, "messages: must be a list");
  if (!request.template_variables.is_object()) fail(ErrorCode::kInvalidInput, "variables of the chat template: must be an object");
}

// The chat up to the end of its last message, which stays open.
std::string render_open(const ChatEncoder& encoder, ChatTemplateInput input) {
  const auto refuse = [] {
    throw Error(ErrorCode::kInvalidInput, "messages: there is no answer to go on from", "the last message must be one of the assistant, with text");
  };
  if (input.messages.empty()) refuse();
  OrderedJson& last = input.messages.back();
  if (!last.is_object() || last.value("role", OrderedJson()) != "assistant" || !last.contains("content")) refuse();
  OrderedJson* text = &last["content"];
  if (text->is_array() && !text->empty() && text->back().is_object() && text->back().contains("text")) text = &text->back()["text"];
  if (!text->is_string()) refuse();
  // A noncharacter that no honest text holds, made longer until this one does not.
  std::string mark = "\uFDD1";
  const std::string all = input.messages.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  while (all.find(mark) != std::string::npos) mark += "\uFDD1";
  text->get_ref<std::string&>() += mark;
  input.add_generation_prompt = false;
  std::string rendered = encoder.render(std::move(input)).text;
  const std::size_t end = rendered.rfind(mark);
  if (end == std::string::npos) {
    throw Error(ErrorCode::kUnsupported, "this model's chat template does not show the last answer as it is", "it cannot be gone on from");
  }
  rendered.resize(end);
  return rendered;
}

// Moves what a chat and a text have in common.
template <typename Request>
GenerateRequest generate_request(Request& request) {
  GenerateRequest generate;
  generate.sampling = std::move(request.sampling);
  generate.max_tokens = request.max_tokens;
  generate.stop = std::move(request.stop);
  generate.stop_tokens = std::move(request.stop_tokens);
  generate.ignore_end = request.ignore_end;
  generate.min_tokens = request.min_tokens;
  generate.n_logprobs = request.n_logprobs;
  generate.cache_salt = std::move(request.cache_salt);
  generate.max_unread_bytes = request.max_unread_bytes;
  generate.on_event = std::move(request.on_event);
  return generate;
}

}  // namespace

struct LocalResponder::Chat {
  Chat(const Tokenizer& tokenizer, std::string_view chat_template)
      : encoder(tokenizer, std::string(chat_template)), format(output_format_for_template(chat_template)) {}

  ChatEncoder encoder;
  const OutputFormat& format;
};

ResponderCapabilities capabilities_of(const Model& model, const std::string& template_override) {
  ResponderCapabilities can;
  const Templates templates = templates_of(model, template_override);
  const std::string_view text = templates.chat, with_tools = templates.with_tools();
  can.chat = !text.empty();
  can.tools = with_tools.find("tools") != std::string_view::npos;
  can.thinking = can.chat && knows_thinking(output_format_for_template(text), text);
  can.held_calls = can.tools && can_hold_calls(output_format_for_template(with_tools));
  can.calls_or_json = can.tools && can_tell_calls_from_json(output_format_for_template(with_tools));
  can.insert = model.tokenizer && can_fill(*model.tokenizer, model.metadata);
  return can;
}

bool may_call_instead(const ResponderCapabilities& can, const ConstraintSpec& format) {
  using Kind = ConstraintSpec::Kind;
  return can.calls_or_json && (format.kind == Kind::kSchema || format.kind == Kind::kObject || format.kind == Kind::kJson);
}

LocalResponder::LocalResponder(Engine& engine, const std::string& template_override, ChatTemplateNeed need)
    : engine_(engine),
      fill_(fill_tokens(engine.tokenizer(), engine.model().metadata)),
      capabilities_(capabilities_of(engine.model(), template_override)),
      constraints_(engine.tokenizer()) {
  const Templates templates = templates_of(engine.model(), template_override);
  if (templates.chat.empty() && need == ChatTemplateNeed::kRequired) refuse_without_template();
  try {
    if (!templates.chat.empty()) chat_ = std::make_unique<const Chat>(engine.tokenizer(), templates.chat);
    if (!templates.tools.empty()) tool_chat_ = std::make_unique<const Chat>(engine.tokenizer(), templates.tools);
  } catch (const Error& error) {
    if (need == ChatTemplateNeed::kRequired) throw;
    template_error_ = fmt::format("this model's chat template cannot be read: {}", error.what());
  }
  const std::string schema = engine.model().metadata.text("minnow.response_schema", "");
  if (schema.empty()) return;
  own_format_ = {.kind = ConstraintSpec::Kind::kSchema, .text = schema, .choices = {}, .compact = true, .copies = true};
}

// With the words of the last message where the format copies them.
std::shared_ptr<const TokenConstraint> LocalResponder::compiled(const ChatRequest& request) {
  auto constraint = constraints_.compile(request.constraint);
  if (!constraint->copies()) return constraint;
  std::string message;
  for (const auto& m : request.messages) {
    if (m.contains("content") && m["content"].is_string()) message = m["content"].get<std::string>();
  }
  return TokenConstraint::copying_from(std::move(constraint), message);
}

LocalResponder::~LocalResponder() = default;

const LocalResponder::Chat& LocalResponder::chat_of(const ChatRequest& request) const {
  if (!template_error_.empty()) throw Error(ErrorCode::kInvalidInput, template_error_, "texts can still be gone on from");
  if (chat_ == nullptr) refuse_without_template();
  return tool_chat_ != nullptr && (has_tools(request) || has_tool_turns(request.messages)) ? *tool_chat_ : *chat_;
}

std::string LocalResponder::rendered(const ChatRequest& request) const {
  check_messages(request);
  const ChatEncoder& encoder = chat_of(request).encoder;
  ChatTemplateInput input = template_input(request);
  input.messages = place_system_messages(std::move(input.messages), encoder.needs());
  return request.continue_last ? render_open(encoder, std::move(input)) : encoder.render(std::move(input)).text;
}

std::string LocalResponder::render(const ChatRequest& request) const { return without_guards(rendered(request)); }

std::vector<TokenId> LocalResponder::prompt(const ChatRequest& request) const { return tokens_of(request, rendered(request)); }

std::vector<TokenId> LocalResponder::tokens_of(const ChatRequest& request, const std::string& rendered) const {
  std::vector<TokenId> tokens = chat_of(request).encoder.encode(rendered).tokens;
  if (request.before.empty()) return tokens;
  const TokenizerSpec& spec = engine_.tokenizer().spec();
  std::size_t skipped = spec.bos != kNoToken && !tokens.empty() && tokens.front() == spec.bos ? 1 : 0;
  if (skipped == 1 && spec.add_bos) {
    for (std::size_t i = 0; i < spec.after_bos.size() && skipped < tokens.size() && tokens[skipped] == spec.after_bos[i]; ++i) ++skipped;
  }
  std::vector<TokenId> all = request.before;
  all.insert(all.end(), tokens.begin() + static_cast<std::ptrdiff_t>(skipped), tokens.end());
  return all;
}

std::vector<TokenId> LocalResponder::prompt(const TextRequest& request) const {
  const Tokenizer& tokenizer = engine_.tokenizer();
  const std::string* text = std::get_if<std::string>(&request.prompt);
  if (request.suffix) {
    if (!fill_) throw Error(ErrorCode::kUnsupported, "suffix: this model cannot fill in text between two others", "leave it out");
    if (text == nullptr) fail(ErrorCode::kInvalidInput, "suffix: the prompt beside it must be a text, not tokens");
    return fill_prompt(tokenizer, *fill_, *text, *request.suffix);
  }
  if (text == nullptr) return std::get<std::vector<TokenId>>(request.prompt);
  return tokenizer.encode(*text, {.add_special = request.add_special, .parse_special = request.parse_special});
}

FamilyCalls LocalResponder::family_calls(const ChatRequest& request, const std::string& rendered) const {
  return {.format = chat_of(request).format,
          .tokenizer = engine_.tokenizer(),
          .tools = request.tools,
          .strict = request.strict_tools,
          .prompt = rendered,
          .several = request.parallel_tool_calls};
}

// Holds the answer to what the request asks for, after the model's thinking where it has any; and says how to read it.
std::unique_ptr<AnswerReader> LocalResponder::hold(GenerateRequest& generate, const ChatRequest& request, const std::string& rendered) {
  const OutputFormat& format = chat_of(request).format;
  std::unique_ptr<AnswerReader> reader;
  if (request.tool_choice == ToolChoice::kNamed) {
    generate.constraint = hold_to_call(constraints_, request.tools, request.tool_name);
    reader = call_reader(request.tool_name);
  } else if (request.tool_choice == ToolChoice::kRequired) {
    generate.constraint = hold_to_calls(constraints_, request.tools, request.parallel_tool_calls);
    reader = calls_reader(request.tools);
  } else {
    generate.constraint = compiled(request);
    reader = plain_reader();
    if (has_tools(request)) {
      generate.constraint_or = hold_to_family_calls(constraints_, family_calls(request, rendered));
      ChatOutputParser parser(format, {.tools = request.tools, .reasoning = false, .held_calls = true});
      reader = choice_reader(beginnings_of_calls(format), family_reader(std::move(parser)), std::move(reader));
    }
  }
  const bool begun_only = request.continue_last || request.thinking == false;
  const auto thinking =
      thinking_before_answer(format, engine_.tokenizer(), rendered, begun_only ? MayThink::kIfItHasBegun : MayThink::kIfItWants);
  if (!thinking) return reader;
  generate.constraint_after = thinking->ends_with;
  generate.constraint_waits_for = thinking->opening;
  ChatOutputOptions options;
  options.prompt = rendered;
  options.calls = speaks_in_channels(format);
  return held_reader({ChatOutputParser(format, options), thinking->ends_with, thinking->opening_text}, std::move(reader));
}

std::unique_ptr<ChatAnswer> LocalResponder::respond(ChatRequest request) {
  const std::string rendered = this->rendered(request);
  const OutputFormat& format = chat_of(request).format;
  GenerateRequest generate = generate_request(request);
  generate.prompt = tokens_of(request, rendered);
  generate.show_special = true;  // the marks of calls are control tokens in most families
  generate.show_end = false;
  const bool with_tools = has_tools(request);
  if (request.constraint.kind == ConstraintSpec::Kind::kNone && !with_tools && !request.continue_last &&
      own_format_.kind != ConstraintSpec::Kind::kNone) {
    request.constraint = own_format_;
    request.thinking = false;  // it was taught to give this at once
    generate.sampling.temperature = 0;
  }
  const bool is_held = request.constraint.kind != ConstraintSpec::Kind::kNone;
  const bool may_call = with_tools && !is_forced(request);
  if (is_held && may_call && !may_call_instead(capabilities_, request.constraint)) {
    throw Error(ErrorCode::kUnsupported, "this model's calls of tools cannot be told from an answer held to this format",
                "leave out the tools or the format, or require a call");
  }
  if (is_held || is_forced(request)) {
    auto reader = hold(generate, request, rendered);
    auto answer = std::make_unique<ChatAnswer>(engine_.submit(std::move(generate)), std::move(reader));
    if (may_call && !request.parallel_tool_calls) answer->end_after_first_call();
    return answer;
  }
  ChatOutputOptions options;
  if (may_call && !request.strict_tools.empty() && capabilities_.held_calls) {
    generate.calls = std::make_shared<const HeldCalls>(held_calls(constraints_, family_calls(request, rendered)));
    options.held_calls = true;
  }
  options.calls = with_tools || speaks_in_channels(format);
  if (with_tools) options.tools = std::move(request.tools);
  options.prompt = rendered;
  auto reader = family_reader(ChatOutputParser(format, options));
  auto answer = std::make_unique<ChatAnswer>(engine_.submit(std::move(generate)), std::move(reader));
  if (with_tools && !request.parallel_tool_calls) answer->end_after_first_call();
  return answer;
}

std::unique_ptr<ChatAnswer> LocalResponder::complete(TextRequest request) {
  std::vector<TokenId> tokens = prompt(request);
  GenerateRequest generate = generate_request(request);
  generate.prompt = std::move(tokens);
  generate.show_special = request.show_special;
  if (request.suffix) generate.stop_tokens.insert(generate.stop_tokens.end(), fill_->ends.begin(), fill_->ends.end());
  if (request.constraint.kind != ConstraintSpec::Kind::kNone) generate.constraint = constraints_.compile(request.constraint);
  auto answer = std::make_unique<ChatAnswer>(engine_.submit(std::move(generate)), plain_reader());
  if (request.lines.any()) answer->limit_lines(request.lines);
  return answer;
}

}  // namespace minnow
