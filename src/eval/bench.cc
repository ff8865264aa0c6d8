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
  const bool tied = model.weights.find("output.weight") == nullptr;
  for (const NamedTensor& t : model.weights.all()) {
    if (t.tensor.shape.rank() < 2 || (t.name == "token_embd.weight" && !tied)) continue;
    cost.bytes += t.tensor.bytes();
    const DType dtype = t.tensor.dtype;
    const bool half = dtype == DType::kF16 || dtype == DType::kBF16;
    (is_quantized(dtype) ? cost.quantized : half ? cost.halves : cost.floats) += static_cast<uint64_t>(t.tensor.shape.elements());
  }
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
  const MachineLimits& limits = result.limits;
  const bool in_bf16 = !engine.exact() && limits.bf16_ops_per_second > 0;
  const double least_seconds = 2 * (static_cast<double>(cost.quantized) / limits.int8_ops_per_second +
                                    static_cast<double>(cost.halves) / (in_bf16 ? limits.bf16_ops_per_second : limits.f32_ops_per_second) +
                                    static_cast<double>(cost.floats) / limits.f32_ops_per_second);
  result.multiply_share = result.prompt.median * least_seconds;
  return result;
}

}  // namespace minnow
