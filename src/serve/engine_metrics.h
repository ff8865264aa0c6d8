// The state of the loaded models' engines and of the process, as metric families made anew for every look.
#pragma once

#include <prometheus/metric_family.h>

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

// Counts of engines that ended with their model are kept, so that sums over all never fall.
class StepCounter {
 public:
  void see(const std::vector<ModelStatus>& models);
  double steps() const { return static_cast<double>(steps_); }
  double tokens() const { return static_cast<double>(tokens_); }

 private:
  struct Seen {
    int64_t steps = 0, tokens = 0;
  };
  std::map<std::string, Seen> seen_;
  int64_t steps_ = 0, tokens_ = 0;
};

std::vector<prometheus::MetricFamily> vllm_engine_families(const std::vector<ModelStatus>& models);
std::vector<prometheus::MetricFamily> llama_server_families(const std::vector<ModelStatus>& models, const TokenSums& sums,
                                                            const StepCounter& steps);
std::vector<prometheus::MetricFamily> http_families(std::size_t active_requests);
// process_resident_memory_bytes and the like, and minnow_build_info.
std::vector<prometheus::MetricFamily> process_families();

}  // namespace minnow
