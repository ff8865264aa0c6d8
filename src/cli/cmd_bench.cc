#include "cli/cmd_bench.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/command.h"
#include "eval/bench_table.h"
#include "eval/spread.h"

namespace minnow {

void BenchStatus::say(const std::string& text) {
  if (::isatty(STDERR_FILENO) == 0 || (text.empty() && !shown_)) return;
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
  shown_ = !text.empty();
}

void BenchStatus::warn(const std::string& line) {
  say("");
  fmt::print(stderr, "warning: {}\n", line);
}

void keep_record(const BenchArguments& a, BenchRecord& record) {
  record.note = a.note;
  if (!a.output.empty()) append_records(a.output, {record});
}

namespace {

// What `bench --json` has always said, of the first test of either kind; and all tests.
Json report(const BenchArguments& a, const std::vector<BenchRecord>& records) {
  Json j = {{"model", a.model.model}, {"prompt_tokens", 0}, {"generation_tokens", 0}};
  for (const BenchRecord& r : records) {
    j["tests"].push_back(to_json(r));
    if (r.test.start) continue;
    const bool generates = r.test.generates();
    const char* key = generates ? "generation_tokens_per_second" : "prompt_tokens_per_second";
    if (j.contains(key)) continue;
    const Spread s = spread_of(r.ours.runs);
    j[key] = s.median;
    j[generates ? "generation_tokens" : "prompt_tokens"] = generates ? r.test.n_generate : r.test.n_prompt;
    j[generates ? "generation_spread" : "prompt_spread"] = {{"min", s.min}, {"max", s.max}, {"runs", r.ours.runs}};
    j[generates ? "bandwidth_share" : "multiply_share"] = r.limit_share;
    j.update({{"dtype", r.dtype}, {"threads", r.threads}, {"isa", r.isa}, {"kv", r.kv}, {"load_seconds", r.load_seconds},
              {"peak_rss_bytes", r.ours.peak_rss}, {"read_bytes_per_second", r.limits.read_bytes_per_second},
              {"int8_ops_per_second", r.limits.int8_ops_per_second}, {"f32_ops_per_second", r.limits.f32_ops_per_second}});
  }
  return j;
}

void print_records(const BenchArguments& a, const std::vector<BenchRecord>& records) {
  if (a.json) {
    fmt::print("{}\n", report(a, records).dump());
  } else {
    fmt::print("{}", bench_table(records, a.markdown ? TableStyle::kMarkdown : TableStyle::kText));
  }
}

void measure(const BenchArguments& a) {
  const std::vector<BenchTest> tests = tests_of(a.plan);
  BenchStatus status;
  std::vector<BenchRecord> records;
  for (const int asked : a.threads.empty() ? std::vector<int>{0} : a.threads) {
    const int threads = asked > 0 ? asked : available_cores();
    const bool in_turn = !a.peers.empty() || a.plan.start;
    for (BenchRecord& r : (in_turn ? bench_with_peers : bench_here)(a, tests, threads, status)) records.push_back(std::move(r));
  }
  status.say("");
  print_records(a, records);
}

void run(const BenchArguments& a) {
  if (!a.show.empty()) {
    if (!a.model.model.empty()) fail(ErrorCode::kUsage, "--show prints results that are kept; it takes no MODEL");
    return print_records(a, read_records(a.show));
  }
  if (a.model.model.empty()) fail(ErrorCode::kUsage, "MODEL is required");
  if (!a.roofline) return measure(a);
  if (!a.peers.empty() || !a.output.empty()) fail(ErrorCode::kUsage, "--roofline measures matrices alone; it takes neither --peer nor --output");
  BenchStatus status;
  bench_roofline(a, status);
}

// One argument of numbers with commas between them, so that what follows is not taken for one more.
CLI::Option* declare_list(CLI::App& c, const char* flags, std::vector<int64_t>& values, const char* text, int64_t least) {
  return c.add_option(flags, values, text)->delimiter(',')->allow_extra_args(false)->check(CLI::Range(least, int64_t{1} << 20))->capture_default_str();
}

}  // namespace

void add_bench(CLI::App& app) {
  auto a = std::make_shared<BenchArguments>();
  CLI::App* c = app.add_subcommand("bench", "measure how fast a model runs here, alone or beside other programs");
  a->model.declare(*c);
  c->get_option("MODEL")->required(false);  // --show needs none
  c->remove_option(c->get_option("--threads"));
  declare_list(*c, "-p,--prompt", a->plan.prompts, "prompt tokens; 0: none", 0);
  declare_list(*c, "-n,--generate", a->plan.generations, "generated tokens; 0: none", 0);
  declare_list(*c, "-d,--depth", a->plan.depths, "positions filled before, not timed", 0);
  declare_list(*c, "-s,--sequences", a->plan.sequences, "sequences that generate at once", 1);
  c->add_option("-t,--threads", a->threads, "threads (default: one per fast core, see doctor)")->delimiter(',')->allow_extra_args(false)->check(CLI::Range(1, 1024));
  c->add_option("-r,--repetitions", a->repetitions, "runs of each test, after a warm-up")->capture_default_str()->check(CLI::Range(1, 1000));
  c->add_flag("--start", a->plan.start, "also time a whole process that makes one token");
  const char* peers = "Peers";
  c->add_option("--peer", a->peers, "[NAME=]COMMAND of another benchmark, run in turn with minnow's; {model}, {threads}, {prompt}, "
                "{generate}, {depth}, {sequences} are filled in; may be given again")->allow_extra_args(false)->group(peers);
  c->add_option("--peer-pattern", a->peer_pattern, "regular expression whose first group is a peer's tokens/s")->group(peers);
  c->add_option("--peer-timeout", a->peer_timeout, "seconds that one run may take")->capture_default_str()->check(CLI::Range(0.1, 86400.0))->group(peers);
  c->add_flag("--roofline", a->roofline, "measure each shape of matrix against the machine's limits instead");
  c->add_option("-o,--output", a->output, "add the results to this file, a line of JSON each");
  c->add_option("--note", a->note, "words to keep with the results, such as a commit");
  c->add_option("--show", a->show, "print the results kept in this file");
  c->add_flag("--markdown", a->markdown, "print the table as Markdown");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow bench model.gguf\n"
            "  minnow bench model.gguf -p 512,2048 -n 128 -d 0,4096 -t 1,2 -o results.jsonl\n"
            "  minnow bench model.gguf -p 0 -n 64 -s 1,4,8,16\n"
            "  minnow bench model.gguf --peer 'llama-bench -m {model} -t {threads} -p {prompt} -n {generate} -d {depth} -r 1 -o json'\n"
            "  minnow bench model.gguf --roofline -t 2\n"
            "  minnow bench --show results.jsonl --markdown");
  c->callback([a] { run(*a); });
}

}  // namespace minnow
