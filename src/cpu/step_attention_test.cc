// How attention is shared among the members of a team: the same bits whoever computes what.
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "cpu/step.h"
#include "cpu/test_values.h"

namespace minnow {
namespace {

constexpr int32_t kLength = 1400;  // three segments
constexpr int64_t kHeads = 4, kHeadDim = 64;

struct Case {
  KvType type;
  int32_t window;
};

// Output rows of the last `count` positions, whose queries come in one step to a team of `team` threads.
std::vector<float> last_rows(const Kernels& kernels, const Case& c, int32_t count, int team) {
  Random random(41);
  const auto q = test::normals(random, kLength * kHeads * kHeadDim);
  auto k = test::normals(random, kLength * kHeadDim), v = test::normals(random, kLength * kHeadDim);
  KvCache cache({{1, kHeadDim}}, c.type, kLength / kKvPage + 1);
  std::vector<int32_t> pages(static_cast<std::size_t>(cache.n_pages()));
  std::iota(pages.rbegin(), pages.rend(), 0);

  const AttentionAttrs attrs{.layer = 0, .scale = 0.125f, .window = c.window, .causal = true};
  std::vector<int32_t> positions(kLength), segments(kLength);
  const Batch all{std::vector<int32_t>(kLength), {{0, kLength, 0, pages}}, {}};
  const RunContext store{kernels, all, positions, segments, {.tokens = kLength}, &cache, 1};
  make_kv_store_step(attrs, {k.data(), kHeadDim}, {v.data(), kHeadDim}, 1)->work(store, 0);

  auto some_q = std::vector<float>(q.end() - count * kHeads * kHeadDim, q.end());
  std::vector<float> out(some_q.size(), -1.0f);
  const Batch last{std::vector<int32_t>(static_cast<std::size_t>(count)), {{0, count, kLength - count, pages}}, {}};
  const RunContext run{kernels, last, positions, segments, {.tokens = count}, &cache, team};
  const auto step = make_attention_step(attrs, {some_q.data(), kHeads * kHeadDim}, {out.data(), kHeads * kHeadDim},
                                        kHeads, 1, team);
  for (int round = 0; round < 2; ++round) {  // a step is run again and again
    step->begin(run);
    std::vector<std::thread> members;
    for (int m = 0; m < team; ++m) members.emplace_back([&, m] { step->work(run, m); });
    for (std::thread& t : members) t.join();
  }
  return out;
}

using AttentionStep = test::EveryIsa;
INSTANTIATE_TEST_SUITE_P(, AttentionStep, testing::ValuesIn(available_isas()), test::isa_name);

TEST_P(AttentionStep, SharesPositionsOfFewHeadsWithoutChangingABit) {
  const Case cases[] = {{KvType::kF16, 0}, {KvType::kF32, 700}, {KvType::kQ8_0, 0}, {KvType::kBf16, 30}};
  for (const Case& c : cases) {
    const auto expected = last_rows(kernels(), c, 40, 1);
    for (const int32_t count : {1, 5, 40}) {
      for (const int team : {1, 2, 5}) {
        const auto got = last_rows(kernels(), c, count, team);
        ASSERT_TRUE(test::same_bits(got, std::span(expected).last(got.size())))
            << name(c.type) << ", window " << c.window << ", " << count << " tokens, team of " << team;
      }
    }
  }
}

}  // namespace
}  // namespace minnow
