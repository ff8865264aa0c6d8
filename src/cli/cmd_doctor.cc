#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/json.h"
#include "base/page_memory.h"
#include "base/thread_pool.h"
#include "base/topology.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cpu/machine.h"
#include "cpu/packed_cache.h"

namespace minnow {
namespace {

struct Arguments {
  int n_threads = 0;
  bool json = false;
};

void doctor(const Arguments& a) {
  const int threads = a.n_threads > 0 ? a.n_threads : available_cores();
  const Isa isa = chosen_isa();
  ThreadPool pool(threads);
  const MachineLimits limits = measure_limits(pool, isa, 1.5);
  std::vector<std::string> isas;
  for (const Isa i : available_isas()) isas.emplace_back(name(i));
  const PackedCache cache({.folder = default_packed_cache_folder()});
  const PackedCache::Usage kept = cache.usage();
  const std::string folder = cache.settings().folder.string();
  if (a.json) {
    fmt::print("{}\n", Json{{"version", MINNOW_VERSION}, {"cores", available_cores()}, {"topology", describe(this_machine())}, {"threads", threads},
                            {"cpu_features", cpu_features()}, {"kernels_available", isas}, {"kernels", std::string(name(isa))},
                            {"available_memory_bytes", available_memory()},
                            {"packed_cache", {{"folder", folder}, {"files", kept.files}, {"bytes", kept.bytes}, {"limit_bytes", cache.limit()}}},
                            {"read_bytes_per_second", limits.read_bytes_per_second},
                            {"int8_ops_per_second", limits.int8_ops_per_second},
                            {"bf16_ops_per_second", limits.bf16_ops_per_second},
                            {"f32_ops_per_second", limits.f32_ops_per_second}}.dump());
    return;
  }
  fmt::print("minnow {}\n\n", MINNOW_VERSION);
  fmt::print("threads        {} by default\n", available_cores());
  fmt::print("topology       {}{}\n", describe(this_machine()),
             team_bindings(this_machine(), threads).empty() ? "" : "; each thread keeps to the fast cores of its cluster");
  fmt::print("memory free    {}\n", format_bytes(available_memory()));
  fmt::print("CPU features   {}\n", fmt::join(cpu_features(), " "));
  fmt::print("kernels        {} of {} (MINNOW_ISA forces a lower level)\n", name(isa), fmt::join(isas, ", "));
  if (folder.empty()) {
    fmt::print("packed weights not kept\n\n");
  } else {
    fmt::print("packed weights {}: {} of at most {}, {} {} (MINNOW_CACHE names another folder)\n\n", folder, format_bytes(kept.bytes),
               format_bytes(cache.limit()), kept.files, kept.files == 1 ? "model" : "models");
  }
  fmt::print("measured with {} threads:\n", threads);
  fmt::print("memory read    {:.1f} GB/s   a model of 1 GB can make at most {:.0f} tokens/s\n", limits.read_bytes_per_second / 1e9,
             limits.read_bytes_per_second / 1e9);
  fmt::print("8-bit products {:.0f} GOPS   quantized prompts\n", limits.int8_ops_per_second / 1e9);
  const bool has_bf16 = limits.bf16_ops_per_second > 0;
  if (has_bf16) fmt::print("bf16 products  {:.0f} GFLOPS F16 and BF16 prompts\n", limits.bf16_ops_per_second / 1e9);
  fmt::print("f32 products   {:.0f} GFLOPS  {}F32 prompts\n", limits.f32_ops_per_second / 1e9, has_bf16 ? "" : "F16, BF16 and ");
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("doctor", "what this machine can do and what minnow will use");
  c->add_option("-t,--threads", a->n_threads, "threads (default: one per fast core, see topology)")->check(CLI::Range(1, 1024));
  declare_json(*c, a->json);
  c->footer("Example:\n  minnow doctor --json");
  c->callback([a] { doctor(*a); });
}

}  // namespace minnow
