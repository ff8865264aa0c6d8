#include "serve/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

#include "base/limits.h"
#include "serve/engine_metrics.h"

namespace minnow {
namespace {

using testing::HasSubstr;
using testing::Not;

RequestFacts answer(uint64_t number = 1) {
  RequestFacts facts;
  facts.id = "the client's own";
  facts.number = number;
  facts.method = "POST";
  facts.route = "/v1/chat/completions";
  facts.model = "tiny";
  facts.choices = 2;
  facts.status = 200;
  facts.seconds = 0.3;
  facts.prompt_tokens = 10;
  facts.reused_tokens = 4;
  facts.generated_tokens = 7;
  facts.longest_tokens = 4;
  facts.max_tokens = 100;
  facts.queue_seconds = 0.02;
  facts.prompt_seconds = 0.1;
  facts.generation_seconds = 0.14;
  facts.reason = FinishReason::kMaxTokens;
  return facts;
}

class MetricsTest : public testing::Test {
 protected:
  std::string text() { return metrics.text(pool); }
  ModelPool pool{PoolOptions{}};
  Metrics metrics;
};

TEST_F(MetricsTest, CountsAnAnswerUnderTheNamesOfVllm) {
  metrics.request_started(answer());
  metrics.first_token(answer(), 0.12);
  metrics.next_tokens(answer(), 3, 0.06);
  metrics.request_ended(answer());
  const std::string text = this->text();
  EXPECT_THAT(text, HasSubstr("vllm:prompt_tokens_total{model_name=\"tiny\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("vllm:generation_tokens_total{model_name=\"tiny\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_success_total{finished_reason=\"length\",model_name=\"tiny\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_success_total{finished_reason=\"stop\",model_name=\"tiny\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("vllm:time_to_first_token_seconds_count{model_name=\"tiny\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("vllm:time_to_first_token_seconds_bucket{model_name=\"tiny\",le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("vllm:time_to_first_token_seconds_bucket{model_name=\"tiny\",le=\"0.25\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("vllm:inter_token_latency_seconds_count{model_name=\"tiny\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("vllm:inter_token_latency_seconds_bucket{model_name=\"tiny\",le=\"0.025\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("vllm:e2e_request_latency_seconds_sum{model_name=\"tiny\"} 0.3\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_params_n_sum{model_name=\"tiny\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_params_max_tokens_bucket{model_name=\"tiny\",le=\"50\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_params_max_tokens_bucket{model_name=\"tiny\",le=\"100\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("vllm:request_max_num_generation_tokens_sum{model_name=\"tiny\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE vllm:request_prefill_time_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("http_requests_total{handler=\"/v1/chat/completions\",method=\"POST\",status=\"2xx\"} 1\n"));
}

TEST_F(MetricsTest, CountsAnAnswerUnderTheNamesOfLlamaServer) {
  metrics.request_ended(answer());
  RequestFacts longer = answer();
  longer.generated_tokens = 30;
  metrics.request_ended(longer);
  const std::string text = this->text();
  EXPECT_THAT(text, HasSubstr("llamacpp:prompt_tokens_total 12\n"));
  EXPECT_THAT(text, HasSubstr("llamacpp:tokens_predicted_total 37\n"));
  EXPECT_THAT(text, HasSubstr("llamacpp:n_tokens_max 40\n"));
  EXPECT_THAT(text, HasSubstr("llamacpp:prompt_seconds_total 0.2\n"));
  EXPECT_THAT(text, HasSubstr("llamacpp:prompt_tokens_seconds 60\n")) << "tokens found in the cache took no time";
  EXPECT_THAT(text, HasSubstr("llamacpp:requests_processing 0\n"));
}

TEST_F(MetricsTest, CountsEmbeddingsAsPromptTokensOnly) {
  RequestFacts facts = answer();
  facts.choices = 0;
  facts.reason.reset();
  facts.generated_tokens = 0;
  metrics.request_ended(facts);
  const std::string text = this->text();
  EXPECT_THAT(text, HasSubstr("vllm:prompt_tokens_total{model_name=\"tiny\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("vllm:e2e_request_latency_seconds_count{model_name=\"tiny\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("llamacpp:prompt_tokens_seconds 60\n")) << "their time counts as their tokens do";
}

TEST_F(MetricsTest, WordsOfARequestAreNeverALabel) {
  RequestFacts facts;
  facts.id = "r";
  facts.method = "MARKER";
  facts.model = "MARKER";
  facts.status = 404;
  facts.error = "MARKER";
  metrics.request_ended(facts);
  EXPECT_THAT(text(), Not(HasSubstr("MARKER")));
  EXPECT_THAT(text(), HasSubstr("http_requests_total{handler=\"none\",method=\"other\",status=\"4xx\"} 1\n"));
}

TEST_F(MetricsTest, AClientThatWentAwayIsAStatusOfItsOwn) {
  RequestFacts facts = answer();
  facts.client_gone = true;
  facts.reason = FinishReason::kCancelled;
  metrics.request_ended(facts);
  EXPECT_THAT(text(), HasSubstr("status=\"499\"} 1\n"));
  EXPECT_THAT(text(), HasSubstr("finished_reason=\"abort\",model_name=\"tiny\"} 1\n"));
}

TEST_F(MetricsTest, ModelsThatMayNotBeSeenAreInNoSeries) {
  metrics.request_ended(answer());
  RequestFacts other = answer(2);
  other.model = "MARKER";
  metrics.request_ended(other);
  const std::string all = text(), some = metrics.text(pool, [](const std::string& model) { return model == "tiny"; });
  EXPECT_THAT(all, HasSubstr("MARKER"));
  EXPECT_THAT(some, Not(HasSubstr("MARKER")));
  EXPECT_THAT(some, HasSubstr("vllm:prompt_tokens_total{model_name=\"tiny\"} 10\n"));
  EXPECT_THAT(some, HasSubstr("llamacpp:tokens_predicted_total 14\n")) << "of the process";
  EXPECT_THAT(some, HasSubstr("process_open_fds "));
}

TEST_F(MetricsTest, KnowsWhichRequestsAreActive) {
  metrics.request_started(answer(1));
  metrics.request_started(answer(2));
  EXPECT_THAT(text(), HasSubstr("minnow:http_requests_active 2\n"));
  metrics.request_ended(answer(1));
  metrics.request_ended(answer(3));
  EXPECT_THAT(text(), HasSubstr("minnow:http_requests_active 1\n"));
}

TEST_F(MetricsTest, TheNumberOfModelsInLabelsIsBounded) {
  for (std::size_t i = 0; i < limits::kMaxMetricModels + 50; ++i) {
    RequestFacts facts = answer();
    facts.model = "m" + std::to_string(i);
    metrics.request_ended(facts);
  }
  const std::string text = this->text();
  EXPECT_THAT(text, HasSubstr("vllm:prompt_tokens_total{model_name=\"other\"} 500\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"m" + std::to_string(limits::kMaxMetricModels) + "\"")));
}

TEST_F(MetricsTest, TellsOfTheProcess) {
  const std::string text = this->text();
  for (const char* name :
       {"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total", "process_start_time_seconds"}) {
    const std::size_t at = text.find("\n" + std::string(name) + " ");
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_NE(text.substr(at + 2 + std::string(name).size(), 2), "0\n") << name;
  }
}

EngineStatus status(int64_t steps, int64_t tokens) {
  EngineStatus s;
  s.running = 3, s.waiting = 2;
  s.kv_pages = 100, s.kv_pages_used = 25, s.kv_page_tokens = 16;
  s.prefix_queries = 50, s.prefix_hits = 20;
  s.preemptions = 1;
  s.steps = steps, s.generated_tokens = tokens;
  return s;
}

double value_of(const std::vector<prometheus::MetricFamily>& families, const std::string& name) {
  for (const auto& family : families) {
    if (family.name == name) return family.metric.at(0).gauge.value + family.metric.at(0).counter.value;
  }
  ADD_FAILURE() << name;
  return -1;
}

std::vector<prometheus::MetricFamily> engine_families(const std::vector<ModelStatus>& models) {
  return vllm_engine_families(models, EngineCounts().with(models));
}

TEST(EngineMetrics, ReadTheStateOfEveryEngine) {
  const auto families = engine_families({{"tiny", status(10, 30), 5000}});
  EXPECT_EQ(value_of(families, "vllm:num_requests_running"), 3);
  EXPECT_EQ(value_of(families, "vllm:num_requests_waiting"), 2);
  EXPECT_EQ(value_of(families, "vllm:kv_cache_usage_perc"), 0.25);
  EXPECT_EQ(value_of(families, "vllm:prefix_cache_queries_total"), 50);
  EXPECT_EQ(value_of(families, "vllm:prefix_cache_hits_total"), 20);
  EXPECT_EQ(value_of(families, "vllm:num_preemptions_total"), 1);
  EXPECT_EQ(value_of(families, "minnow:model_memory_bytes"), 5000);
}

// Those of the dashboard that vLLM's documentation has, and of its older form.
TEST_F(MetricsTest, HasWhatDashboardsForVllmLookFor) {
  metrics.first_token(answer(), 0.12);
  metrics.next_tokens(answer(), 1, 0.06);
  metrics.request_ended(answer());
  const std::string of_requests = text();
  for (const char* name : {"e2e_request_latency_seconds_bucket", "prompt_tokens_total", "generation_tokens_total", "time_per_output_token_seconds_bucket",
                           "inter_token_latency_seconds_bucket", "time_to_first_token_seconds_bucket", "request_prompt_tokens_bucket",
                           "request_generation_tokens_bucket", "request_success_total", "request_queue_time_seconds_sum", "request_prefill_time_seconds_sum",
                           "request_decode_time_seconds_sum", "request_inference_time_seconds_sum", "request_max_num_generation_tokens_sum", "request_params_n_sum",
                           "request_params_max_tokens_sum"}) {
    EXPECT_THAT(of_requests, HasSubstr(std::string("\nvllm:") + name + "{")) << name;
  }
  const auto of_engines = engine_families({{"tiny", status(10, 30), 5000}});
  for (const char* name : {"num_requests_running", "num_requests_waiting", "num_requests_swapped", "gpu_cache_usage_perc", "kv_cache_usage_perc",
                           "prefix_cache_queries_total", "prefix_cache_hits_total", "num_preemptions_total"}) {
    value_of(of_engines, std::string("vllm:") + name);
  }
}

TEST(EngineMetrics, TellHowManyTokensStepsWorkedOn) {
  EngineStatus s = status(10, 30);
  s.step_tokens = 300;
  s.steps_by_tokens[0] = 7;   // 1
  s.steps_by_tokens[5] = 2;   // to 128
  s.steps_by_tokens.back() = 1;
  const auto families = engine_families({{"tiny", s, 5000}});
  const auto it = std::find_if(families.begin(), families.end(), [](const auto& f) { return f.name == "vllm:iteration_tokens_total"; });
  ASSERT_NE(it, families.end());
  const auto text = prometheus::TextSerializer().Serialize({*it});
  EXPECT_THAT(text, HasSubstr("# TYPE vllm:iteration_tokens_total histogram\n"));
  EXPECT_THAT(text, HasSubstr("vllm:iteration_tokens_total_count{model_name=\"tiny\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("vllm:iteration_tokens_total_sum{model_name=\"tiny\"} 300\n"));
  EXPECT_THAT(text, HasSubstr("le=\"64\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("le=\"128\"} 9\n"));
  EXPECT_THAT(text, HasSubstr("le=\"16384\"} 9\n"));
  EXPECT_THAT(text, HasSubstr("le=\"+Inf\"} 10\n"));
}

TEST_F(MetricsTest, AnswersThatMayGoOnHaveNoMostTokens) {
  RequestFacts facts = answer();
  facts.max_tokens = -1;
  metrics.request_ended(facts);
  EXPECT_THAT(text(), HasSubstr("vllm:request_params_max_tokens_count{model_name=\"tiny\"} 0\n"));
}

TEST(EngineMetrics, SumOverModelsForLlamaServer) {
  const std::vector<ModelStatus> models = {{"a", status(10, 30), 0}, {"b", status(10, 10), 0}};
  const auto families = llama_server_families(models, {}, EngineCounts().with(models));
  EXPECT_EQ(value_of(families, "llamacpp:requests_processing"), 6);
  EXPECT_EQ(value_of(families, "llamacpp:requests_deferred"), 4);
  EXPECT_EQ(value_of(families, "llamacpp:kv_cache_usage_ratio"), 0.25);
  EXPECT_EQ(value_of(families, "llamacpp:kv_cache_tokens"), 800);
  EXPECT_EQ(value_of(families, "llamacpp:n_decode_total"), 20);
  EXPECT_EQ(value_of(families, "llamacpp:n_busy_slots_per_decode"), 2);
}

TEST(EngineCounts, NeverFallWhenAModelIsUnloadedAndLoadedAgain) {
  EngineCounts counts;
  const auto steps = [&](const std::vector<ModelStatus>& loaded) {
    return value_of(vllm_engine_families(loaded, counts.with(loaded)), "minnow:engine_steps_total");
  };
  EXPECT_EQ(steps({{"a", status(10, 30), 0}}), 10);
  EXPECT_EQ(steps({}), 10) << "it is about to end";
  counts.end("a", status(12, 36));
  EXPECT_EQ(steps({}), 12) << "with the last steps that nobody had looked at";
  EXPECT_EQ(steps({{"a", status(20, 40), 0}}), 32) << "also when it has done more than before";
  counts.end("a", status(20, 40));
  EXPECT_EQ(steps({{"a", status(1, 1), 0}}), 33);
  const auto all = counts.with({{"b", status(5, 5), 0}});
  EXPECT_EQ(all.size(), 2u);
  EXPECT_EQ(value_of(llama_server_families({}, {}, all), "llamacpp:n_decode_total"), 38);
  EXPECT_EQ(value_of(vllm_engine_families({}, all), "vllm:prefix_cache_queries_total"), 150) << "of a";
}

TEST(EngineCounts, OfModelsAreBounded) {
  EngineCounts counts;
  for (std::size_t i = 0; i < limits::kMaxMetricModels + 9; ++i) counts.end("m" + std::to_string(i), status(1, 1));
  const auto all = counts.with({});
  EXPECT_EQ(all.size(), limits::kMaxMetricModels + 1);
  const auto other = std::ranges::find(all, "other", &EngineCounts::Of::model);
  ASSERT_NE(other, all.end());
  EXPECT_EQ(other->steps, 9);
}

}  // namespace
}  // namespace minnow
