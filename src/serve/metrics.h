// What a server did, in Prometheus' text format: under the names that vLLM's and llama-server's dashboards look for.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "respond/model_pool.h"
#include "serve/observer.h"

namespace minnow {

// Counts what it observes. Labels hold names of models and routes, never a text of a request: their number is bounded.
class Metrics final : public Observer {
 public:
  Metrics();
  ~Metrics() override;

  void first_token(const RequestFacts& facts, double seconds_since_start) override;
  void next_tokens(const RequestFacts& facts, int64_t count, double seconds_since_last) override;
  void request_started(const RequestFacts& facts) override;
  void request_ended(const RequestFacts& facts) override;

  // Of PoolOptions::on_end: what the model's engine counted goes on to count. Any thread.
  void model_ends(LoadedModel& model);

  // Everything, with the state of the engines and the process as they are now; of models those that may be seen (all, without a
  // function). Any thread.
  using MaySee = std::function<bool(const std::string& model)>;
  std::string text(const ModelPool& models, const MaySee& may_see = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minnow
