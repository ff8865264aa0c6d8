// `bench --roofline`.
#include <fmt/core.h>

#include "base/table.h"
#include "base/thread_pool.h"
#include "cli/cmd_bench.h"
#include "eval/roofline.h"

namespace minnow {
namespace {

Json to_json(const RooflinePoint& p, int threads) {
  return {{"what", p.what}, {"dtype", p.dtype}, {"rows", p.n_rows}, {"k", p.k}, {"count", p.count}, {"columns", p.n_columns},
          {"threads", threads}, {"seconds", p.seconds}, {"operations", p.operations}, {"bytes", p.bytes},
          {"limit_share", p.limit_share}, {"bound", p.memory_bound ? "memory" : "multiply"}};
}

std::vector<std::string> row_of(const RooflinePoint& p) {
  return {p.what, p.dtype, fmt::format("{} × {}", p.n_rows, p.k), std::to_string(p.count), std::to_string(p.n_columns),
          fmt::format("{:.1f} µs", 1e6 * p.seconds), fmt::format("{:.0f}", p.operations / p.seconds / 1e9),
          fmt::format("{:.1f}", p.bytes / p.seconds / 1e9), fmt::format("{:.0f} %", 100 * p.limit_share),
          p.memory_bound ? "memory" : "multiply rate"};
}

}  // namespace

void bench_roofline(const BenchArguments& a, BenchStatus& status) {
  const auto model = a.model.load();
  RooflineOptions o;
  o.isa = chosen_isa();
  o.kv_type = a.model.engine_options().kv_type;
  if (const int64_t deepest = *std::max_element(a.plan.depths.begin(), a.plan.depths.end()); deepest > 0) o.depth = deepest;
  o.progress = [&](const std::string& what) { status.say("roofline: " + what); };
  Json all = Json::array();
  for (const int asked : a.threads.empty() ? std::vector<int>{0} : a.threads) {
    o.n_threads = asked > 0 ? asked : available_cores();
    const std::vector<RooflinePoint> points = roofline(build_graph(*model, o.depth), o);
    status.say("");
    using enum Table::Align;
    Table table({{"what"}, {"type"}, {"rows × k", kRight}, {"count", kRight}, {"columns", kRight}, {"time", kRight}, {"GOPS", kRight},
                 {"GB/s", kRight}, {"of the limit", kRight}, {"bound by"}});
    for (const RooflinePoint& p : points) {
      table.add_row(row_of(p));
      all.push_back(to_json(p, o.n_threads));
    }
    if (!a.json) fmt::print("{} threads, attention at depth {}\n\n{}", o.n_threads, o.depth, table.text());
  }
  if (a.json) fmt::print("{}\n", Json{{"model", a.model.model}, {"isa", std::string(name(o.isa))}, {"roofline", all}}.dump());
}

}  // namespace minnow
