#include "cli/options.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <random>

#include "base/error.h"
#include "base/progress.h"

namespace minnow {

void ModelArguments::declare(CLI::App& c) {
  CLI::Option* named = c.add_option("MODEL", model, "a .gguf file, a folder with safetensors, a llama2.c .bin file, or a shipped model's name");
  if (model.empty()) named->required();
  c.add_option("--tokenizer", tokenizer, "tokenizer file or folder, when it does not come with the model");
  c.add_option("-c,--ctx", n_ctx, "context in tokens (default: the model's, at most 8192)")->check(CLI::Range(1, 1 << 27));
  c.add_option("-t,--threads", n_threads, "threads (default: one per fast core, see doctor)")->check(CLI::Range(1, 1024));
  c.add_option("--kv", kv, "type of the KV cache: f32, f16, bf16, q8_0, or auto: bf16 where the CPU multiplies it, else f16. "
                 "With f32 and f16, caches and 16-bit weights are multiplied in f32")->capture_default_str();
  c.add_option("-b,--batch-size", n_batch, "tokens processed in one step")->capture_default_str()->check(CLI::Range(1, 16384));
  c.add_flag("--no-cache", no_cache, "neither use nor keep packed weights (kept in $MINNOW_CACHE, or in ~/.cache/minnow/packed)");
}

void ModelArguments::declare_adapter(CLI::App& c) {
  c.add_option("--adapter", adapter, "a LoRA adapter to use with the model: a folder as PEFT writes it, or a GGUF adapter");
}

KvType ModelArguments::kv_type() const {
  if (kv == "auto") return best_kv_type();
  const auto type = kv_type_from_name(kv);
  if (!type) fail(ErrorCode::kUsage, "--kv {}: unknown type; choose auto, f32, f16, bf16 or q8_0", kv);
  return *type;
}

EngineOptions ModelArguments::engine_options() const {
  EngineOptions options{.n_ctx = n_ctx, .n_sequences = n_sequences, .n_batch = n_batch, .kv_type = kv_type(), .n_threads = n_threads};
  if (!no_cache) options.packed_cache.folder = default_packed_cache_folder();
  return options;
}

std::shared_ptr<const Model> ModelArguments::load() const {
  return std::make_shared<const Model>(load_model(model, {.tokenizer = tokenizer}));
}

std::unique_ptr<Engine> ModelArguments::start(EngineOptions options, double* seconds) const {
  const auto begin = std::chrono::steady_clock::now();
  const auto loaded = load();
  if (!adapter.empty()) options.adapter = std::make_shared<const Adapter>(load_adapter_aloud(adapter, *loaded));
  Progress progress("loading", loaded->file_bytes, ProgressUnit::kBytes);
  options.load_progress = [&](uint64_t done) { progress.advance(done - std::min(done, progress.done())); };
  auto engine = std::make_unique<Engine>(loaded, std::move(options));
  if (seconds != nullptr) *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return engine;
}

void SamplingArguments::declare(CLI::App& c) {
  const char* group = "Sampling";
  const auto add = [&](const char* flag, auto& value, const char* text) {
    c.add_option(flag, value, text)->capture_default_str()->group(group);
  };
  add("--temp,--temperature", params.temperature, "temperature; 0 always takes the likeliest token");
  add("--top-k", params.top_k, "keep the k likeliest tokens; 0: all");
  add("--top-p", params.top_p, "keep the likeliest tokens that make up this probability; 1: all");
  add("--min-p", params.min_p, "drop tokens less likely than this share of the likeliest; 0: none");
  add("--typical", params.typical_p, "locally typical sampling; 1: off");
  add("--repeat-penalty", params.repetition_penalty, "penalty for repeated tokens; 1: off");
  add("--presence-penalty", params.presence_penalty, "subtracted once from tokens seen; 0: off");
  add("--frequency-penalty", params.frequency_penalty, "subtracted per occurrence; 0: off");
  add("--repeat-last-n", params.penalty_last_n, "tokens that the penalties look at; -1: all, 0: off");
  add("--dry-multiplier", params.dry_multiplier, "strength of the DRY repetition penalty; 0: off");
  add("--dry-base", params.dry_base, "base of the DRY penalty");
  add("--dry-allowed-length", params.dry_allowed_length, "repeats up to this length cost nothing");
  add("--dry-last-n", params.dry_last_n, "tokens that DRY looks at; -1: all");
  c.add_option("--dry-breaker", params.dry_sequence_breakers, "text that ends a repetition; may be given again")->group(group);
  add("--xtc-probability", params.xtc_probability, "chance of leaving out the top choices; 0: off");
  add("--xtc-threshold", params.xtc_threshold, "how likely a top choice is");
  add("--mirostat", params.mirostat, "0: off, 1 or 2: Mirostat of that version");
  add("--mirostat-tau", params.mirostat_tau, "Mirostat's target surprise");
  add("--mirostat-eta", params.mirostat_eta, "Mirostat's learning rate");
  c.add_option("--logit-bias", logit_bias, "ID=VALUE added to a token's logit (VALUE may be -inf); may be given again")->group(group);
  c.add_option("-s,--seed", seed, "random seed; -1: a new one each time")->capture_default_str()->group(group);
}

SamplingParams SamplingArguments::resolve() const {
  SamplingParams p = params;
  for (const std::string& text : logit_bias) {
    const auto equals = text.find('=');
    TokenId id = kNoToken;
    const char* begin = text.data();
    const bool id_ok = equals != std::string::npos && std::from_chars(begin, begin + equals, id).ptr == begin + equals;
    const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
    char* end = nullptr;
    const float bias = std::strtof(value.c_str(), &end);
    if (!id_ok || value.empty() || *end != '\0' || std::isnan(bias)) fail(ErrorCode::kUsage, "--logit-bias {}: must be ID=VALUE", text);
    p.logit_bias.emplace_back(id, bias);
  }
  p.seed = seed >= 0 ? static_cast<uint64_t>(seed) : std::random_device{}();
  return p;
}

Adapter load_adapter_aloud(const std::string& path, const Model& base) {
  Adapter adapter = load_adapter(path, base);
  for (const std::string& line : adapter.warnings) fmt::print(stderr, "warning: {}\n", line);
  return adapter;
}

void declare_json(CLI::App& c, bool& json) { c.add_flag("--json", json, "print JSON"); }

void check_not_same(const std::string& from, const std::string& to) {
  std::error_code ignored;
  if (std::filesystem::equivalent(from, to, ignored)) fail(ErrorCode::kUsage, "{}: source and destination are the same", to);
}

std::string read_stdin() { return {std::istreambuf_iterator<char>(std::cin), {}}; }

}  // namespace minnow
