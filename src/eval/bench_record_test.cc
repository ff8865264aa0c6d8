#include "eval/bench_record.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "eval/bench_table.h"

namespace minnow {
namespace {

BenchRecord example() {
  BenchRecord r = record_of_here();
  r.model = "/models/a.gguf";
  r.dtype = "Q4_0";
  r.kv = "f16";
  r.note = "abc";
  r.n_parameters = 596'000'000;
  r.n_batch = 512;
  r.threads = 2;
  r.test = {.n_generate = 128, .depth = 4096, .n_sequences = 4};
  r.ours = {.name = "minnow", .runs = {100, 60, 110}, .reads = {80e9, 46e9, 80e9}, .peak_rss = 500'000'000};
  r.load_seconds = 0.5;
  r.first_token_seconds = 0.6;
  r.limit_share = 0.875;
  r.memory_bound = true;
  r.limits = {80e9, 2e12, 5e11, 1e12};
  r.peers = {{.name = "slow", .command = "s {model}", .runs = {50, 30, 50}},
             {.name = "fast", .runs = {80, 50, 100}, .reads = {80e9, 80e9, 80e9}, .peak_rss = 700'000'000},
             {.name = "broken", .error = "exit code 1: no"}};
  return r;
}

TEST(BenchRecord, ComparesWithTheBestPeerRunByRun) {
  const BenchRecord r = example();
  EXPECT_EQ(best_peer(r)->name, "fast");
  EXPECT_EQ(ratios(r), (std::vector<double>{1.25, 1.2, 1.1}));
  EXPECT_TRUE(ratios(record_of_here()).empty());
}

TEST(BenchRecord, OfTheStartIsBetterWithFewerSeconds) {
  BenchRecord r;
  r.test.start = true;
  r.ours.runs = {0.5, 0.4};
  r.peers = {{.name = "a", .runs = {1.0, 1.0}}, {.name = "b", .runs = {0.75, 0.8}}};
  EXPECT_EQ(best_peer(r)->name, "b");
  EXPECT_EQ(ratios(r), (std::vector<double>{1.5, 2}));
}

TEST(BenchRecord, SurvivesJson) {
  const BenchRecord r = example();
  const Json j = to_json(r);
  EXPECT_EQ(j["tokens_per_second"], 100);
  EXPECT_EQ(j["ratio"]["to"], "fast");
  EXPECT_EQ(j["ratio"]["median"], 1.2);
  EXPECT_EQ(j["bound"], "memory");
  EXPECT_EQ(to_json(record_from_json(parse_json(j.dump(), "test"), "test")), j);
}

TEST(BenchRecord, IsKeptAndReadAgain) {
  const auto path = std::filesystem::temp_directory_path() / ("bench_record_test." + std::to_string(::getpid()));
  std::filesystem::remove(path);
  append_records(path, {example()});
  append_records(path, {example(), example()});
  EXPECT_EQ(read_records(path).size(), 3u);
  std::ofstream(path, std::ios::app) << "{\"test\": 5}\n";
  try {
    read_records(path);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("line 4: field \"test\""), std::string::npos) << e.what();
  }
  std::filesystem::remove(path);
  EXPECT_THROW(append_records("/no/such/folder/x", {example()}), Error);
}

TEST(BenchRecord, RefusesWhatIsNone) {
  for (const char* bad : {"5", "[]", "{}", R"({"test": {"prompt": -1}})", R"({"test": {}, "runs": ["x"]})", R"({"test": {}, "runs": 5})",
                          R"({"test": {}, "peers": [1]})", R"({"test": {}, "threads": "two"})"}) {
    EXPECT_THROW(record_from_json(parse_json(bad, "bad"), "bad"), Error) << bad;
  }
}

TEST(BenchTable, ShowsRatiosLimitsAndWhatWentWrong) {
  const std::string text = bench_table({example()}, TableStyle::kText);
  for (const char* part : {"tg128 d4096 x4", "100.0", "60.0–110.0", "88 % of 80.0 GB/s", "failed", "1.20", "1.10–1.25", "500 MB", "700 MB",
                           "broken: exit code 1: no", "beside 1 of 3 pairs memory was of different speed"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(bench_table({}, TableStyle::kText), "no results\n");
}

TEST(BenchTable, LeavesOutColumnsThatNobodyFills) {
  BenchRecord alone = example();
  alone.peers.clear();
  const std::string text = bench_table({alone}, TableStyle::kText);
  EXPECT_EQ(text.find("ratio"), std::string::npos) << text;
  EXPECT_EQ(text.find("to one"), std::string::npos) << text;
}

TEST(BenchTable, SaysHowMuchFasterSeveralSequencesAre) {
  BenchRecord one = example(), four = example();
  one.test.n_sequences = 1;
  four.ours.runs = {350, 350, 350};
  EXPECT_NE(bench_table({one, four}, TableStyle::kText).find("3.50"), std::string::npos);
}

TEST(BenchTable, OfMarkdownHasARowOfRules) {
  BenchRecord r = example();
  r.peers[0].name = "a|b";
  const std::string text = bench_table({r}, TableStyle::kMarkdown);
  EXPECT_NE(text.find("| test | threads | tokens/s |"), std::string::npos) << text;
  EXPECT_NE(text.find("|---|---:|---:|"), std::string::npos) << text;
  EXPECT_NE(text.find("| a/b |"), std::string::npos) << text;
}

}  // namespace
}  // namespace minnow
