#include "cli/cmd_run.h"

#include <unistd.h>

#include <fmt/core.h>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "cli/command.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

constexpr int kBatchSequences = 16;

std::string template_text(const RunArguments& a) {
  return a.template_file.empty() ? std::string() : read_text_file(a.template_file, limits::kMaxTemplateBytes);
}

void print_now(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void report_end(const RunArguments& a, const Engine& engine, const Event& end) {
  if (end.reason == FinishReason::kContextFull) {
    fmt::print(stderr, "stopped: the context of {} tokens is full; a larger one: --ctx N\n", engine.n_ctx());
  }
  if (a.verbose) fmt::print(stderr, "{}\n", describe(end));
}

void run_once(Engine& engine, const RunArguments& a, const std::string& prompt) {
  Prompter prompter(engine, a);
  auto answer = prompter.start(prompt, a.system, prompter.settings());
  if (a.json) {
    const Event end = answer->wait();
    fmt::print("{}\n", Json{{"text", end.text}, {"finish_reason", std::string(name(end.reason))},
                            {"prompt_tokens", end.stats.prompt_tokens}, {"generated_tokens", end.stats.generated_tokens},
                            {"tokens", end.tokens}, {"prompt_seconds", end.stats.prompt_seconds},
                            {"generation_seconds", end.stats.generation_seconds}}.dump());
    return;
  }
  if (!prompter.is_chat()) print_now(prompt);
  Event event;
  do {
    event = answer->next();
    print_now(event.text);
  } while (!event.done);
  print_now("\n");
  if (event.reason == FinishReason::kError) throw Error(ErrorCode::kInternal, event.error);
  report_end(a, engine, event);
}

void run(RunArguments a) {
  if (!a.batch.empty() != !a.output.empty()) fail(ErrorCode::kUsage, "--batch IN and --output OUT go together");
  const bool batch = !a.batch.empty();
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

Prompter::Prompter(Engine& engine, const RunArguments& a) : engine_(engine), arguments_(a) {
  const std::string text = template_text(a);
  const bool has_template = !text.empty() || !engine.tokenizer().spec().chat_template.empty();
  if (!a.raw && has_template) responder_.emplace(engine, text);
}

Prompter::Settings Prompter::settings() const {
  return {arguments_.sampling.resolve(), arguments_.max_tokens, arguments_.stop};
}

std::unique_ptr<Generation> Prompter::start_chat(const OrderedJson& messages, const Settings& s) {
  ChatRequest request;
  request.messages = messages;
  request.sampling = s.sampling;
  request.max_tokens = s.max_tokens;
  request.stop = s.stop;
  return responder_->respond(std::move(request));
}

std::unique_ptr<Generation> Prompter::start(const std::string& prompt, const std::string& system, const Settings& s) {
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
  request.ignore_end = arguments_.ignore_eos;
  request.show_special = arguments_.show_special;
  return engine_.submit(std::move(request));
}

std::string describe(const Event& end) {
  const GenerationStats& s = end.stats;
  const auto rate = [](int64_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0; };
  const std::string reused = s.reused_tokens > 0 ? fmt::format(" ({} of them remembered)", s.reused_tokens) : "";
  return fmt::format("[{} prompt tokens{}, {:.1f} tokens/s; {} generated, {:.1f} tokens/s; {}]", s.prompt_tokens, reused,
                     rate(s.prompt_tokens - s.reused_tokens, s.prompt_seconds), s.generated_tokens,
                     rate(s.generated_tokens - 1, s.generation_seconds), name(end.reason));
}

void add_run(CLI::App& app) {
  auto a = std::make_shared<RunArguments>();
  CLI::App* c = app.add_subcommand("run", "let a model answer: once, for a file of prompts, or in a conversation");
  a->model.declare(*c);
  c->add_option("PROMPT", a->prompt, "what to answer; without it standard input is read, or a conversation begins on a terminal");
  c->add_option("-f,--file", a->prompt_file, "read the prompt from a file");
  c->add_option("-n,--max-tokens", a->max_tokens, "at most this many tokens; -1: until the end")->capture_default_str()->check(CLI::Range(int64_t{-1}, int64_t{1} << 27));
  c->add_option("--system", a->system, "system message");
  c->add_option("--stop", a->stop, "stop before this text appears; may be given again");
  c->add_option("--template", a->template_file, "chat template (Jinja) to use instead of the model's");
  c->add_flag("--raw", a->raw, "no chat template: print the prompt and its continuation");
  c->add_flag("--ignore-eos", a->ignore_eos, "with --raw, go on after the model ends its text");
  c->add_flag("--show-special", a->show_special, "with --raw, print control tokens");
  c->add_option("--batch", a->batch, "JSON lines with \"prompt\" each, answered many at once");
  c->add_option("-o,--output", a->output, "with --batch: file for the lines with \"text\" added, in the same order");
  c->add_option("--parallel", a->model.n_sequences, "with --batch: answered at the same time (default 16)")->check(CLI::Range(1, 1024));
  c->add_flag("-v,--verbose", a->verbose, "print token counts and rates");
  declare_json(*c, a->json);
  a->sampling.declare(*c);
  c->footer(
      "Examples:\n"
      "  minnow run model.gguf 'Why is the sky blue?'\n"
      "  minnow run model.gguf                                 a conversation; /help lists its commands\n"
      "  minnow run model.gguf 'Once upon a time' --raw -n 100 --temp 0\n"
      "  cat notes.txt | minnow run model.gguf --system 'Summarize.'\n"
      "  minnow run model.gguf --batch in.jsonl -o out.jsonl");
  c->callback([a] { run(*a); });
}

}  // namespace minnow
