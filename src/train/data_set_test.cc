#include "train/data_set.h"

#include <algorithm>
#include <set>

#include "formats/test_bytes.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;

std::string lines(int n, const std::string& prefix = "") {
  std::string text;
  for (int i = 0; i < n; ++i) text += "{\"text\": \"" + prefix + std::to_string(i) + "\"}\n";
  return text;
}

TEST(DataSet, KeepsAShareForValidation) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.jsonl", lines(100));
  const DataSet set = DataSet::open({.files = {path}, .validation_share = 0.1, .seed = 5});
  EXPECT_EQ(set.train.records.size(), 90u);
  EXPECT_EQ(set.validation.records.size(), 10u);
  std::set<uint32_t> all(set.train.records.begin(), set.train.records.end());
  all.insert(set.validation.records.begin(), set.validation.records.end());
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(DataSet::open({.files = {path}, .validation_share = 0.1, .seed = 5}).validation.records, set.validation.records);
  EXPECT_NE(DataSet::open({.files = {path}, .validation_share = 0.1, .seed = 6}).validation.records, set.validation.records);
  EXPECT_NE(set.train.digest(), set.validation.digest());
}

TEST(DataSet, ASmallShareIsOneRecordAndALargeOneIsRefused) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.jsonl", lines(3));
  EXPECT_EQ(DataSet::open({.files = {path}, .validation_share = 0.01}).validation.records.size(), 1u);
  EXPECT_TRUE(DataSet::open({.files = {path}}).validation.empty());
  expect_refused([&] { DataSet::open({.files = {path}, .validation_share = 0.9}); }, ErrorCode::kInvalidInput, "none to train on");
  expect_refused([&] { DataSet::open({.files = {path}, .validation_share = 1}); }, ErrorCode::kUsage, "below 1");
  expect_refused([&] { DataSet::open({.files = {}}); }, ErrorCode::kUsage, "no training data");
}

TEST(DataSet, TakesAFileForValidation) {
  const TemporaryFolder folder;
  const auto train = folder.write("train.jsonl", lines(5)), valid = folder.write("valid.jsonl", lines(2, "v"));
  const auto other = folder.write("other.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
  EXPECT_EQ(DataSet::open({.files = {folder.path()}}).validation.record(1).text, "v1");
  EXPECT_EQ(DataSet::open({.files = {train}, .validation_files = {valid}}).validation.records.size(), 2u);
  expect_refused([&] { DataSet::open({.files = {train}, .validation_files = {other}}); }, ErrorCode::kInvalidInput, "prompt/completion");
}

TEST(ShuffledOrder, IsTheSameOnEveryMachine) {
  EXPECT_EQ(shuffled_order(10, 1, 0), (std::vector<uint32_t>{0, 5, 6, 4, 9, 2, 3, 8, 7, 1}));
  std::vector<uint32_t> order = shuffled_order(1000, 1, 0);
  EXPECT_NE(order, shuffled_order(1000, 1, 1));
  EXPECT_NE(order, shuffled_order(1000, 2, 0));
  EXPECT_EQ(order, shuffled_order(1000, 1, 0));
  std::ranges::sort(order);
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(order[i], i);
}

}  // namespace
}  // namespace minnow
