#include "base/error.h"
#include "respond/copied_text.h"
#include "respond/responder.h"

namespace minnow {
namespace {

const std::string& template_of(Engine& engine, const std::string& override_text) {
  if (!override_text.empty()) return override_text;
  const std::string& own = engine.tokenizer().spec().chat_template;
  if (own.empty()) {
    throw Error(ErrorCode::kNotFound, "this model has no chat template", "use --raw to continue plain text, or --template FILE");
  }
  return own;
}

}  // namespace

LocalResponder::LocalResponder(Engine& engine, const std::string& template_override)
    : engine_(engine),
      encoder_(engine.tokenizer(), template_of(engine, template_override)),
      format_(output_format_for_template(template_of(engine, template_override))),
      constraints_(engine.tokenizer()) {
  const std::string schema = engine.model().metadata.text("minnow.response_schema", "");
  if (schema.empty()) return;
  own_format_ = {.kind = ConstraintSpec::Kind::kSchema, .text = schema, .choices = {}, .compact = true};
  OrderedJson parsed = parse_ordered_json(schema, "minnow.response_schema");
  if (has_copied_texts(parsed)) own_schema_ = std::move(parsed);
}

// The model's, with the words of the last message where they are to be copied.
ConstraintSpec LocalResponder::own_format(const ChatRequest& request) const {
  if (own_schema_.is_null()) return own_format_;
  std::string message;
  for (const auto& m : request.messages) {
    if (m.contains("content") && m["content"].is_string()) message = m["content"].get<std::string>();
  }
  ConstraintSpec format = own_format_;
  format.text = with_copied_texts(own_schema_, message).dump();
  return format;
}

std::string LocalResponder::render(const ChatRequest& request) const {
  return encoder_.render({.messages = request.messages, .tools = request.tools, .extra = request.template_variables}).text;
}

std::vector<TokenId> LocalResponder::prompt(const ChatRequest& request) const { return encoder_.encode(render(request)).tokens; }

std::unique_ptr<ChatAnswer> LocalResponder::respond(ChatRequest request) {
  const std::string rendered = render(request);
  GenerateRequest generate;
  generate.prompt = encoder_.encode(rendered).tokens;
  generate.show_special = true;  // the marks of calls are control tokens in most families
  generate.sampling = std::move(request.sampling);
  generate.max_tokens = request.max_tokens;
  generate.stop = std::move(request.stop);
  const bool has_tools = request.tools.is_array() && !request.tools.empty();
  if (request.constraint.kind == ConstraintSpec::Kind::kNone && !has_tools && own_format_.kind != ConstraintSpec::Kind::kNone) {
    request.constraint = own_format(request);
    generate.sampling.temperature = 0;
  }
  const bool is_held = request.constraint.kind != ConstraintSpec::Kind::kNone;
  if (is_held && has_tools) {
    throw Error(ErrorCode::kUnsupported, "an answer held to a format cannot call tools", "leave out the tools or the format");
  }
  if (is_held) generate.constraint = constraints_.compile(request.constraint);
  ChatOutputOptions options;
  options.calls = has_tools;
  options.tools = std::move(request.tools);
  options.prompt = rendered;
  auto generation = engine_.submit(std::move(generate));
  if (is_held) return std::make_unique<ChatAnswer>(std::move(generation), std::nullopt);  // all of it is content
  return std::make_unique<ChatAnswer>(std::move(generation), ChatOutputParser(format_, options));
}

}  // namespace minnow
