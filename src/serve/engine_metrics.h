// The state of the loaded models' engines and of the process, as metric families made anew for every look.
#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace minnow {

struct ModelStatus {
  std::string model;
  EngineStatus engine;
  uint64_t memory_bytes = 0;
};

// Sums that llama-server keeps for its one model; of requests that have ended.
struct TokenSums {
  double prompt_tokens = 0;  // without those found in the cache
  double prompt_seconds = 0, generated_tokens = 0, generation_seconds = 0;
  double longest = 0;  // most tokens that one request had, prompt and answer together
};

// What engines have counted, by model, whether it is loaded or not: no count ever falls.
class EngineCounts {
 public:
  struct Of {
    std::string model;
    int64_t prefix_queries = 0, prefix_hits = 0, preemptions = 0, generated_tokens = 0, steps = 0, step_tokens = 0;
    std::array<int64_t, EngineStatus::kStepBounds.size() + 1> steps_by_tokens{};
  };

  // An engine ends with these counts.
  void end(const std::string& model, const EngineStatus& engine);
  // Those of engines that ended, of those that run, and never less than was told before: one that is about to end is in neither.
  // Models beyond limits::kMaxMetricModels are "other".
  std::vector<Of> with(const std::vector<ModelStatus>& loaded);

 private:
  Of& of(std::map<std::string, Of>& counts, const std::string& model);
  std::map<std::string, Of> ended_, told_;
};

std::vector<prometheus::MetricFamily> vllm_engine_families(const std::vector<ModelStatus>& models, const std::vector<EngineCounts::Of>& counts);
std::vector<prometheus::MetricFamily> llama_server_families(const std::vector<ModelStatus>& models, const TokenSums& sums,
                                                            const std::vector<EngineCounts::Of>& counts);
std::vector<prometheus::MetricFamily> http_families(std::size_t active_requests);
// process_resident_memory_bytes and the like, and minnow_build_info.
std::vector<prometheus::MetricFamily> process_families();

}  // namespace minnow
