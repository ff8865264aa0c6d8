#include "eval/bench_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/table.h"
#include "base/units.h"
#include "eval/spread.h"

namespace minnow {
namespace {

// Two runs of a pair are comparable when memory was as fast beside both, give or take.
constexpr double kSameBandwidth = 0.15;

std::string rate(double value, const BenchTest& t) {
  if (value <= 0) return {};
  return t.start ? fmt::format("{:.2f} s", value) : fmt::format("{:.1f}", value);
}

std::string range(const Spread& s, int digits) { return fmt::format("{:.{}f}–{:.{}f}", s.min, digits, s.max, digits); }

std::string model_of(const BenchRecord& r) {
  const auto slash = r.model.rfind('/');
  return slash == std::string::npos || slash + 1 == r.model.size() ? r.model : r.model.substr(slash + 1);
}

std::string machine_of(const BenchRecord& r) {
  return fmt::format("{}, {} cores, {}, {}", r.cpu.empty() ? "unknown CPU" : r.cpu, r.cores, format_bytes(r.memory), r.isa);
}

std::string limit_of(const BenchRecord& r) {
  if (r.limit_share <= 0) return {};
  if (!r.memory_bound) return fmt::format("{:.0f} % of multiply rate", 100 * r.limit_share);
  return fmt::format("{:.0f} % of {:.1f} GB/s", 100 * r.limit_share, r.limits.read_bytes_per_second / 1e9);
}

const Contender* peer_called(const BenchRecord& r, const std::string& name) {
  for (const Contender& p : r.peers) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

std::string ratio_of(const BenchRecord& r, bool spread) {
  const std::vector<double> all = ratios(r);
  if (all.empty()) return {};
  const Spread s = spread_of(all);
  return spread ? range(s, 2) : fmt::format("{:.2f}", s.median);
}

// Of the same test with one sequence, how many times as fast this is.
std::string speed_up(const BenchRecord& r, const std::vector<BenchRecord>& all) {
  BenchTest alone = r.test;
  alone.n_sequences = 1;
  for (const BenchRecord& o : all) {
    if (r.test.n_sequences == 1 || o.test != alone || o.model != r.model || o.threads != r.threads || o.kv != r.kv) continue;
    const double base = spread_of(o.ours.runs).median;
    if (base > 0) return fmt::format("{:.2f}", spread_of(r.ours.runs).median / base);
  }
  return {};
}

struct Column {
  std::string header;
  Table::Align align;
  std::function<std::string(const BenchRecord&)> cell;
};

std::vector<Column> columns_of(const std::vector<BenchRecord>& records) {
  using enum Table::Align;
  const auto differ = [&](auto value) {
    return std::any_of(records.begin(), records.end(), [&](const BenchRecord& r) { return value(r) != value(records.front()); });
  };
  std::vector<Column> columns;
  if (differ(machine_of)) columns.push_back({"machine", kLeft, machine_of});
  if (differ([](const BenchRecord& r) { return r.note; })) columns.push_back({"note", kLeft, [](const BenchRecord& r) { return r.note; }});
  if (differ([](const BenchRecord& r) { return r.model; })) columns.push_back({"model", kLeft, model_of});
  columns.push_back({"test", kLeft, [](const BenchRecord& r) { return r.test.name(); }});
  columns.push_back({"threads", kRight, [](const BenchRecord& r) { return std::to_string(r.threads); }});
  columns.push_back({"tokens/s", kRight, [](const BenchRecord& r) { return rate(spread_of(r.ours.runs).median, r.test); }});
  columns.push_back({"min–max", kRight, [](const BenchRecord& r) { return range(spread_of(r.ours.runs), r.test.start ? 2 : 1); }});
  columns.push_back({"to one", kRight, [&](const BenchRecord& r) { return speed_up(r, records); }});
  columns.push_back({"of the limit", kLeft, limit_of});
  std::vector<std::string> names;
  for (const BenchRecord& r : records) {
    for (const Contender& p : r.peers) {
      if (std::find(names.begin(), names.end(), p.name) == names.end()) names.push_back(p.name);
    }
  }
  for (const std::string& name : names) {
    columns.push_back({name, kRight, [name](const BenchRecord& r) {
                         const Contender* p = peer_called(r, name);
                         return p == nullptr ? "" : p->runs.empty() ? "failed" : rate(spread_of(p->runs).median, r.test);
                       }});
  }
  columns.push_back({"ratio", kRight, [](const BenchRecord& r) { return ratio_of(r, false); }});
  columns.push_back({"its min–max", kRight, [](const BenchRecord& r) { return ratio_of(r, true); }});
  columns.push_back({"load", kRight, [](const BenchRecord& r) { return r.load_seconds > 0 ? format_duration(r.load_seconds) : ""; }});
  columns.push_back({"memory", kRight, [](const BenchRecord& r) { return r.ours.peak_rss > 0 ? format_bytes(r.ours.peak_rss) : ""; }});
  for (const std::string& name : names) {
    columns.push_back({name + " memory", kRight, [name](const BenchRecord& r) {
                         const Contender* p = peer_called(r, name);
                         return p == nullptr || p->peak_rss == 0 ? "" : format_bytes(p->peak_rss);
                       }});
  }
  std::erase_if(columns, [&](const Column& c) {
    return std::all_of(records.begin(), records.end(), [&](const BenchRecord& r) { return c.cell(r).empty(); });
  });
  return columns;
}

std::string rendered(const std::vector<Column>& columns, const std::vector<BenchRecord>& records, TableStyle style) {
  if (style == TableStyle::kText) {
    std::vector<Table::Column> heads;
    for (const Column& c : columns) heads.push_back({c.header, c.align});
    Table table(std::move(heads));
    for (const BenchRecord& r : records) {
      std::vector<std::string> cells;
      for (const Column& c : columns) cells.push_back(c.cell(r));
      table.add_row(std::move(cells));
    }
    return table.text();
  }
  std::string text = "|", rule = "|";
  const auto cell = [](std::string value) {
    std::replace(value.begin(), value.end(), '|', '/');
    return " " + printable(value) + " |";
  };
  for (const Column& c : columns) {
    text += cell(c.header);
    rule += c.align == Table::Align::kRight ? "---:|" : "---|";
  }
  text += "\n" + rule + "\n";
  for (const BenchRecord& r : records) {
    text += "|";
    for (const Column& c : columns) text += cell(c.cell(r));
    text += "\n";
  }
  return text;
}

std::string remarks(const BenchRecord& r) {
  std::string text;
  const auto where = [&] { return fmt::format("{}, {} threads: ", r.test.name(), r.threads); };
  for (const Contender& p : r.peers) {
    if (!p.error.empty()) text += where() + p.name + ": " + printable(p.error) + "\n";
  }
  const Contender* best = best_peer(r);
  if (best == nullptr) return text;
  std::size_t apart = 0;
  const std::size_t n = std::min(r.ours.reads.size(), best->reads.size());
  for (std::size_t i = 0; i < n; ++i) {
    const double a = r.ours.reads[i], b = best->reads[i];
    apart += std::max(a, b) > (1 + kSameBandwidth) * std::min(a, b);
  }
  if (apart > 0) text += where() + fmt::format("beside {} of {} pairs memory was of different speed; measure these again\n", apart, n);
  return text;
}

}  // namespace

std::string bench_table(const std::vector<BenchRecord>& records, TableStyle style) {
  if (records.empty()) return "no results\n";
  std::set<std::string> machines, models;
  for (const BenchRecord& r : records) {
    machines.insert(machine_of(r));
    models.insert(fmt::format("{}: {}, {} parameters, KV {}", model_of(r), r.dtype, format_count(static_cast<uint64_t>(r.n_parameters)), r.kv));
  }
  std::string text;
  for (const auto* lines : {&machines, &models}) {
    for (const std::string& line : *lines) text += printable(line) + (style == TableStyle::kMarkdown ? "  \n" : "\n");
  }
  text += "\n" + rendered(columns_of(records), records, style);
  std::string notes;
  for (const BenchRecord& r : records) notes += remarks(r);
  return notes.empty() ? text : text + "\n" + notes;
}

}  // namespace minnow
