#include "eval/bench.h"

#include <algorithm>

#include "base/error.h"
#include "base/page_memory.h"
#include "base/random.h"
#include "base/thread_pool.h"

namespace minnow {
namespace {

Rate summarize(std::vector<double> values) {
  Rate r;
  r.all = values;
  if (values.empty()) return r;
  std::sort(values.begin(), values.end());
  r.min = values.front();
  r.max = values.back();
  const std::size_t n = values.size();
  r.median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return r;
}

// One run: reads `prompt` random tokens, makes `generate` more. Different tokens each time, as no engine may know them.
GenerationStats run_once(Engine& engine, int64_t prompt, int64_t generate, Random& random) {
  GenerateRequest request;
  const auto n_vocab = static_cast<uint64_t>(engine.model().config.n_vocab);
  for (int64_t i = 0; i < prompt; ++i) request.prompt.push_back(static_cast<TokenId>(random.below(n_vocab)));
  request.sampling.temperature = 0;
  request.max_tokens = generate;
  request.ignore_end = true;
  return engine.submit(std::move(request))->wait().stats;
}

}  // namespace

TokenCost token_cost(const Model& model) {
  TokenCost cost;
  uint64_t quantized = 0;
  const bool tied = model.weights.find("output.weight") == nullptr;
  for (const NamedTensor& t : model.weights.all()) {
    if (t.tensor.shape.rank() < 2 || (t.name == "token_embd.weight" && !tied)) continue;
    cost.bytes += t.tensor.bytes();
    cost.multiply_adds += static_cast<uint64_t>(t.tensor.shape.elements());
    if (is_quantized(t.tensor.dtype)) quantized += t.tensor.bytes();
  }
  cost.mostly_quantized = quantized * 2 > cost.bytes;
  return cost;
}

BenchResult bench(Engine& engine, const BenchOptions& o) {
  if (o.n_prompt < 0 || o.n_generate < 0 || o.n_prompt + o.n_generate == 0) {
    fail(ErrorCode::kInvalidInput, "nothing to do: {} prompt and {} generated tokens", o.n_prompt, o.n_generate);
  }
  if (o.repetitions < 1 || o.repetitions > 1000) fail(ErrorCode::kInvalidInput, "{} repetitions, 1 to 1000 are allowed", o.repetitions);
  BenchResult result;
  Random random(o.seed);
  std::vector<double> prompt, generation;
  for (int i = 0; i <= o.repetitions; ++i) {
    const bool warm_up = i == 0;
    if (o.n_prompt > 0) {
      const GenerationStats s = run_once(engine, o.n_prompt, 0, random);
      if (!warm_up) prompt.push_back(static_cast<double>(o.n_prompt) / s.prompt_seconds);
    }
    if (o.n_generate > 0) {
      // The first token comes with the prompt; the rest is timed.
      const GenerationStats s = run_once(engine, 1, o.n_generate + 1, random);
      if (!warm_up) generation.push_back(static_cast<double>(o.n_generate) / s.generation_seconds);
    }
  }
  result.peak_rss = peak_resident_memory();
  {
    ThreadPool pool(engine.n_threads());
    result.limits = measure_limits(pool, engine.isa());
  }
  result.prompt = summarize(std::move(prompt));
  result.generation = summarize(std::move(generation));
  const TokenCost cost = token_cost(engine.model());
  result.bandwidth_share = result.generation.median * static_cast<double>(cost.bytes) / result.limits.read_bytes_per_second;
  const double peak = cost.mostly_quantized ? result.limits.int8_ops_per_second : result.limits.f32_ops_per_second;
  result.multiply_share = result.prompt.median * 2 * static_cast<double>(cost.multiply_adds) / peak;
  return result;
}

}  // namespace minnow
