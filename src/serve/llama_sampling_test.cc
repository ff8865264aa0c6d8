#include "serve/llama_sampling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/limits.h"
#include "base/test_refusal.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using test::refusal;

// One token for each byte, and "ab".
const Tokenizer& tokenizer() {
  static const auto kTokenizer = Tokenizer::build(testing_specs::byte_bpe({{"a", "b"}}));
  return *kTokenizer;
}

SamplingFields read(std::string_view json) {
  const OrderedJson body = parse_ordered_json(json, "test");
  return read_llama_sampling(RequestFields(body), tokenizer(), GgufMetadata("test"));
}

std::string refused(std::string_view json) {
  return refusal([&] { read(json); });
}

TEST(Samplers, that_are_not_named_are_off) {
  const SamplingParams p = read(R"({"top_k": 5, "top_p": 0.5, "min_p": 0.2, "temperature": 0.7, "repeat_penalty": 1.5, "presence_penalty": 1,
    "dry_multiplier": 0.8, "xtc_probability": 0.5, "typical_p": 0.9, "samplers": ["top_k", "temperature"]})").sampling;
  EXPECT_EQ(p.top_k, 5);
  EXPECT_EQ(p.temperature, 0.7f);
  EXPECT_EQ(p.top_p, 1);
  EXPECT_EQ(p.min_p, 0);
  EXPECT_EQ(p.typical_p, 1);
  EXPECT_EQ(p.repetition_penalty, 1);
  EXPECT_EQ(p.presence_penalty, 0);
  EXPECT_EQ(p.dry_multiplier, 0);
  EXPECT_EQ(p.xtc_probability, 0);
}

TEST(Samplers, that_are_all_named_change_nothing) {
  const OrderedJson all = sampler_names();
  const SamplingParams p = read(fmt::format(R"({{"top_p": 0.5, "repeat_penalty": 1.5, "samplers": {}}})", all.dump())).sampling;
  EXPECT_EQ(p.top_p, 0.5f);
  EXPECT_EQ(p.repetition_penalty, 1.5f);
  EXPECT_EQ(p.top_k, 40);
}

TEST(Samplers, have_infill_only_where_it_is_named) {
  EXPECT_FALSE(read("{}").sampling.infill);
  const SamplingFields fields = read(R"({"top_k": 40, "top_p": 0.99, "samplers": ["top_k", "top_p", "infill"]})");  // as llama.vim has it
  EXPECT_TRUE(fields.sampling.infill);
  EXPECT_EQ(fields.sampling.top_p, 0.99f);
  EXPECT_EQ(fields.sampling.temperature, 1);
  EXPECT_NE(llama_settings_json(fields)["samplers"].dump().find("infill"), std::string::npos);
  EXPECT_TRUE(read(R"({"samplers": "kpi"})").sampling.infill);
}

TEST(Samplers, may_be_none_at_all) {
  const SamplingParams p = read(R"({"temperature": 0.0, "samplers": []})").sampling;
  EXPECT_EQ(p.top_k, 0);
  EXPECT_EQ(p.temperature, 1);
}

TEST(Samplers, may_be_letters) {
  EXPECT_EQ(read(R"({"top_k": 5, "min_p": 0.3, "samplers": "kt"})").sampling.top_k, 5);
  EXPECT_EQ(read(R"({"top_k": 5, "min_p": 0.3, "samplers": "kt"})").sampling.min_p, 0);
}

TEST(Samplers, that_give_the_same_in_another_order_are_taken) {
  EXPECT_EQ(refused(R"({"samplers": ["temperature", "top_k"]})"), "") << "the best 40 are the same at any temperature";
  EXPECT_EQ(refused(R"({"samplers": ["min_p", "top_k", "temperature"]})"), "");
  EXPECT_EQ(refused(R"({"samplers": ["temperature", "typ_p", "top_n_sigma", "xtc", "dry", "penalties", "top_k"]})"), "") << "most are off";
  EXPECT_EQ(refused(R"({"samplers": ["temperature", "top_p", "min_p"], "temperature": 1})"), "");
  EXPECT_EQ(refused(R"({"samplers": ["temperature", "min_p", "top_p", "top_k"], "temperature": 0})"), "") << "the likeliest, in any order";
  EXPECT_EQ(refused(R"({"samplers": ["dry", "penalties"], "dry_multiplier": 0.8, "presence_penalty": 1})"), "");
}

TEST(Samplers, of_another_order_or_kind_are_refused) {
  EXPECT_TRUE(refused(R"({"samplers": ["temperature", "top_p"]})").starts_with("samplers: temperature cannot come before top_p"));
  EXPECT_TRUE(refused(R"({"samplers": ["top_p", "top_k"]})").starts_with("samplers: top_p cannot come before top_k"));
  EXPECT_TRUE(refused(R"({"samplers": ["min_p", "top_p"]})").starts_with("samplers: "));
  EXPECT_TRUE(refused(R"({"samplers": ["infill", "top_p"]})").starts_with("samplers: "));
  EXPECT_TRUE(refused(R"({"samplers": ["dry", "penalties"], "dry_multiplier": 0.8, "repeat_penalty": 1.1})").starts_with("samplers: "));
  EXPECT_TRUE(refused(R"({"samplers": ["top_k", "penalties"], "repeat_penalty": 1.1, "temperature": 0})").starts_with("samplers: "));
  EXPECT_TRUE(refused(R"({"samplers": ["top_k", "top_k"]})").starts_with("samplers: names top_k twice"));
  EXPECT_TRUE(refused(R"({"samplers": ["top_k", "adaptive_p"]})").starts_with("samplers: "));
  EXPECT_TRUE(refused(R"({"samplers": "kq"})").starts_with("samplers: "));
  EXPECT_TRUE(refused(R"({"samplers": ["top_k", 1]})").starts_with("samplers[1]: "));
  EXPECT_TRUE(refused(R"({"samplers": 1})").starts_with("samplers: "));
}

TEST(LogitBias, may_name_texts) {
  const auto biases = [](std::string_view json) { return read(fmt::format(R"({{"logit_bias": {}}})", json)).sampling.logit_bias; };
  using Pairs = std::vector<std::pair<TokenId, float>>;
  EXPECT_EQ(biases(R"([[97, 1.5], ["ab", -2]])"), (Pairs{{97, 1.5f}, {256, -2.0f}}));
  EXPECT_EQ(biases(R"([["xy", 1]])"), (Pairs{{'x', 1.0f}, {'y', 1.0f}})) << "each of its tokens";
  EXPECT_EQ(biases(R"({"97": 1, "ab": 2})"), (Pairs{{97, 1.0f}, {256, 2.0f}}));
  EXPECT_EQ(biases(R"([[97, false]])")[0].second, -INFINITY);
  for (const char* json : {"7", "[7]", "[[97]]", "[[97, \"x\"]]", "[[97, true]]", "[[-1, 1]]", "[[[97], 1]]", R"({"97": "x"})"}) {
    EXPECT_NE(refusal([&] { biases(json); }), "") << json;
  }
}

TEST(LlamaSampling, keeps_one_token_and_no_more) {
  EXPECT_EQ(refused(R"({"min_keep": 0})"), "");
  EXPECT_EQ(refused(R"({"min_keep": 1})"), "");
  EXPECT_TRUE(refused(R"({"min_keep": 2})").starts_with("min_keep: "));
  EXPECT_TRUE(refused(R"({"min_keep": -1})").starts_with("min_keep: "));
}

TEST(LlamaSampling, skips_empty_stop_strings) {
  EXPECT_EQ(read(R"({"stop": ["", "a", ""]})").stop, std::vector<std::string>{"a"});
  EXPECT_TRUE(read(R"({"stop": [""]})").stop.empty());
  EXPECT_TRUE(read(R"({"stop": ""})").stop.empty());
  EXPECT_TRUE(refused(R"({"stop": ["", 7]})").starts_with("stop[0]: "));
}

TEST(LlamaSettings, say_what_was_read) {
  const SamplingFields fields = read(R"({"temperature": 0.5, "seed": 7, "n_predict": 9, "stop": ["a"], "logit_bias": [[97, false]]})");
  const OrderedJson settings = llama_settings_json(fields);
  EXPECT_EQ(settings["temperature"], 0.5);
  EXPECT_EQ(settings["seed"], 7);
  EXPECT_EQ(settings["n_predict"], 9);
  EXPECT_EQ(settings["stop"].dump(), R"(["a"])");
  EXPECT_EQ(settings["logit_bias"].dump(), R"([{"token":97,"bias":null}])");
  EXPECT_EQ(settings["top_k"], 40);
}

TEST(LogitBias, of_texts_has_as_many_tokens_as_any_other) {
  const std::string text(limits::kMaxLogitBias, 'x');
  EXPECT_EQ(read(fmt::format(R"({{"logit_bias": [["{}", 1]]}})", text)).sampling.logit_bias.size(), limits::kMaxLogitBias);
  EXPECT_TRUE(refused(fmt::format(R"({{"logit_bias": [["{}x", 1]]}})", text)).starts_with("logit_bias: "));
  EXPECT_TRUE(refused(fmt::format(R"({{"logit_bias": [["{}", 1], [97, 1]]}})", text)).starts_with("logit_bias: "));
}

// Each token of the text would have a copy of it.
TEST(LogitBias, is_refused_before_it_is_given_to_tokens) {
  EXPECT_TRUE(refused(fmt::format(R"({{"logit_bias": [["{}", "{}"]]}})", std::string(1 << 20, 'x'), std::string(1 << 20, 'y'))).starts_with("logit_bias[0]: "));
  EXPECT_TRUE(refused(R"({"logit_bias": {"ab": [1]}})").starts_with("logit_bias: "));
}

TEST(LogitBias, takes_keys_that_are_numbers_however_they_are_written) {
  using Pairs = std::vector<std::pair<TokenId, float>>;
  EXPECT_EQ(read(R"({"logit_bias": {"097": 1}})").sampling.logit_bias, (Pairs{{97, 1.0f}}));
  EXPECT_NE(refused(R"({"logit_bias": {"-97": 1}})"), "");
}

}  // namespace
}  // namespace minnow
