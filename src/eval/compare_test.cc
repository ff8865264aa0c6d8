#include "eval/compare.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "eval/spread.h"

namespace minnow {
namespace {

// Stands in for minnow's own benchmark: a record with one run.
const std::string kOurs =
    R"(echo '{"tests":[{"test":{"prompt":{prompt},"generate":{generate}},"runs":[120],"dtype":"Q4_0","load_seconds":0.5,"limit_share":0.8}]}')";

std::string llama_bench(double speed) {
  return R"(echo '[{"n_prompt":{prompt},"n_gen":{generate},"avg_ts":)" + std::to_string(speed) + "}]'";
}

CompareOptions options(std::vector<Peer> peers) {
  CompareOptions o;
  o.model = "a model.gguf";
  o.ours = kOurs;
  o.ours_start = "sleep 0.05";
  o.peers = std::move(peers);
  o.repetitions = 3;
  return o;
}

TEST(Compare, RunsInTurn) {
  CompareOptions o = options({{"a", llama_bench(60)}, {"b", llama_bench(100)}});
  std::string order;
  o.progress = [&](const std::string& who, int run) { order += who.substr(0, 1) + std::to_string(run); };
  const BenchRecord r = compare({.n_prompt = 512}, 1, o);
  EXPECT_EQ(order, "m1a1b1m2a2b2m3a3b3");
  EXPECT_EQ(r.ours.runs, (std::vector<double>{120, 120, 120}));
  EXPECT_EQ(r.dtype, "Q4_0");
  EXPECT_EQ(r.load_seconds, 0.5);
  EXPECT_EQ(best_peer(r)->name, "b");
  EXPECT_EQ(ratios(r), (std::vector<double>{1.2, 1.2, 1.2}));
  EXPECT_GT(r.peers[0].peak_rss, 0u);
  EXPECT_TRUE(r.ours.reads.empty());
}

TEST(Compare, ProbesMemoryBesideGeneration) {
  CompareOptions o = options({{"a", llama_bench(60)}});
  o.repetitions = 1;
  const BenchRecord r = compare({.n_generate = 16}, 1, o);
  ASSERT_EQ(r.ours.reads.size(), 1u);
  EXPECT_GT(r.ours.reads[0], 0);
  EXPECT_EQ(r.peers[0].reads.size(), 1u);
}

TEST(Compare, GoesOnWithoutAPeerThatFails) {
  CompareOptions o = options({{"broken", "echo {prompt} first >&2; echo no such model >&2; exit 7"}, {"slow", "sleep 60; echo {prompt}"},
                              {"mute", "echo {prompt}"}, {"good", llama_bench(100)}});
  o.time_limit_seconds = 0.5;
  std::vector<std::string> warnings;
  o.warn = [&](const std::string& line) { warnings.push_back(line); };
  const BenchRecord r = compare({.n_prompt = 512}, 1, o);
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_EQ(warnings[0], "pp512: peer broken: exit code 7: 512 first | no such model");
  EXPECT_NE(warnings[1].find("slow: ended after"), std::string::npos) << warnings[1];
  EXPECT_NE(warnings[2].find("mute: its output has no tokens/s"), std::string::npos) << warnings[2];
  EXPECT_TRUE(r.peers[0].runs.empty());
  EXPECT_EQ(best_peer(r)->name, "good");
  EXPECT_EQ(r.peers[3].runs.size(), 3u);
}

TEST(Compare, LeavesOutPeersThatCannotRunTheTest) {
  EXPECT_TRUE(compare({.n_prompt = 512}, 1, options({{"generates", "{generate}"}})).peers.empty());
}

TEST(Compare, ReadsTablesFromEitherStreamAndByPattern) {
  CompareOptions o = options({{"log", llama_bench(77) + " >&2"}});
  EXPECT_EQ(spread_of(compare({.n_prompt = 8}, 1, o).peers[0].runs).median, 77);
  o.peers = {{"own", "echo {prompt} tokens at 55.5 a second"}};
  o.pattern = "at ([0-9.]+) a second";
  EXPECT_EQ(compare({.n_prompt = 8}, 1, o).peers[0].runs.at(0), 55.5);
}

TEST(Compare, TimesWholeProcessesForTheStart) {
  const BenchRecord r = compare({.start = true}, 1, options({{"slower", "sleep 0.3"}}));
  const std::vector<double> all = ratios(r);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_GT(*std::min_element(all.begin(), all.end()), 1);
  EXPECT_GE(r.ours.runs[0], 0.05);
}

TEST(Compare, FailsWhenOurOwnRunDoes) {
  CompareOptions o = options({});
  o.ours = "echo broken >&2; exit 1";
  EXPECT_THROW(compare({.n_prompt = 8}, 1, o), Error);
  o.ours = "echo '{}'";
  EXPECT_THROW(compare({.n_prompt = 8}, 1, o), Error);
  o.ours = kOurs;
  o.cancelled = [] { return true; };
  EXPECT_THROW(compare({.n_prompt = 8}, 1, o), Error);
}

}  // namespace
}  // namespace minnow
