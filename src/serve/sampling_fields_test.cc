#include "serve/sampling_fields.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/limits.h"

namespace minnow {
namespace {

SamplingFields read(const char* text, Dialect dialect = Dialect::kOpenAi) {
  const OrderedJson body = parse_ordered_json(text, "test");
  return read_sampling(RequestFields(body), default_sampling(dialect, GgufMetadata("test")));
}

std::string refused_field(const char* text) {
  try {
    read(text);
  } catch (const RequestError& error) {
    return error.param();
  }
  return "nothing";
}

TEST(SamplingFields, draw_from_the_whole_distribution_when_an_openai_request_says_nothing) {
  const SamplingFields fields = read("{}");
  EXPECT_EQ(fields.sampling.temperature, 1);
  EXPECT_EQ(fields.sampling.top_p, 1);
  EXPECT_EQ(fields.sampling.top_k, 0);
  EXPECT_EQ(fields.sampling.min_p, 0);
  EXPECT_EQ(fields.max_tokens, -1);
  EXPECT_FALSE(fields.ignore_end);
}

TEST(SamplingFields, have_the_defaults_of_each_dialect) {
  const GgufMetadata none("test");
  EXPECT_FLOAT_EQ(default_sampling(Dialect::kOllama, none).temperature, 0.8f);
  EXPECT_FLOAT_EQ(default_sampling(Dialect::kOllama, none).top_p, 0.9f);
  EXPECT_EQ(default_sampling(Dialect::kOllama, none).min_p, 0);
  EXPECT_FLOAT_EQ(default_sampling(Dialect::kLlamaServer, none).min_p, 0.05f);
  EXPECT_EQ(default_sampling(Dialect::kAnthropic, none).temperature, 1);
}

TEST(SamplingFields, let_the_model_say_otherwise_within_reason) {
  GgufMetadata metadata("test");
  metadata.set("general.sampling.temp", GgufValue(0.6f));
  metadata.set("general.sampling.top_k", GgufValue(int32_t{20}));
  metadata.set("general.sampling.top_p", GgufValue(7.0f));
  const SamplingParams params = default_sampling(Dialect::kOpenAi, metadata);
  EXPECT_FLOAT_EQ(params.temperature, 0.6f);
  EXPECT_EQ(params.top_k, 20);
  EXPECT_EQ(params.top_p, 1);
}

TEST(SamplingFields, know_the_names_of_openai_vllm_and_llama_server) {
  const SamplingFields fields = read(R"({"temperature": 0, "top_p": 0.5, "top_k": -1, "min_p": 0.1, "typical_p": 0.9,
    "repetition_penalty": 1.2, "presence_penalty": -1, "frequency_penalty": 2, "repeat_last_n": 32, "dry_multiplier": 0.8,
    "dry_penalty_last_n": 5, "dry_sequence_breakers": ["."], "xtc_probability": 0.5, "mirostat": 2, "seed": 42, "max_completion_tokens": 9,
    "max_tokens": 5, "stop": "x", "stop_token_ids": [3], "min_tokens": 2, "ignore_eos": true, "include_stop_str_in_output": true,
    "skip_special_tokens": false, "logit_bias": {"7": 1.5, "9": -100}})");
  EXPECT_EQ(fields.sampling.temperature, 0);
  EXPECT_FLOAT_EQ(fields.sampling.top_p, 0.5f);
  EXPECT_EQ(fields.sampling.top_k, 0);
  EXPECT_FLOAT_EQ(fields.sampling.repetition_penalty, 1.2f);
  EXPECT_EQ(fields.sampling.penalty_last_n, 32);
  EXPECT_EQ(fields.sampling.dry_last_n, 5);
  EXPECT_EQ(fields.sampling.dry_sequence_breakers, std::vector<std::string>{"."});
  EXPECT_EQ(fields.sampling.mirostat, 2);
  EXPECT_EQ(fields.sampling.seed, 42u);
  EXPECT_EQ(fields.max_tokens, 9);
  EXPECT_EQ(fields.stop, std::vector<std::string>{"x"});
  EXPECT_EQ(fields.stop_tokens, std::vector<TokenId>{3});
  EXPECT_EQ(fields.min_tokens, 2);
  EXPECT_TRUE(fields.ignore_end && fields.include_stop && fields.show_special);
  ASSERT_EQ(fields.sampling.logit_bias.size(), 2u);
  EXPECT_EQ(fields.sampling.logit_bias[0], (std::pair<TokenId, float>(7, 1.5f)));
  EXPECT_TRUE(std::isinf(fields.sampling.logit_bias[1].second));
  EXPECT_FLOAT_EQ(read(R"({"repeat_penalty": 1.3})").sampling.repetition_penalty, 1.3f);
  fields.sampling.validate(100);
}

TEST(SamplingFields, take_the_bias_list_of_llama_server) {
  const SamplingFields fields = read(R"({"logit_bias": [[15, 1.0], [17, false]]})");
  ASSERT_EQ(fields.sampling.logit_bias.size(), 2u);
  EXPECT_EQ(fields.sampling.logit_bias[0].first, 15);
  EXPECT_TRUE(std::isinf(fields.sampling.logit_bias[1].second));
}

TEST(SamplingFields, hold_to_tokens_that_are_named) {
  EXPECT_EQ(read(R"({"allowed_token_ids": [7, 9]})").sampling.allowed_tokens, (std::vector<TokenId>{7, 9}));
  EXPECT_TRUE(read(R"({"allowed_token_ids": []})").sampling.allowed_tokens.empty());
  EXPECT_EQ(refused_field(R"({"allowed_token_ids": [-1]})"), "allowed_token_ids[0]");
  EXPECT_EQ(refused_field(R"({"allowed_token_ids": "7"})"), "allowed_token_ids");
}

TEST(SamplingFields, keep_one_token_at_least_when_top_p_is_0) {
  const SamplingFields fields = read(R"({"top_p": 0})");
  EXPECT_GT(fields.sampling.top_p, 0);
  fields.sampling.validate(10);
}

TEST(SamplingFields, name_what_is_wrong) {
  EXPECT_EQ(refused_field(R"({"temperature": "hot"})"), "temperature");
  EXPECT_EQ(refused_field(R"({"temperature": -1})"), "temperature");
  EXPECT_EQ(refused_field(R"({"top_p": 1.1})"), "top_p");
  EXPECT_EQ(refused_field(R"({"max_tokens": -2})"), "max_tokens");
  EXPECT_EQ(refused_field(R"({"max_completion_tokens": 1.5})"), "max_completion_tokens");
  EXPECT_EQ(refused_field(R"({"stop": [""]})"), "stop");
  EXPECT_EQ(refused_field(R"({"stop": {}})"), "stop");
  EXPECT_EQ(refused_field(R"({"seed": "x"})"), "seed");
  EXPECT_EQ(refused_field(R"({"logit_bias": {"word": 1}})"), "logit_bias");
  EXPECT_EQ(refused_field(R"({"logit_bias": {"5": 101}})"), "logit_bias.5");
  EXPECT_EQ(refused_field(R"({"logit_bias": [["word", 1]]})"), "logit_bias[0]");
  EXPECT_EQ(refused_field(R"({"min_tokens": 5, "max_tokens": 4})"), "min_tokens");
  EXPECT_EQ(refused_field(R"({"dry_sequence_breakers": [""]})"), "dry_sequence_breakers");
}

TEST(SamplingFields, bound_stop_strings) {
  const std::string longest(limits::kMaxStopBytes, 'x');
  const auto with = [](const std::string& text) {
    const OrderedJson fields = {{"stop", {"a", text}}};
    return fields.dump();
  };
  EXPECT_EQ(read(with(longest).c_str()).stop, (std::vector<std::string>{"a", longest}));
  EXPECT_EQ(refused_field(with(longest + "x").c_str()), "stop");
  const OrderedJson body = {{"stop_sequences", longest + "x"}};
  EXPECT_THROW(read_stop(RequestFields(body), "stop_sequences"), RequestError);
}

TEST(SamplingFields, refuse_what_they_cannot_honour_unless_it_asks_for_nothing) {
  EXPECT_EQ(refused_field(R"({"use_beam_search": true})"), "use_beam_search");
  EXPECT_EQ(refused_field(R"({"bad_words": ["x"]})"), "bad_words");
  EXPECT_EQ(refused_field(R"({"truncate_prompt_tokens": 5})"), "truncate_prompt_tokens");
  EXPECT_EQ(refused_field(R"({"use_beam_search": false, "bad_words": [], "length_penalty": 1.0, "lora": [], "top_n_sigma": -1.0,
                              "truncate_prompt_tokens": null, "something_new": 3})"),
            "nothing");
}

TEST(SamplingFields, take_any_value_of_what_is_not_supported_that_switches_it_off) {
  for (const char* off : {R"({"top_n_sigma": 0})", R"({"top_n_sigma": -0.5})", R"({"adaptive_target": -0.1})", R"({"adaptive_target": -7})",
                          R"({"t_max_predict_ms": -1})", R"({"dynatemp_range": 0.0})"}) {
    EXPECT_EQ(refused_field(off), "nothing") << off;
  }
  EXPECT_EQ(refused_field(R"({"top_n_sigma": 0.5})"), "top_n_sigma");
  EXPECT_EQ(refused_field(R"({"adaptive_target": 0})"), "adaptive_target");
  EXPECT_EQ(refused_field(R"({"t_max_predict_ms": 1})"), "t_max_predict_ms");
  EXPECT_EQ(refused_field(R"({"dynatemp_range": 0.5})"), "dynatemp_range");
  EXPECT_EQ(refused_field(R"({"top_n_sigma": "0"})"), "top_n_sigma");
}

TEST(SamplingFields, draw_a_seed_where_none_is_given) {
  EXPECT_NE(read("{}").sampling.seed, read("{}").sampling.seed);
  EXPECT_NE(read(R"({"seed": -1})").sampling.seed, read(R"({"seed": -1})").sampling.seed);
  for (int i = 0; i < 20; ++i) EXPECT_LE(read("{}").sampling.seed, UINT32_MAX);
}

TEST(SamplingFields, refuse_a_seed_that_does_not_fit) {
  EXPECT_EQ(read(R"({"seed": 9223372036854775807})").sampling.seed, 9223372036854775807u);
  EXPECT_EQ(refused_field(R"({"seed": 9223372036854775808})"), "seed");
  EXPECT_EQ(refused_field(R"({"seed": 18446744073709551615})"), "seed");
}

TEST(ChoiceSeed, is_that_of_the_request_and_then_another_one) {
  EXPECT_EQ(choice_seed(5, 0), 5u);
  EXPECT_NE(choice_seed(5, 1), 5u);
  EXPECT_NE(choice_seed(5, 1), choice_seed(5, 2));
  EXPECT_NE(choice_seed(5, 1), choice_seed(6, 1));
  EXPECT_EQ(choice_seed(5, 3), choice_seed(5, 3));
}

}  // namespace
}  // namespace minnow
