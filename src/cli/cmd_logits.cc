#include <fmt/core.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/options.h"

namespace minnow {
namespace {

struct Arguments {
  ModelArguments model;
  std::string tokens, out;
};

std::vector<std::vector<TokenId>> read_prompts(const Json& json, const std::string& source) {
  const Json* prompts = json.is_object() && json.contains("prompts") ? &json["prompts"] : &json;
  if (!prompts->is_array() || prompts->empty()) {
    fail(ErrorCode::kInvalidInput, "{}: there must be a list \"prompts\" of lists of token ids", source);
  }
  std::vector<std::vector<TokenId>> all;
  for (const Json& prompt : *prompts) {
    std::vector<TokenId> ids;
    for (const Json& id : prompt) {
      if (!id.is_number_integer() || id < 0 || id > INT32_MAX) fail(ErrorCode::kInvalidInput, "{}: prompt {} holds something that is not a token id", source, all.size());
      ids.push_back(id.get<TokenId>());
    }
    if (!prompt.is_array() || ids.empty()) fail(ErrorCode::kInvalidInput, "{}: prompt {} is not a list of token ids", source, all.size());
    all.push_back(std::move(ids));
  }
  return all;
}

void logits(Arguments a) {
  const Json json = parse_json(read_text_file(a.tokens, limits::kMaxJsonFileBytes), a.tokens);
  const auto prompts = read_prompts(json, a.tokens);
  if (a.model.n_ctx == 0 && json.is_object()) {
    a.model.n_ctx = JsonFields{json, a.tokens}.integer("n_ctx", 0, 1, static_cast<int64_t>(limits::kMaxContext));
  }
  EngineOptions options = a.model.engine_options();
  options.reuse_prefixes = false;
  const auto engine = a.model.start(std::move(options));
  AtomicFile file(a.out);
  Progress progress("logits", prompts.size(), ProgressUnit::kItems);
  std::size_t rows = 0;
  for (const auto& prompt : prompts) {
    GenerateRequest request{.prompt = prompt, .max_tokens = 0};
    request.on_prompt_logits = [&](int64_t, std::span<const float> row) { file.write(std::as_bytes(row)); };
    engine->submit(std::move(request))->wait();
    rows += prompt.size();
    progress.advance(1);
  }
  file.commit();
  fmt::print("{}: {} rows of {} f32\n", a.out, rows, engine->model().config.n_vocab);
}

}  // namespace

void add_logits(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("logits", "write the logits at every position of given token sequences");
  a->model.kv = "f16";  // f32 arithmetic
  a->model.declare(*c);
  a->model.declare_adapter(*c);
  c->add_option("--tokens", a->tokens, "JSON file: {\"n_ctx\": …, \"prompts\": [[ids], …]}")->required();
  c->add_option("-o,--output", a->out, "file for the rows: little-endian f32, one row per position, prompts one after another")->required();
  c->footer("Example:\n  minnow logits model.gguf --tokens tokens.json -o logits.bin --kv f32");
  c->callback([a] { logits(*a); });
}

}  // namespace minnow
