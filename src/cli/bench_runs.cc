// `bench` on an engine of this process, and `bench --peer`, where every run is a process.
#include <filesystem>

#include "base/error.h"
#include "cli/cmd_bench.h"
#include "cli/interrupt.h"
#include "eval/compare.h"
#include "eval/peer_output.h"
#include "eval/shell_command.h"
#include "eval/spread.h"

namespace minnow {
namespace {

std::string threads_text(int n) { return fmt::format("{} {}", n, n == 1 ? "thread" : "threads"); }

Contender contender_of(const BenchResult& result) {
  Contender c{.name = "minnow"};
  for (const BenchRun& run : result.runs) {
    c.runs.push_back(run.tokens_per_second);
    if (run.read_bytes_per_second > 0) c.reads.push_back(run.read_bytes_per_second);
  }
  c.peak_rss = result.peak_rss;
  return c;
}

double median_share(const BenchResult& result) {
  std::vector<double> shares;
  for (const BenchRun& run : result.runs) shares.push_back(run.limit_share);
  return spread_of(std::move(shares)).median;
}

// This program's own benchmark as a peer's command.
std::string own_command(const BenchArguments& a, const char* rest) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string text = fmt::format("exec {} {} -t {{threads}} --kv {} -b {}", shell_quote(program), rest, shell_quote(a.model.kv), a.model.n_batch);
  if (a.model.n_ctx > 0) text += fmt::format(" -c {}", a.model.n_ctx);
  if (!a.model.tokenizer.empty()) text += " --tokenizer " + shell_quote(a.model.tokenizer);
  return text;
}

}  // namespace

std::vector<BenchRecord> bench_here(const BenchArguments& a, const std::vector<BenchTest>& tests, int threads, BenchStatus& status) {
  EngineOptions options = engine_options_for(tests, a.model.engine_options());
  options.n_threads = threads;
  double load_seconds = 0;
  const auto engine = a.model.start(std::move(options), &load_seconds);
  const double to_first_token = load_seconds + first_token_seconds(*engine);
  std::vector<BenchRecord> records;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const BenchTest& test = tests[i];
    BenchOptions o{.repetitions = a.repetitions};
    o.progress = [&](int run) {
      const std::string what = run == 0 ? "warm-up" : fmt::format("run {} of {}", run, a.repetitions);
      status.say(fmt::format("[{}/{}] {}, {}: {}", i + 1, tests.size(), test.name(), threads_text(threads), what));
    };
    const BenchResult result = bench(*engine, test, o);
    BenchRecord r = record_of_here();
    r.model = a.model.model;
    r.dtype = name(engine->model().main_dtype());
    r.kv = name(a.model.kv_type());
    r.n_parameters = engine->model().n_parameters();
    r.n_batch = engine->options().n_batch;
    r.threads = threads;
    r.test = test;
    r.ours = contender_of(result);
    r.load_seconds = load_seconds;
    r.first_token_seconds = to_first_token;
    r.limit_share = median_share(result);
    r.memory_bound = result.memory_bound;
    r.limits = result.limits;
    keep_record(a, r);
    records.push_back(std::move(r));
  }
  return records;
}

std::vector<BenchRecord> bench_with_peers(const BenchArguments& a, const std::vector<BenchTest>& tests, int threads, BenchStatus& status) {
  CompareOptions o;
  o.model = a.model.model;
  o.ours = own_command(a, "bench {model} -p {prompt} -n {generate} -d {depth} -s {sequences} -r 1 --json");
  o.ours_start = own_command(a, "run {model} a -n 1 --raw --temp 0 --ignore-eos");
  for (const std::string& text : a.peers) o.peers.push_back(parse_peer(text));
  if (!a.peer_pattern.empty()) check_peer_pattern(a.peer_pattern);
  o.pattern = a.peer_pattern;
  o.repetitions = a.repetitions;
  o.time_limit_seconds = a.peer_timeout;
  InterruptWatch interrupt;
  o.cancelled = [&] { return interrupt.take(); };
  o.warn = [&](const std::string& line) { status.warn(line); };
  std::vector<BenchRecord> records;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    o.progress = [&](const std::string& who, int run) {
      status.say(fmt::format("[{}/{}] {}, {}: run {} of {}, {}", i + 1, tests.size(), tests[i].name(), threads_text(threads), run, a.repetitions, who));
    };
    BenchRecord r = compare(tests[i], threads, o);
    keep_record(a, r);
    records.push_back(std::move(r));
  }
  return records;
}

}  // namespace minnow
