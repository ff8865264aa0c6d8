#include "cli/cmd_run.h"

#include <unistd.h>

#include <fmt/core.h>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "models/shipped.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

constexpr int kBatchSequences = 16;

std::string template_text(const RunArguments& a) {
  return a.template_file.empty() ? std::string() : read_text_file(a.template_file, limits::kMaxTemplateBytes);
}

void report_end(const RunArguments& a, const Engine& engine, const ChatEvent& end, const ChatReply& message) {
  if (a.constraint.given() && end.reason != FinishReason::kEndOfText) {
    fmt::print(stderr, "note: the answer was cut off ({}) and is not yet what its format asks for; more room: --max-tokens N\n", name(end.reason));
  }
  if (end.reason == FinishReason::kContextFull) {
    fmt::print(stderr, "stopped: the context of {} tokens is full; a larger one: --ctx N\n", engine.n_ctx());
  }
  if (message.content.empty() && message.calls.empty() && !message.reasoning.empty()) {
    fmt::print(stderr, "note: the model was still thinking when its answer ended; --show-thinking prints that, --max-tokens gives it more room\n");
  }
  if (a.verbose) fmt::print(stderr, "{}\n", describe(end.stats, end.reason));
}

Json to_json(const ChatReply& m) {
  Json j = {{"text", to_valid_utf8(m.content)}, {"finish_reason", std::string(name(m.reason))},
            {"prompt_tokens", m.stats.prompt_tokens}, {"generated_tokens", m.stats.generated_tokens},
            {"tokens", m.tokens}, {"prompt_seconds", m.stats.prompt_seconds},
            {"generation_seconds", m.stats.generation_seconds}};
  if (!m.reasoning.empty()) j["reasoning"] = to_valid_utf8(m.reasoning);
  for (const ToolCall& call : m.calls) {
    j["tool_calls"].push_back({{"id", call.id}, {"name", call.name}, {"arguments", Json::parse(call.arguments)}});
  }
  return j;
}

void run_once(Engine& engine, const RunArguments& a, const std::string& prompt) {
  Prompter prompter(engine, a);
  auto answer = prompter.start(prompt, a.system, prompter.settings());
  if (a.json) {
    fmt::print("{}\n", to_json(answer->wait()).dump());
    return;
  }
  AnswerPrinter printer(a.show_thinking);
  if (!prompter.is_chat()) std::fwrite(prompt.data(), 1, prompt.size(), stdout);
  ChatEvent event;
  do {
    event = answer->next();
    printer.print(event.output);
  } while (!event.done);
  printer.finish();
  if (event.reason == FinishReason::kError) throw Error(ErrorCode::kInternal, event.error);
  report_end(a, engine, event, printer.message());
}

void run(RunArguments a) {
  if (!a.batch.empty() != !a.output.empty()) fail(ErrorCode::kUsage, "--batch IN and --output OUT go together");
  const bool batch = !a.batch.empty();
  // What cannot be held to is said before the model is loaded.
  if (a.constraint.given()) grammar::compile_automaton(a.constraint.resolve());
  if (!a.prompt_file.empty()) a.prompt = read_text_file(a.prompt_file, limits::kMaxJsonFileBytes);
  const bool interactive = !batch && a.prompt.empty() && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  if (!batch && !interactive && (a.prompt.empty() || a.prompt == "-")) {
    a.prompt = read_stdin();
    if (!a.raw && a.prompt.ends_with('\n')) a.prompt.pop_back();
  }
  if (batch && a.model.n_sequences == 1) a.model.n_sequences = kBatchSequences;
  const auto engine = a.model.start();
  if (batch) return run_batch(*engine, a);
  if (interactive) return run_conversation(*engine, a);
  run_once(*engine, a, a.prompt);
}

}  // namespace

Prompter::Prompter(Engine& engine, const RunArguments& a) : engine_(engine), arguments_(a), constraints_(engine.tokenizer()) {
  const std::string text = template_text(a);
  const bool has_template = !text.empty() || !engine.tokenizer().spec().chat_template.empty();
  if (!a.raw && has_template) responder_.emplace(engine, text);
  if (a.tools_file.empty()) return;
  if (!is_chat()) throw Error(ErrorCode::kUsage, "--tools needs a chat template", "this model has none, or --raw was given");
  tools_ = parse_ordered_json(read_text_file(a.tools_file, limits::kMaxJsonFileBytes), a.tools_file);
  if (!tools_.is_array()) fail(ErrorCode::kInvalidInput, "{}: must be a list of tools, as in the OpenAI API", a.tools_file);
}

AnswerPrinter::AnswerPrinter(bool show_thinking)
    : terminal_(::isatty(STDOUT_FILENO) == 1), show_thinking_(show_thinking || terminal_) {}

void AnswerPrinter::show(std::string_view text, bool thinking) {
  if (thinking && !show_thinking_) return;
  if (thinking != in_thinking_) {
    if (terminal_) fmt::print("{}", thinking ? "\033[2m" : "\033[0m");
    if (!thinking) fmt::print("\n\n");
    in_thinking_ = thinking;
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void AnswerPrinter::print(const std::vector<ChatOutputEvent>& events) {
  using Kind = ChatOutputEvent::Kind;
  for (const ChatOutputEvent& e : events) {
    message_.append(e);
    if (e.kind == Kind::kContent || e.kind == Kind::kReasoning) show(e.text, e.kind == Kind::kReasoning);
    if (e.kind == Kind::kCallEnd) {
      const ToolCall& call = message_.calls.back();
      show(fmt::format("{{\"name\": {}, \"arguments\": {}}}\n", Json(call.name).dump(), call.arguments), false);
    }
  }
  std::fflush(stdout);
}

void AnswerPrinter::finish() {
  if (in_thinking_ && terminal_) fmt::print("\033[0m");
  fmt::print("\n");
  std::fflush(stdout);
}

Prompter::Settings Prompter::settings() const {
  return {arguments_.sampling.resolve(), arguments_.max_tokens, arguments_.stop, arguments_.constraint.resolve()};
}

std::unique_ptr<ChatAnswer> Prompter::start_chat(const OrderedJson& messages, const Settings& s) {
  ChatRequest request;
  request.messages = messages;
  request.tools = tools_;
  request.sampling = s.sampling;
  request.max_tokens = s.max_tokens;
  request.stop = s.stop;
  request.constraint = s.constraint;
  return responder_->respond(std::move(request));
}

std::unique_ptr<ChatAnswer> Prompter::start(const std::string& prompt, const std::string& system, const Settings& s) {
  if (is_chat()) {
    OrderedJson messages = OrderedJson::array();
    if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
    messages.push_back({{"role", "user"}, {"content", prompt}});
    return start_chat(messages, s);
  }
  GenerateRequest request;
  request.prompt = engine_.tokenizer().encode(prompt);
  if (request.prompt.empty()) fail(ErrorCode::kInvalidInput, "the prompt is empty; give a text to continue");
  request.sampling = s.sampling;
  request.max_tokens = s.max_tokens;
  request.stop = s.stop;
  if (s.constraint.kind != ConstraintSpec::Kind::kNone) request.constraint = constraints_.compile(s.constraint);
  request.ignore_end = arguments_.ignore_eos;
  request.show_special = arguments_.show_special;
  return std::make_unique<ChatAnswer>(engine_.submit(std::move(request)), std::nullopt);
}

std::string describe(const GenerationStats& s, FinishReason reason) {
  const auto rate = [](int64_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0; };
  const std::string reused = s.reused_tokens > 0 ? fmt::format(" ({} of them remembered)", s.reused_tokens) : "";
  return fmt::format("[{} prompt tokens{}, {:.1f} tokens/s; {} generated, {:.1f} tokens/s; {}]", s.prompt_tokens, reused,
                     rate(s.prompt_tokens - s.reused_tokens, s.prompt_seconds), s.generated_tokens,
                     rate(s.generated_tokens - 1, s.generation_seconds), name(reason));
}

void add_run(CLI::App& app) {
  auto a = std::make_shared<RunArguments>();
  CLI::App* c = app.add_subcommand("run", "let a model answer: once, for a file of prompts, or in a conversation");
  a->model.model = kDefaultModel;
  a->model.declare(*c);
  a->model.declare_adapter(*c);
  c->add_option("PROMPT", a->prompt, "what to answer; without it standard input is read, or a conversation begins on a terminal");
  c->add_option("-f,--file", a->prompt_file, "read the prompt from a file");
  c->add_option("-n,--max-tokens", a->max_tokens, "at most this many tokens; -1: until the end")->capture_default_str()->check(CLI::Range(int64_t{-1}, int64_t{1} << 27));
  c->add_option("--system", a->system, "system message");
  c->add_option("--stop", a->stop, "stop before this text appears; may be given again");
  c->add_option("--template", a->template_file, "chat template (Jinja) to use instead of the model's");
  c->add_option("--tools", a->tools_file, "JSON file with a list of tools that the model may call; its calls are printed, one line each");
  c->add_flag("--show-thinking", a->show_thinking, "print the model's thinking also when the output is not a terminal");
  c->add_flag("--raw", a->raw, "no chat template: print the prompt and its continuation");
  c->add_flag("--ignore-eos", a->ignore_eos, "with --raw, go on after the model ends its text");
  c->add_flag("--show-special", a->show_special, "with --raw, print control tokens");
  c->add_option("--batch", a->batch, "JSON lines with \"prompt\" each, answered many at once");
  c->add_option("-o,--output", a->output, "with --batch: file for the lines with \"text\" added, in the same order");
  c->add_option("--parallel", a->model.n_sequences, "with --batch: answered at the same time (default 16)")->check(CLI::Range(1, 1024));
  c->add_flag("-v,--verbose", a->verbose, "print token counts and rates");
  declare_json(*c, a->json);
  a->constraint.declare(*c);
  a->sampling.declare(*c);
  c->footer(
      "Examples:\n"
      "  minnow run model.gguf 'Why is the sky blue?'\n"
      "  minnow run model.gguf                                 a conversation; /help lists its commands\n"
      "  minnow run model.gguf 'Once upon a time' --raw -n 100 --temp 0\n"
      "  cat notes.txt | minnow run model.gguf --system 'Summarize.'\n"
      "  minnow run model.gguf 'Weather in Oslo?' --tools tools.json\n"
      "  minnow run model.gguf 'Name a colour, in JSON.' --format '{\"type\": \"object\", \"properties\": {\"colour\": {\"type\": \"string\"}},\n"
      "      \"required\": [\"colour\"], \"additionalProperties\": false}'\n"
      "  minnow run model.gguf 'Is water wet?' --choice yes --choice no\n"
      "  minnow run model.gguf --batch in.jsonl -o out.jsonl");
  c->callback([a] { run(*a); });
}

}  // namespace minnow
