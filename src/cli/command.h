// One file per command: it declares its arguments on the CLI11 app and runs when they were given.
#pragma once

#include <CLI/CLI.hpp>

namespace minnow {

void add_run(CLI::App& app);
void add_serve(CLI::App& app);
void add_ps(CLI::App& app);
void add_stop(CLI::App& app);
void add_key(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_tokenizer(CLI::App& app);
void add_logits(CLI::App& app);
void add_embed(CLI::App& app);
void add_rerank(CLI::App& app);
void add_perplexity(CLI::App& app);
void add_bench(CLI::App& app);
void add_show(CLI::App& app);
void add_convert(CLI::App& app);
void add_quantize(CLI::App& app);
void add_pretrain(CLI::App& app);
void add_tune(CLI::App& app);
void add_merge(CLI::App& app);
void add_distill(CLI::App& app);
void add_synth(CLI::App& app);
void add_doctor(CLI::App& app);

}  // namespace minnow
