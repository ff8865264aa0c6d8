#include "eval/bench.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/page_memory.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "eval/spread.h"
#include "eval/step_work.h"

namespace minnow {
namespace {

constexpr double kProbeSeconds = 0.2;
constexpr int64_t kPlugTokens = 32;

class Runner {
 public:
  Runner(Engine& engine, const BenchTest& test, uint64_t seed) : engine_(engine), test_(test), random_(seed) {
    for (int64_t i = 0; i < test.n_sequences; ++i) prefixes_.push_back(random_tokens(test.depth));
    if (test.depth == 0) return;
    for (const auto& prefix : prefixes_) engine_.submit(request(prefix, 0))->wait();
  }

  // Tokens per second.
  double run() { return test_.generates() ? generate() : read_prompt(); }

 private:
  std::vector<TokenId> random_tokens(int64_t n) {
    const auto n_vocab = static_cast<uint64_t>(engine_.model().config.n_vocab);
    std::vector<TokenId> tokens;
    for (int64_t i = 0; i < n; ++i) tokens.push_back(static_cast<TokenId>(random_.below(n_vocab)));
    return tokens;
  }

  static GenerateRequest request(std::vector<TokenId> prompt, int64_t max_tokens) {
    GenerateRequest r;
    r.prompt = std::move(prompt);
    r.sampling.temperature = 0;
    r.max_tokens = max_tokens;
    r.ignore_end = true;
    return r;
  }

  GenerateRequest continuation(std::size_t sequence, int64_t n_more, int64_t max_tokens) {
    std::vector<TokenId> prompt = prefixes_[sequence];
    const std::vector<TokenId> more = random_tokens(n_more);
    prompt.insert(prompt.end(), more.begin(), more.end());
    return request(std::move(prompt), max_tokens);
  }

  GenerationStats finish(Generation& generation) const {
    const GenerationStats stats = generation.wait().stats;
    if (stats.reused_tokens != test_.depth) {
      fail(ErrorCode::kInternal, "{} of {} positions before the test were still in the cache", stats.reused_tokens, test_.depth);
    }
    return stats;
  }

  double read_prompt() {
    const auto generation = engine_.submit(continuation(0, test_.n_prompt, 0));
    return static_cast<double>(test_.n_prompt) / finish(*generation).prompt_seconds;
  }

  double generate() {
    // The engine takes up what has arrived when a step ends. While it is busy with this one, all sequences arrive, so
    // that they take their first step together.
    std::unique_ptr<Generation> plug;
    if (test_.n_sequences > 1) plug = engine_.submit(request(random_tokens(kPlugTokens), 0));
    std::vector<std::unique_ptr<Generation>> all;
    // The first token comes with the prompt; the rest is timed.
    for (std::size_t i = 0; i < prefixes_.size(); ++i) all.push_back(engine_.submit(continuation(i, 1, test_.n_generate + 1)));
    double seconds = 0;
    for (const auto& generation : all) seconds = std::max(seconds, finish(*generation).generation_seconds);
    return static_cast<double>(test_.n_sequences * test_.n_generate) / seconds;
  }

  Engine& engine_;
  const BenchTest& test_;
  Random random_;
  std::vector<std::vector<TokenId>> prefixes_;  // by sequence
};

// The work of all timed steps.
StepWork work_of(const BenchTest& t, const Graph& graph, const EngineOptions& options) {
  StepWork work;
  if (t.generates()) {
    for (int64_t i = 0; i < t.n_generate; ++i) work += step_work(graph, options.kv_type, {t.n_sequences, 1, t.depth + 1 + i});
  } else {
    for (int64_t done = 0; done < t.n_prompt; done += options.n_batch) {
      work += step_work(graph, options.kv_type, {1, std::min(options.n_batch, t.n_prompt - done), t.depth + done});
    }
  }
  return work;
}

}  // namespace

BenchResult bench(Engine& engine, const BenchTest& test, const BenchOptions& o) {
  const auto tell = [&](int run) {
    if (o.progress) o.progress(run);
  };
  tell(0);
  Runner runner(engine, test, o.seed);
  runner.run();
  BenchResult result;
  result.peak_rss = peak_resident_memory();

  ThreadPool pool(engine.n_threads());
  const StepWork work = work_of(test, build_graph(engine.model(), engine.n_ctx()), engine.options());
  {
    std::optional<ReadProbe> probe;
    if (test.generates()) probe.emplace(pool, engine.isa());
    double before = probe ? probe->bytes_per_second(kProbeSeconds) : 0;
    for (int i = 1; i <= o.repetitions; ++i) {
      tell(i);
      BenchRun run;
      run.tokens_per_second = runner.run();
      const double after = probe ? probe->bytes_per_second(kProbeSeconds) : 0;
      run.read_bytes_per_second = (before + after) / 2;
      before = after;
      result.runs.push_back(run);
    }
  }
  result.limits = measure_limits(pool, engine.isa());
  reset_peak_resident_memory();  // what was measured with is no part of the next test's
  const auto n_tokens = static_cast<double>(test.generates() ? test.n_generate * test.n_sequences : test.n_prompt);
  std::vector<double> reads;
  for (BenchRun& run : result.runs) {
    MachineLimits beside = result.limits;
    if (test.generates()) beside.read_bytes_per_second = run.read_bytes_per_second;
    reads.push_back(beside.read_bytes_per_second);
    run.limit_share = run.tokens_per_second * lower_bound(work, beside).seconds / n_tokens;
  }
  result.limits.read_bytes_per_second = spread_of(reads).median;
  result.memory_bound = lower_bound(work, result.limits).by_memory;
  return result;
}

double first_token_seconds(Engine& engine) {
  GenerateRequest r{.prompt = {0}, .max_tokens = 1};
  r.sampling.temperature = 0;
  const GenerationStats s = engine.submit(std::move(r))->wait().stats;
  return s.queue_seconds + s.prompt_seconds;
}

}  // namespace minnow
