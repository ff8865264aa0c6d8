// What the peers print, in the layout of their printers; the figures are made up.
#include "eval/peer_output.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace minnow {
namespace {

const BenchTest kPp512{.n_prompt = 512}, kTg128{.n_generate = 128}, kTg128Deep{.n_generate = 128, .depth = 4096};
const BenchTest kTg32x4{.n_generate = 32, .n_sequences = 4};

constexpr const char* kJson = R"(ggml: some log line
[
  {
    "build_commit": "abc", "n_threads": 2, "n_prompt": 512, "n_gen": 0, "avg_ns": 1, "avg_ts": 604.983466,
    "stddev_ts": 24.9, "test": "pp512", "samples_ts": [ 587.375, 622.592 ]
  },
  {
    "build_commit": "abc", "n_threads": 2, "n_prompt": 0, "n_gen": 128, "avg_ns": 1, "avg_ts": 91.5749,
    "stddev_ts": 2.1, "test": "tg128", "samples_ts": [ 90.0379, 93.1119 ]
  },
  {
    "n_prompt": 4096, "n_gen": 128, "avg_ts": 61.25, "test": "tg128@pp4096"
  },
  {
    "n_prompt": 512, "n_gen": 128, "avg_ts": 300, "test": "pp512+tg128"
  }
]
build: abc (1)
)";

TEST(PeerOutput, ReadsJsonOfLlamaBench) {
  EXPECT_DOUBLE_EQ(tokens_per_second_in(kJson, kPp512), 604.983466);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(kJson, kTg128), 91.5749);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(kJson, kTg128Deep), 61.25);
}

TEST(PeerOutput, ReadsJsonLinesOfLlamaBenchWithDepth) {
  const std::string lines =
      "loading...\n"
      R"({"n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ts": 100.5, "samples_ts": [100.5]})" "\n"
      R"({"n_prompt": 0, "n_gen": 128, "n_depth": 4096, "avg_ts": 50.25, "samples_ts": [50.25]})" "\n";
  EXPECT_DOUBLE_EQ(tokens_per_second_in(lines, kPp512), 100.5);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(lines, kTg128Deep), 50.25);
  EXPECT_THROW(tokens_per_second_in(lines, kTg128), Error);  // that is another depth
}

TEST(PeerOutput, ReadsMarkdownOfLlamaBench) {
  const std::string table =
      "| model           |       size |     params | backend    | threads |          test |              t/s |\n"
      "| --------------- | ---------: | ---------: | ---------- | ------: | ------------: | ---------------: |\n"
      "| qwen3 0.6B Q4_0 | 479.93 MiB |   751.63 M | CPU        |       2 |         pp512 |    610.03 ± 0.32 |\n"
      "| qwen3 0.6B Q4_0 | 479.93 MiB |   751.63 M | CPU        |       2 |   pp512+tg128 |    300.00 ± 0.32 |\n"
      "| qwen3 0.6B Q4_0 | 479.93 MiB |   751.63 M | CPU        |       2 |         tg128 |     92.42 ± 0.12 |\n"
      "| qwen3 0.6B Q4_0 | 479.93 MiB |   751.63 M | CPU        |       2 | tg128 @ d4096 |     71.00 ± 0.12 |\n"
      "| qwen3 0.6B Q4_0 | 479.93 MiB |   751.63 M | CPU        |       2 |    tg64@pp256 |     81.00 ± 0.12 |\n"
      "\nbuild: 8337e4cd3 (4840)\n";
  EXPECT_DOUBLE_EQ(tokens_per_second_in(table, kPp512), 610.03);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(table, kTg128), 92.42);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(table, kTg128Deep), 71);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(table, {.n_generate = 64, .depth = 256}), 81);
}

TEST(PeerOutput, ReadsCsvOfLlamaBench) {
  const std::string csv =
      "build_commit,cpu_info,model_filename,n_prompt,n_gen,avg_ns,stddev_ns,avg_ts,stddev_ts,test\n"
      "\"8337e4cd3\",\"AMD, EPYC\",\"/m/a.gguf\",\"512\",\"0\",\"106193911\",\"5040151\",\"603.350641\",\"28.6\",\"pp512\"\n"
      "\"8337e4cd3\",\"AMD, EPYC\",\"/m/a.gguf\",\"0\",\"128\",\"106193911\",\"5040151\",\"90.5\",\"28.6\",\"tg128\"\n";
  EXPECT_DOUBLE_EQ(tokens_per_second_in(csv, kPp512), 603.350641);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(csv, kTg128), 90.5);
}

TEST(PeerOutput, ReadsTheTableOfBatchedBench) {
  const std::string table =
      "main: n_kv_max = 1024, n_batch = 2048\n\n"
      "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |\n"
      "|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|\n"
      "|    64 |     32 |    1 |     96 |    0.247 |   129.61 |    0.532 |    15.03 |    0.779 |    51.33 |\n"
      "|    64 |     32 |    4 |    384 |    0.771 |   166.00 |    1.048 |    30.54 |    1.819 |    87.96 |\n\n"
      "llama_print_timings:        load time =     458.24 ms\n";
  EXPECT_DOUBLE_EQ(tokens_per_second_in(table, kTg32x4), 30.54);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(table, {.n_generate = 32}), 15.03);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(table, {.n_prompt = 64}), 129.61);
}

TEST(PeerOutput, ReadsJsonLinesOfBatchedBench) {
  const std::string lines =
      R"({"n_kv_max": 1024, "pp": 64, "tg": 32, "pl": 4, "n_kv": 384, "t_pp": 0.7, "speed_pp": 166.0, "t_tg": 1.0, "speed_tg": 30.5, "t": 1.8, "speed": 87.9})";
  EXPECT_DOUBLE_EQ(tokens_per_second_in(lines, kTg32x4), 30.5);
}

TEST(PeerOutput, ReadsAnEarlierMinnow) {
  const std::string json =
      R"({"model":"m","prompt_tokens":512,"generation_tokens":128,"prompt_tokens_per_second":1200.5,"generation_tokens_per_second":114.5})";
  EXPECT_DOUBLE_EQ(tokens_per_second_in(json, kPp512), 1200.5);
  EXPECT_DOUBLE_EQ(tokens_per_second_in(json, kTg128), 114.5);
  EXPECT_THROW(tokens_per_second_in(json, {.n_generate = 64}), Error);
}

TEST(PeerOutput, SaysWhatThereIsInstead) {
  try {
    tokens_per_second_in(kJson, {.n_prompt = 2048});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("no figure for pp2048, only for pp512"), std::string::npos) << e.what();
  }
  for (const char* nothing : {"", "hello\n", "[", "{\"a\": ", "| a | b |\n", "[1, 2]", "{\"avg_ts\": \"x\"}", "|", "t/s"}) {
    EXPECT_THROW(tokens_per_second_in(nothing, kPp512), Error) << nothing;
  }
}

TEST(PeerOutput, SurvivesAnyBytes) {
  std::string text = kJson;
  for (std::size_t cut = 0; cut < text.size(); cut += 7) {
    std::string spoiled = text.substr(0, cut) + '\0' + std::string(3, '\xff') + text.substr(std::min(text.size(), cut + 5));
    try {
      EXPECT_GT(tokens_per_second_in(spoiled, kPp512), 0);
    } catch (const Error&) {
    }
  }
}

TEST(PeerPattern, GivesItsFirstGroup) {
  EXPECT_DOUBLE_EQ(tokens_per_second_by("speed: ([0-9.]+)", "log\nspeed: 12.5 t/s\nspeed: 3"), 12.5);
  EXPECT_THROW(tokens_per_second_by("speed: ([0-9.]+)", "none"), Error);
  EXPECT_THROW(tokens_per_second_by("speed: (.*)", "speed: fast"), Error);
  EXPECT_THROW(check_peer_pattern("("), Error);
  EXPECT_THROW(check_peer_pattern("no group"), Error);
}

}  // namespace
}  // namespace minnow
