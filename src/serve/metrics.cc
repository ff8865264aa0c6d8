#include "serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <unordered_set>

#include "base/error.h"
#include "base/limits.h"
#include "serve/engine_metrics.h"
#include "serve/known_method.h"

namespace minnow {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// 1, 2.5, 5 (or 1, 2, 5) times the powers of ten from 10^from to below 10^to. Divided rather than multiplied by fractions, so
// that the bounds are written with few digits.
Buckets buckets(int from, int to, double second) {
  Buckets bounds;
  for (int exponent = from; exponent < to; ++exponent) {
    const double power = std::pow(10.0, std::abs(exponent));
    for (const double step : {1.0, second, 5.0}) bounds.push_back(exponent < 0 ? step / power : step * power);
  }
  return bounds;
}
Buckets second_buckets(int from, int to) { return buckets(from, to, 2.5); }
Buckets count_buckets() { return buckets(0, 7, 2.0); }

constexpr std::array<std::string_view, 4> kFinished = {"stop", "length", "abort", "error"};  // as vLLM has them

std::size_t finished_index(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfText:
    case FinishReason::kStopString: return 0;
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull: return 1;
    case FinishReason::kCancelled: return 2;
    case FinishReason::kError: return 3;
  }
  return 3;
}

std::string status_label(const RequestFacts& facts) {
  if (facts.status == 0 || facts.client_gone) return "499";  // as nginx calls clients that went away
  return std::to_string(facts.status / 100) + "xx";
}

// Families without a registry: they are collected in one order, together with those made for the moment.
struct ModelFamilies {
  const Buckets first = second_buckets(-3, 4), between = second_buckets(-3, 2), whole = second_buckets(-2, 4),
                counts = count_buckets();
  Family<Counter> prompt_tokens{"vllm:prompt_tokens_total", "Prompt tokens, with those found in the cache.", {}};
  Family<Counter> generation_tokens{"vllm:generation_tokens_total", "Tokens made.", {}};
  Family<Counter> success{"vllm:request_success_total", "Answers that ended, by the reason.", {}};
  Family<Histogram> first_token{"vllm:time_to_first_token_seconds", "From the head of the request to the first token.", {}};
  Family<Histogram> inter_token{"vllm:inter_token_latency_seconds", "Between a token and the next.", {}};
  Family<Histogram> per_token{"vllm:time_per_output_token_seconds", "The older name of vllm:inter_token_latency_seconds.", {}};
  Family<Histogram> latency{"vllm:e2e_request_latency_seconds", "From the head of the request to the end of its answer.", {}};
  Family<Histogram> queue{"vllm:request_queue_time_seconds", "What answers waited for their turn.", {}};
  Family<Histogram> inference{"vllm:request_inference_time_seconds", "From an answer's turn to its end.", {}};
  Family<Histogram> prefill{"vllm:request_prefill_time_seconds", "From an answer's turn to its first token.", {}};
  Family<Histogram> decode{"vllm:request_decode_time_seconds", "From an answer's first token to its last.", {}};
  Family<Histogram> prompt_sizes{"vllm:request_prompt_tokens", "Prompt tokens of a request.", {}};
  Family<Histogram> answer_sizes{"vllm:request_generation_tokens", "Tokens made for a request.", {}};
  Family<Histogram> longest{"vllm:request_max_num_generation_tokens", "Tokens made for the longest choice of a request.", {}};
  Family<Histogram> choices{"vllm:request_params_n", "Choices that a request asked for.", {}};
  Family<Histogram> bounds{"vllm:request_params_max_tokens", "Tokens that a choice might have, of requests that said so.", {}};

  void collect(std::vector<prometheus::MetricFamily>& all) const {
    const prometheus::Collectable* const families[] = {
        &prompt_tokens, &generation_tokens, &success, &first_token, &inter_token,  &per_token,    &latency,
        &queue,         &inference,         &prefill, &decode,      &prompt_sizes, &answer_sizes, &longest,
        &choices,       &bounds};
    for (const prometheus::Collectable* family : families) std::ranges::move(family->Collect(), std::back_inserter(all));
  }
};

// One model's part of them.
struct ModelSeries {
  ModelSeries(ModelFamilies& f, const prometheus::Labels& model)
      : prompt_tokens(f.prompt_tokens.Add(model)),
        generation_tokens(f.generation_tokens.Add(model)),
        first_token(f.first_token.Add(model, f.first)),
        inter_token(f.inter_token.Add(model, f.between)),
        per_token(f.per_token.Add(model, f.between)),
        latency(f.latency.Add(model, f.whole)),
        queue(f.queue.Add(model, f.whole)),
        inference(f.inference.Add(model, f.whole)),
        prefill(f.prefill.Add(model, f.whole)),
        decode(f.decode.Add(model, f.whole)),
        prompt_sizes(f.prompt_sizes.Add(model, f.counts)),
        answer_sizes(f.answer_sizes.Add(model, f.counts)),
        longest(f.longest.Add(model, f.counts)),
        choices(f.choices.Add(model, f.counts)),
        bounds(f.bounds.Add(model, f.counts)) {
    for (std::size_t i = 0; i < kFinished.size(); ++i) {
      prometheus::Labels labels = model;
      labels.emplace("finished_reason", kFinished[i]);
      success[i] = &f.success.Add(labels);
    }
  }
  Counter &prompt_tokens, &generation_tokens;
  std::array<Counter*, kFinished.size()> success{};
  Histogram &first_token, &inter_token, &per_token, &latency, &queue, &inference, &prefill, &decode, &prompt_sizes, &answer_sizes,
      &longest, &choices, &bounds;
};

struct RouteSeries {
  Histogram& duration;
  std::map<std::string, Counter*> by_status;
};

EngineStatus status_of(LoadedModel& model) {
  try {
    return model.engine().status();
  } catch (const Error&) {  // it makes no text: nothing of an engine to tell
    return {};
  }
}

// Takes away what is told of other models.
void hide(std::vector<prometheus::MetricFamily>& families, const Metrics::MaySee& may_see) {
  const auto is_hidden = [&](const prometheus::ClientMetric& metric) {
    return std::ranges::any_of(metric.label, [&](const auto& label) { return label.name == "model_name" && !may_see(label.value); });
  };
  for (prometheus::MetricFamily& family : families) std::erase_if(family.metric, is_hidden);
}

}  // namespace

struct Metrics::Impl {
  std::mutex mutex;  // of all below
  ModelFamilies families;
  std::map<std::string, ModelSeries> models;
  prometheus::Family<Counter> requests{"http_requests_total", "HTTP requests, by route, method and kind of status.", {}};
  prometheus::Family<Histogram> durations{"http_request_duration_seconds", "What HTTP requests took.", {}};
  std::map<std::pair<std::string, std::string>, RouteSeries> routes;
  std::unordered_set<uint64_t> active;  // numbers of requests
  TokenSums sums;
  EngineCounts counts;

  ModelSeries& series_of(const std::string& model) {
    if (const auto at = models.find(model); at != models.end()) return at->second;
    const std::string label = models.size() < limits::kMaxMetricModels ? model : "other";
    return models.try_emplace(label, families, prometheus::Labels{{"model_name", label}}).first->second;
  }

  void count_http(const RequestFacts& facts) {
    const std::string method(known_method(facts.method)), handler = facts.route.empty() ? "none" : facts.route;
    auto at = routes.find({handler, method});
    if (at == routes.end()) {
      Histogram& duration = durations.Add({{"handler", handler}, {"method", method}}, families.whole);
      at = routes.emplace(std::pair(handler, method), RouteSeries{duration, {}}).first;
    }
    at->second.duration.Observe(facts.seconds);
    const std::string status = status_label(facts);
    Counter*& counter = at->second.by_status[status];
    if (counter == nullptr) counter = &requests.Add({{"handler", handler}, {"method", method}, {"status", status}});
    counter->Increment();
  }

  void count_answer(const RequestFacts& facts, ModelSeries& series) {
    if (facts.reason) series.success[finished_index(*facts.reason)]->Increment();
    series.latency.Observe(facts.seconds);
    series.queue.Observe(facts.queue_seconds);
    series.inference.Observe(facts.prompt_seconds + facts.generation_seconds);
    series.prefill.Observe(facts.prompt_seconds);
    series.decode.Observe(facts.generation_seconds);
    series.answer_sizes.Observe(static_cast<double>(facts.generated_tokens));
    series.longest.Observe(static_cast<double>(facts.longest_tokens));
    series.choices.Observe(facts.choices);
    if (facts.max_tokens >= 0) series.bounds.Observe(static_cast<double>(facts.max_tokens));
    sums.generation_seconds += facts.generation_seconds;
  }

  void count_tokens(const RequestFacts& facts, ModelSeries& series) {
    const auto prompt = static_cast<double>(facts.prompt_tokens), generated = static_cast<double>(facts.generated_tokens);
    series.prompt_tokens.Increment(prompt);
    series.generation_tokens.Increment(generated);
    series.prompt_sizes.Observe(prompt);
    sums.prompt_tokens += static_cast<double>(facts.prompt_tokens - facts.reused_tokens);  // what the seconds were spent on
    sums.prompt_seconds += facts.prompt_seconds;
    sums.generated_tokens += generated;
    sums.longest = std::max(sums.longest, prompt + generated);
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::request_started(const RequestFacts& facts) {
  const std::lock_guard lock(impl_->mutex);
  impl_->active.insert(facts.number);
}

void Metrics::first_token(const RequestFacts& facts, double seconds_since_start) {
  const std::lock_guard lock(impl_->mutex);
  impl_->series_of(facts.model).first_token.Observe(seconds_since_start);
}

void Metrics::next_tokens(const RequestFacts& facts, int64_t count, double seconds_since_last) {
  const std::lock_guard lock(impl_->mutex);
  ModelSeries& series = impl_->series_of(facts.model);
  for (int64_t i = 0; i < count; ++i) {
    series.inter_token.Observe(seconds_since_last / static_cast<double>(count));
    series.per_token.Observe(seconds_since_last / static_cast<double>(count));
  }
}

void Metrics::request_ended(const RequestFacts& facts) {
  const std::lock_guard lock(impl_->mutex);
  impl_->active.erase(facts.number);
  impl_->count_http(facts);
  // The name in a request that nothing answered may be no model's.
  if (facts.model.empty() || (!facts.reason && facts.prompt_tokens == 0)) return;
  ModelSeries& series = impl_->series_of(facts.model);
  if (facts.choices > 0) impl_->count_answer(facts, series);
  impl_->count_tokens(facts, series);
}

void Metrics::model_ends(LoadedModel& model) {
  const EngineStatus status = status_of(model);
  const std::lock_guard lock(impl_->mutex);
  impl_->counts.end(model.entry().name, status);
}

std::string Metrics::text(const ModelPool& models, const MaySee& may_see) {
  std::vector<ModelStatus> loaded;
  models.for_each_loaded([&loaded](LoadedModel& model) {
    loaded.push_back({model.entry().name, status_of(model), model.memory_bytes()});
  });
  std::vector<prometheus::MetricFamily> all;
  const auto add = [&all](std::vector<prometheus::MetricFamily> more) { std::ranges::move(more, std::back_inserter(all)); };
  {
    const std::lock_guard lock(impl_->mutex);
    const auto counts = impl_->counts.with(loaded);
    add(vllm_engine_families(loaded, counts));
    impl_->families.collect(all);
    add(llama_server_families(loaded, impl_->sums, counts));
    add(impl_->requests.Collect());
    add(impl_->durations.Collect());
    add(http_families(impl_->active.size()));
  }
  add(process_families());
  if (may_see) hide(all, may_see);
  std::erase_if(all, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace minnow
