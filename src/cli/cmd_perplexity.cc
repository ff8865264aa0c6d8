#include <fmt/core.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/options.h"
#include "eval/perplexity.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

struct Arguments {
  ModelArguments model;
  std::string file;
  PerplexityOptions options;
  bool json = false;
};

void run(Arguments a) {
  const std::string text = read_text_file(a.file, limits::kMaxTextFileBytes);
  a.options.n_ctx = a.model.n_ctx > 0 ? a.model.n_ctx : 512;
  EngineOptions engine_options = a.model.engine_options();
  engine_options.n_ctx = a.options.n_ctx;
  engine_options.reuse_prefixes = false;
  const auto engine = a.model.start(std::move(engine_options));
  const std::vector<TokenId> tokens = engine->tokenizer().encode(text);
  std::unique_ptr<Progress> progress;
  a.options.progress = [&](int64_t, int64_t total) {
    if (!progress) progress = std::make_unique<Progress>("perplexity", static_cast<uint64_t>(total), ProgressUnit::kItems);
    progress->advance(1);
  };
  const PerplexityResult r = perplexity(*engine, tokens, a.options);
  progress.reset();
  if (a.json) {
    fmt::print("{}\n", Json{{"perplexity", r.perplexity}, {"standard_error", r.standard_error}, {"mean_nll", r.mean_nll},
                            {"tokens_scored", r.n_scored}, {"chunks", r.n_chunks}, {"tokens", r.n_tokens},
                            {"n_ctx", a.options.n_ctx}, {"stride", a.options.stride}, {"kv", a.model.kv},
                            {"convention", a.options.stride > 0 ? "strided" : "gguf"}}.dump());
  } else {
    fmt::print("perplexity {:.4f} ± {:.5f}  ({} tokens scored in {} windows of {}, {} convention)\n", r.perplexity,
               r.standard_error, r.n_scored, r.n_chunks, a.options.n_ctx, a.options.stride > 0 ? "strided" : "GGUF tools'");
  }
}

}  // namespace

void add_perplexity(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("perplexity", "how well a model predicts a text");
  a->model.kv = "f16";  // f32 arithmetic
  a->model.declare(*c);
  a->model.declare_adapter(*c);
  c->add_option("-f,--file", a->file, "the text, UTF-8")->required();
  c->add_option("--stride", a->options.stride, "windows begin this many tokens apart and score only what is new; 0: disjoint windows, second half scored");
  c->add_option("--chunks", a->options.max_chunks, "at most this many windows")->check(CLI::NonNegativeNumber);
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow perplexity model.gguf -f wiki.test.raw --ctx 512\n  minnow perplexity model.gguf -f text.txt --ctx 256 --chunks 32 --json");
  c->callback([a] { run(*a); });
}

}  // namespace minnow
