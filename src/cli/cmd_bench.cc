#include <fmt/core.h>

#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/options.h"
#include "eval/bench.h"

namespace minnow {
namespace {

struct Arguments {
  ModelArguments model;
  BenchOptions options;
  bool json = false;
};

Json spread(const Rate& r) { return {{"min", r.min}, {"max", r.max}, {"runs", r.all}}; }

void print_json(const Arguments& a, const Engine& e, const BenchResult& r, double load_seconds) {
  const Json j = {{"model", a.model.model}, {"dtype", std::string(name(e.model().main_dtype()))},
                  {"threads", e.n_threads()}, {"isa", std::string(name(e.isa()))}, {"kv", a.model.kv},
                  {"prompt_tokens", a.options.n_prompt}, {"generation_tokens", a.options.n_generate},
                  {"prompt_tokens_per_second", r.prompt.median}, {"generation_tokens_per_second", r.generation.median},
                  {"prompt_spread", spread(r.prompt)}, {"generation_spread", spread(r.generation)},
                  {"load_seconds", load_seconds}, {"peak_rss_bytes", r.peak_rss},
                  {"bandwidth_share", r.bandwidth_share}, {"multiply_share", r.multiply_share},
                  {"read_bytes_per_second", r.limits.read_bytes_per_second},
                  {"int8_ops_per_second", r.limits.int8_ops_per_second},
                  {"bf16_ops_per_second", r.limits.bf16_ops_per_second}, {"f32_ops_per_second", r.limits.f32_ops_per_second}};
  fmt::print("{}\n", j.dump());
}

void print_table(const Arguments& a, const Engine& e, const BenchResult& r, double load_seconds) {
  fmt::print("{}: {}, {} on {}, {} threads, KV {}\n", a.model.model, name(e.model().main_dtype()),
             format_count(static_cast<uint64_t>(e.model().n_parameters())), name(e.isa()), e.n_threads(), a.model.kv);
  fmt::print("loaded in {}, peak memory {}\n\n", format_duration(load_seconds), format_bytes(r.peak_rss));
  Table table({{"test"}, {"tokens/s", Table::Align::kRight}, {"min", Table::Align::kRight}, {"max", Table::Align::kRight}, {"of the limit"}});
  const auto add = [&](std::string test, const Rate& rate, std::string limit) {
    if (rate.all.empty()) return;
    table.add_row({std::move(test), fmt::format("{:.1f}", rate.median), fmt::format("{:.1f}", rate.min), fmt::format("{:.1f}", rate.max), std::move(limit)});
  };
  add(fmt::format("prompt {}", a.options.n_prompt), r.prompt, fmt::format("{:.0f} % of the multiply rate", 100 * r.multiply_share));
  add(fmt::format("generate {}", a.options.n_generate), r.generation,
      fmt::format("{:.0f} % of {:.1f} GB/s", 100 * r.bandwidth_share, r.limits.read_bytes_per_second / 1e9));
  fmt::print("{}", table.text());
}

void run(const Arguments& a) {
  EngineOptions options = a.model.engine_options();
  options.reuse_prefixes = false;
  if (options.n_ctx == 0) options.n_ctx = std::max(a.options.n_prompt, a.options.n_generate) + 2;
  double load_seconds = 0;
  const auto engine = a.model.start(std::move(options), &load_seconds);
  const BenchResult r = bench(*engine, a.options);
  if (a.json) {
    print_json(a, *engine, r, load_seconds);
  } else {
    print_table(a, *engine, r, load_seconds);
  }
}

}  // namespace

void add_bench(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("bench", "measure how fast a model runs here");
  a->model.declare(*c);
  c->add_option("-p,--prompt", a->options.n_prompt, "prompt tokens; 0: skip")->capture_default_str()->check(CLI::Range(0, 1 << 20));
  c->add_option("-n,--generate", a->options.n_generate, "generated tokens; 0: skip")->capture_default_str()->check(CLI::Range(0, 1 << 20));
  c->add_option("-r,--repetitions", a->options.repetitions, "runs, after one warm-up")->capture_default_str()->check(CLI::Range(1, 1000));
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow bench model.gguf\n  minnow bench model.gguf -p 512 -n 128 -t 2 --json");
  c->callback([a] { run(*a); });
}

}  // namespace minnow
