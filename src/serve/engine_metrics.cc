#include "serve/engine_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/limits.h"

namespace minnow {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric metric(MetricType type, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric m;
  m.label = std::move(labels);
  (type == MetricType::Counter ? m.counter.value : m.gauge.value) = value;
  return m;
}

MetricFamily family(std::string name, std::string help, MetricType type, std::vector<ClientMetric> metrics) {
  return {std::move(name), std::move(help), type, std::move(metrics)};
}

MetricFamily single(std::string name, std::string help, MetricType type, double value) {
  return family(std::move(name), std::move(help), type, {metric(type, value)});
}

// One value of each model.
template <typename Model, typename F>
MetricFamily of_models(std::string name, std::string help, MetricType type, const std::vector<Model>& models, F&& value) {
  std::vector<ClientMetric> metrics;
  for (const Model& m : models) metrics.push_back(metric(type, static_cast<double>(value(m)), {{"model_name", m.model}}));
  return family(std::move(name), std::move(help), type, std::move(metrics));
}

// Tokens of the engines' steps.
MetricFamily step_sizes(const std::vector<EngineCounts::Of>& counts) {
  MetricFamily out = family("vllm:iteration_tokens_total", "Tokens of prompts and answers in a step of the engine.", MetricType::Histogram, {});
  for (const EngineCounts::Of& m : counts) {
    ClientMetric one;
    one.label = {{"model_name", m.model}};
    one.histogram.sample_count = static_cast<uint64_t>(m.steps);
    one.histogram.sample_sum = static_cast<double>(m.step_tokens);
    uint64_t so_far = 0;
    for (std::size_t i = 0; i < m.steps_by_tokens.size(); ++i) {
      const bool is_last = i == EngineStatus::kStepBounds.size();
      so_far += static_cast<uint64_t>(m.steps_by_tokens[i]);
      one.histogram.bucket.push_back({so_far, is_last ? std::numeric_limits<double>::infinity() : static_cast<double>(EngineStatus::kStepBounds[i])});
    }
    out.metric.push_back(std::move(one));
  }
  return out;
}

constexpr int64_t EngineCounts::Of::*kCounts[] = {&EngineCounts::Of::prefix_queries,   &EngineCounts::Of::prefix_hits, &EngineCounts::Of::preemptions,
                                                  &EngineCounts::Of::generated_tokens, &EngineCounts::Of::steps,       &EngineCounts::Of::step_tokens};

void add(EngineCounts::Of& to, const EngineStatus& engine) {
  to.prefix_queries += engine.prefix_queries;
  to.prefix_hits += engine.prefix_hits;
  to.preemptions += engine.preemptions;
  to.generated_tokens += engine.generated_tokens;
  to.steps += engine.steps;
  to.step_tokens += engine.step_tokens;
  for (std::size_t i = 0; i < to.steps_by_tokens.size(); ++i) to.steps_by_tokens[i] += engine.steps_by_tokens[i];
}

double share(int64_t part, int64_t whole) { return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0; }
double rate(double count, double seconds) { return seconds > 0 ? count / seconds : 0; }

// The n-th word of /proc/self/statm, which has pages.
double memory_bytes(int word) {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  for (int i = 0; i <= word; ++i) file >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The one that looks is not counted.
double open_descriptors() {
  std::error_code error;
  double n = -1;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error))
    ++n;
  return n < 0 ? 0 : n;
}

double max_descriptors() {
  struct rlimit limit {};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

// Seconds since 1970: the boot, and field 22 of /proc/self/stat in clock ticks after it.
double started_unix() {
  std::ifstream stat("/proc/stat");
  std::string word;
  double boot = 0;
  while (stat >> word) {
    if (word == "btime") {
      stat >> boot;
      break;
    }
  }
  std::ifstream self("/proc/self/stat");
  std::string line;
  std::getline(self, line);
  std::size_t at = line.rfind(')');  // the name in field 2 may hold spaces
  if (at == std::string::npos) return boot;
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  double ticks = 0;
  if (at != std::string::npos) std::from_chars(line.data() + at + 1, line.data() + line.size(), ticks);
  return boot + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

EngineCounts::Of& EngineCounts::of(std::map<std::string, Of>& counts, const std::string& model) {
  const bool is_known = told_.contains(model) || ended_.contains(model);
  const std::string name = is_known || std::max(told_.size(), ended_.size()) < limits::kMaxMetricModels ? model : "other";
  Of& found = counts[name];
  found.model = name;
  return found;
}

void EngineCounts::end(const std::string& model, const EngineStatus& engine) { add(of(ended_, model), engine); }

std::vector<EngineCounts::Of> EngineCounts::with(const std::vector<ModelStatus>& loaded) {
  std::map<std::string, Of> now = ended_;
  for (const ModelStatus& m : loaded) add(of(now, m.model), m.engine);
  for (auto& [name, counts] : now) {
    Of& told = told_[name];
    for (const auto count : kCounts) told.*count = std::max(told.*count, counts.*count);
    for (std::size_t i = 0; i < told.steps_by_tokens.size(); ++i) told.steps_by_tokens[i] = std::max(told.steps_by_tokens[i], counts.steps_by_tokens[i]);
    told.model = name;
  }
  std::vector<Of> all;
  for (const auto& [name, counts] : told_) all.push_back(counts);
  return all;
}

std::vector<MetricFamily> vllm_engine_families(const std::vector<ModelStatus>& models, const std::vector<EngineCounts::Of>& counts) {
  constexpr auto kGauge = MetricType::Gauge, kCounter = MetricType::Counter;
  const auto kv_share = [](const ModelStatus& m) { return share(m.engine.kv_pages_used, m.engine.kv_pages); };
  std::vector<ClientMetric> cache_config;
  for (const ModelStatus& m : models) {
    cache_config.push_back(metric(kGauge, 1, {{"model_name", m.model}, {"block_size", std::to_string(m.engine.kv_page_tokens)},
                                              {"num_gpu_blocks", std::to_string(m.engine.kv_pages)}}));
  }
  return {
      of_models("vllm:num_requests_running", "Answers that are being made.", kGauge, models,
                [](const ModelStatus& m) { return m.engine.running; }),
      of_models("vllm:num_requests_waiting", "Answers that wait for their turn, or for their client to read.", kGauge, models,
                [](const ModelStatus& m) { return m.engine.waiting; }),
      of_models("vllm:num_requests_swapped", "Answers whose cache is elsewhere: there are none, but older dashboards look for them.", kGauge, models,
                [](const ModelStatus&) { return 0; }),
      of_models("vllm:kv_cache_usage_perc", "Share of the KV cache in use by answers; 1 is all.", kGauge, models, kv_share),
      of_models("vllm:gpu_cache_usage_perc", "The older name of vllm:kv_cache_usage_perc.", kGauge, models, kv_share),
      of_models("vllm:prefix_cache_queries_total", "Prompt tokens that were looked for in the cache of prefixes.", kCounter,
                counts, [](const EngineCounts::Of& c) { return c.prefix_queries; }),
      of_models("vllm:prefix_cache_hits_total", "Prompt tokens that were found there.", kCounter, counts,
                [](const EngineCounts::Of& c) { return c.prefix_hits; }),
      of_models("vllm:num_preemptions_total", "Answers that were put back to make room for others.", kCounter, counts,
                [](const EngineCounts::Of& c) { return c.preemptions; }),
      step_sizes(counts),
      family("vllm:cache_config_info", "Size of the KV cache, in labels.", kGauge, std::move(cache_config)),
      of_models("minnow:model_memory_bytes", "Weights and cache of a loaded model.", kGauge, models,
                [](const ModelStatus& m) { return m.memory_bytes; }),
      of_models("minnow:kv_pages_used", "Pages of the KV cache that answers own.", kGauge, models,
                [](const ModelStatus& m) { return m.engine.kv_pages_used; }),
      of_models("minnow:kv_pages", "Pages of the KV cache.", kGauge, models,
                [](const ModelStatus& m) { return m.engine.kv_pages; }),
      of_models("minnow:engine_steps_total", "Steps of the model's engines.", kCounter, counts,
                [](const EngineCounts::Of& c) { return c.steps; }),
  };
}

std::vector<MetricFamily> llama_server_families(const std::vector<ModelStatus>& models, const TokenSums& sums,
                                                const std::vector<EngineCounts::Of>& counts) {
  constexpr auto kGauge = MetricType::Gauge, kCounter = MetricType::Counter;
  double steps = 0, made = 0;
  for (const EngineCounts::Of& c : counts) {
    steps += static_cast<double>(c.steps);
    made += static_cast<double>(c.generated_tokens);
  }
  int64_t running = 0, waiting = 0, used = 0, pages = 0, cached = 0;
  for (const ModelStatus& m : models) {
    running += m.engine.running;
    waiting += m.engine.waiting;
    used += m.engine.kv_pages_used;
    pages += m.engine.kv_pages;
    cached += m.engine.kv_pages_used * m.engine.kv_page_tokens;
  }
  return {
      single("llamacpp:prompt_tokens_total", "Prompt tokens that were read, of all models: without those found in the cache.", kCounter, sums.prompt_tokens),
      single("llamacpp:prompt_seconds_total", "Time that reading prompts took.", kCounter, sums.prompt_seconds),
      single("llamacpp:tokens_predicted_total", "Tokens made.", kCounter, sums.generated_tokens),
      single("llamacpp:tokens_predicted_seconds_total", "Time that making tokens took.", kCounter, sums.generation_seconds),
      single("llamacpp:n_decode_total", "Steps of the engines.", kCounter, steps),
      single("llamacpp:n_tokens_max", "Most tokens that one request had, prompt and answer together.", kCounter, sums.longest),
      single("llamacpp:n_busy_slots_per_decode", "Tokens made in a step, on average.", kGauge,
             rate(made, steps)),
      single("llamacpp:prompt_tokens_seconds", "Prompt tokens per second, on average.", kGauge,
             rate(sums.prompt_tokens, sums.prompt_seconds)),
      single("llamacpp:predicted_tokens_seconds", "Tokens made per second and request, on average.", kGauge,
             rate(sums.generated_tokens, sums.generation_seconds)),
      single("llamacpp:requests_processing", "Answers that are being made.", kGauge, static_cast<double>(running)),
      single("llamacpp:requests_deferred", "Answers that wait for their turn, or for their client to read.", kGauge, static_cast<double>(waiting)),
      single("llamacpp:kv_cache_usage_ratio", "Share of the KV cache in use by answers; 1 is all.", kGauge, share(used, pages)),
      single("llamacpp:kv_cache_tokens", "Positions of the KV cache in use by answers.", kGauge, static_cast<double>(cached)),
  };
}

std::vector<MetricFamily> http_families(std::size_t active_requests) {
  return {single("minnow:http_requests_active", "HTTP requests that have not been answered in full.", MetricType::Gauge,
                 static_cast<double>(active_requests))};
}

std::vector<MetricFamily> process_families() {
  constexpr auto kGauge = MetricType::Gauge, kCounter = MetricType::Counter;
  static const double started = started_unix();
  return {
      single("process_resident_memory_bytes", "Resident memory.", kGauge, memory_bytes(1)),
      single("process_virtual_memory_bytes", "Virtual memory.", kGauge, memory_bytes(0)),
      single("process_cpu_seconds_total", "Processor time, of user and system.", kCounter, cpu_seconds()),
      single("process_open_fds", "Open file descriptors.", kGauge, open_descriptors()),
      single("process_max_fds", "Most file descriptors that can be open.", kGauge, max_descriptors()),
      single("process_start_time_seconds", "When the process started, in seconds since 1970.", kGauge, started),
      family("minnow:build_info", "The version, in a label.", kGauge, {metric(kGauge, 1, {{"version", MINNOW_VERSION}})}),
  };
}

}  // namespace minnow
