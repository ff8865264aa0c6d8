// Arguments that several commands share, declared the same way everywhere.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace minnow {

struct ModelArguments {
  std::string model;  // set before it is declared: the default
  std::string tokenizer;
  std::string adapter;
  int64_t n_ctx = 0;
  int n_threads = 0;
  std::string kv = "auto";  // commands that measure what a model says set "f16" before they declare it
  int n_sequences = 1;
  int64_t n_batch = 512;
  bool no_cache = false;

  void declare(CLI::App& command);          // MODEL, --tokenizer, -c/--ctx, -t/--threads, --kv, -b/--batch-size, --no-cache
  void declare_adapter(CLI::App& command);  // --adapter
  KvType kv_type() const;
  EngineOptions engine_options() const;
  std::shared_ptr<const Model> load() const;
  // Loads the model with a progress bar; `seconds` (may be null) receives the time until it is ready to run.
  std::unique_ptr<Engine> start(EngineOptions options, double* seconds = nullptr) const;
  std::unique_ptr<Engine> start() const { return start(engine_options()); }
};

struct SamplingArguments {
  SamplingParams params;
  std::vector<std::string> logit_bias;  // "ID=VALUE"
  int64_t seed = -1;                    // -1: a new one each time

  void declare(CLI::App& command);
  // The parameters, checked as far as possible without a model; seed chosen when none was given.
  SamplingParams resolve() const;
};

// With its warnings on stderr.
Adapter load_adapter_aloud(const std::string& path, const Model& base);

// --json on commands that print data.
void declare_json(CLI::App& command, bool& json);

// Throws kUsage when both are the same file: an output must not replace its own input.
void check_not_same(const std::string& from, const std::string& to);

// The whole of standard input.
std::string read_stdin();

}  // namespace minnow
