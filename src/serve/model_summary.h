// What lists say of a model: read from the head of its file, without loading it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "models/model.h"
#include "respond/model_pool.h"

namespace minnow {

struct ModelSummary {
  std::string format = "unknown", family = "unknown";
  std::string quantization = "unknown";   // "Q4_K_M", "F16"
  int64_t n_parameters = 0, n_ctx_train = 0, n_embd = 0;
  std::vector<std::string> capabilities;  // "completion", "tools", "thinking", "insert", "embedding"
  std::string digest;                     // 64 hexadecimal digits that change with the file
};

ModelSummary summarize(const ModelEntry& entry, const Model& model);

// Made when first asked for and kept until the file changes. May be used from many threads. What cannot be read is "unknown".
class ModelSummaries {
 public:
  std::shared_ptr<const ModelSummary> of(const ModelEntry& entry);

 private:
  struct Kept {
    uint64_t bytes;
    int64_t modified_unix;
    std::shared_ptr<const ModelSummary> summary;
  };
  std::mutex mutex_;
  std::map<std::string, Kept> kept_;  // by path
};

// 7241732096: "7.2B", 268098816: "268.10M", 15000: "15K"; no decimals where they would be zeros.
std::string short_count(int64_t count);

}  // namespace minnow
