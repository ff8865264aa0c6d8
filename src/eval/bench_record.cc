#include "eval/bench_record.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>

#include "base/error.h"
#include "base/limits.h"
#include "base/file.h"
#include "base/page_memory.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "eval/spread.h"

namespace minnow {
namespace {

constexpr int64_t kMost = int64_t{1} << 53;
constexpr std::size_t kMaxRuns = 100'000;  // in a record that is read

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

// "tokens_per_second" or "seconds": the median, with all runs beside it.
void put_runs(Json& j, const Contender& c, bool start) {
  const Spread s = spread_of(c.runs);
  j[start ? "seconds" : "tokens_per_second"] = s.median;
  j["min"] = s.min;
  j["max"] = s.max;
  j["runs"] = c.runs;
  if (!c.reads.empty()) j["runs_read_bytes_per_second"] = c.reads;
  if (!c.command.empty()) j["command"] = c.command;
  if (!c.error.empty()) j["error"] = c.error;
  j["peak_rss_bytes"] = c.peak_rss;
}

std::vector<double> numbers(const JsonFields& f, const char* key) {
  std::vector<double> values;
  if (!f.has(key)) return values;
  const Json& list = f.object.at(key);
  const bool good = list.is_array() && list.size() <= kMaxRuns &&
                    std::all_of(list.begin(), list.end(), [](const Json& n) { return n.is_number() && std::isfinite(n.get<double>()); });
  if (!good) fail(ErrorCode::kInvalidInput, "{}: field \"{}\" must be a list of numbers", f.source, key);
  for (const Json& n : list) values.push_back(n.get<double>());
  return values;
}

Contender contender_from(const JsonFields& f) {
  Contender c;
  c.name = f.text("name", "minnow");
  c.command = f.text("command", "");
  c.runs = numbers(f, "runs");
  c.reads = numbers(f, "runs_read_bytes_per_second");
  c.peak_rss = static_cast<uint64_t>(f.integer("peak_rss_bytes", 0, 0, kMost));
  c.error = f.text("error", "");
  return c;
}

const Json& object_at(const JsonFields& f, const char* key) {
  if (!f.has(key) || !f.object.at(key).is_object()) fail(ErrorCode::kInvalidInput, "{}: field \"{}\" must be an object", f.source, key);
  return f.object.at(key);
}

BenchTest test_from(const JsonFields& f) {
  return {f.integer("prompt", 0, 0, kMost), f.integer("generate", 0, 0, kMost), f.integer("depth", 0, 0, kMost),
          f.integer("sequences", 1, 1, kMost), f.boolean("start", false)};
}

}  // namespace

BenchRecord record_of_here() {
  BenchRecord r;
  r.time = utc_now();
  r.version = MINNOW_VERSION;
  r.cpu = cpu_model();
  r.isa = name(chosen_isa());
  r.cores = available_cores();
  r.memory = total_memory();
  r.ours.name = "minnow";
  return r;
}

const Contender* best_peer(const BenchRecord& r) {
  const Contender* best = nullptr;
  double best_median = 0;
  for (const Contender& p : r.peers) {
    if (p.runs.empty()) continue;
    const double median = spread_of(p.runs).median;
    if (best != nullptr && (r.test.start ? median >= best_median : median <= best_median)) continue;
    best = &p;
    best_median = median;
  }
  return best;
}

std::vector<double> ratios(const BenchRecord& r) {
  const Contender* best = best_peer(r);
  if (best == nullptr) return {};
  return r.test.start ? pairwise_ratios(best->runs, r.ours.runs) : pairwise_ratios(r.ours.runs, best->runs);
}

Json to_json(const BenchRecord& r) {
  Json j = {{"time", r.time}, {"note", r.note}, {"version", r.version}, {"cpu", r.cpu}, {"isa", r.isa}, {"cores", r.cores},
            {"threads", r.threads}, {"memory_bytes", r.memory}, {"model", r.model}, {"dtype", r.dtype}, {"kv", r.kv},
            {"parameters", r.n_parameters}, {"batch_size", r.n_batch},
            {"test", {{"name", r.test.name()}, {"prompt", r.test.n_prompt}, {"generate", r.test.n_generate}, {"depth", r.test.depth},
                      {"sequences", r.test.n_sequences}, {"start", r.test.start}}}};
  put_runs(j, r.ours, r.test.start);
  if (!r.test.start) {
    j["load_seconds"] = r.load_seconds;
    j["first_token_seconds"] = r.first_token_seconds;
    j["limit_share"] = r.limit_share;
    j["bound"] = r.memory_bound ? "memory" : "multiply";
    j["limits"] = {{"read_bytes_per_second", r.limits.read_bytes_per_second}, {"int8_ops_per_second", r.limits.int8_ops_per_second},
                   {"f32_ops_per_second", r.limits.f32_ops_per_second}, {"bf16_ops_per_second", r.limits.bf16_ops_per_second}};
  }
  if (r.peers.empty()) return j;
  for (const Contender& p : r.peers) {
    Json peer = {{"name", p.name}};
    put_runs(peer, p, r.test.start);
    j["peers"].push_back(std::move(peer));
  }
  if (const Contender* best = best_peer(r)) {
    const std::vector<double> all = ratios(r);
    const Spread s = spread_of(all);
    j["ratio"] = {{"to", best->name}, {"median", s.median}, {"min", s.min}, {"max", s.max}, {"runs", all}};
  }
  return j;
}

BenchRecord record_from_json(const Json& json, const std::string& source) {
  if (!json.is_object()) fail(ErrorCode::kInvalidInput, "{}: not the result of a benchmark", source);
  const JsonFields f{json, source};
  BenchRecord r;
  r.test = test_from({object_at(f, "test"), source});
  r.time = f.text("time", "");
  r.note = f.text("note", "");
  r.version = f.text("version", "");
  r.cpu = f.text("cpu", "");
  r.isa = f.text("isa", "");
  r.cores = f.integer("cores", 0, 0, kMost);
  r.threads = f.integer("threads", 0, 0, kMost);
  r.memory = static_cast<uint64_t>(f.integer("memory_bytes", 0, 0, kMost));
  r.model = f.text("model", "");
  r.dtype = f.text("dtype", "");
  r.kv = f.text("kv", "");
  r.n_parameters = f.integer("parameters", 0, 0, kMost);
  r.n_batch = f.integer("batch_size", 0, 0, kMost);
  r.ours = contender_from(f);
  r.load_seconds = f.number("load_seconds", 0);
  r.first_token_seconds = f.number("first_token_seconds", 0);
  r.limit_share = f.number("limit_share", 0);
  r.memory_bound = f.text("bound", "") == "memory";
  if (f.has("limits")) {
    const JsonFields l{object_at(f, "limits"), source};
    r.limits = {.read_bytes_per_second = l.number("read_bytes_per_second", 0),
                .int8_ops_per_second = l.number("int8_ops_per_second", 0),
                .bf16_ops_per_second = l.number("bf16_ops_per_second", 0),
                .f32_ops_per_second = l.number("f32_ops_per_second", 0)};
  }
  if (!f.has("peers")) return r;
  if (!json["peers"].is_array()) fail(ErrorCode::kInvalidInput, "{}: field \"peers\" must be a list", source);
  for (const Json& p : json["peers"]) {
    if (!p.is_object()) fail(ErrorCode::kInvalidInput, "{}: field \"peers\" must be a list of objects", source);
    r.peers.push_back(contender_from({p, source}));
  }
  return r;
}

void append_records(const std::filesystem::path& path, const std::vector<BenchRecord>& records) {
  std::ofstream file(path, std::ios::app);
  for (const BenchRecord& r : records) file << to_json(r).dump() << '\n';
  file.flush();
  if (!file) fail(ErrorCode::kIo, "{}: cannot write to it", path.string());
}

std::vector<BenchRecord> read_records(const std::filesystem::path& path) {
  const std::string text = read_text_file(path, limits::kMaxRecordsFileBytes);
  std::vector<BenchRecord> records;
  int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string source = fmt::format("{}: line {}", path.string(), number);
    records.push_back(record_from_json(parse_json(line, source), source));
  }
  return records;
}

}  // namespace minnow
