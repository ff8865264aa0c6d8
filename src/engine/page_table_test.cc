#include "engine/page_table.h"

#include <gtest/gtest.h>

#include <numeric>

namespace minnow {
namespace {

std::vector<TokenId> page_of(TokenId first) {
  std::vector<TokenId> tokens(kKvPage);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

TEST(PageTable, GivesEveryPageOnceAndThenNone) {
  PageTable table(3);
  std::vector<int32_t> pages = {table.allocate(), table.allocate(), table.allocate()};
  std::sort(pages.begin(), pages.end());
  EXPECT_EQ(pages, (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(table.allocate(), kNoPage);
  table.release(1);
  EXPECT_EQ(table.allocate(), 1);
}

TEST(PageTable, SharesAPublishedPageWithTheSamePrefixOnly) {
  PageTable table(4);
  const int32_t page = table.allocate();
  table.publish(page, kEmptyPrefix, page_of(0));
  EXPECT_EQ(table.find(kEmptyPrefix, page_of(0)), page);
  EXPECT_EQ(table.find(kEmptyPrefix, page_of(1)), kNoPage);
  EXPECT_EQ(table.find(extend_prefix(kEmptyPrefix, page_of(9)), page_of(0)), kNoPage);
  table.release(page);
  EXPECT_EQ(table.n_available(), 3) << "still owned by the finder";
  table.release(page);
  EXPECT_EQ(table.n_available(), 4);
}

TEST(PageTable, FindsAPageAfterItsOwnerLeftUntilTheSpaceIsNeeded) {
  PageTable table(2);
  const int32_t page = table.allocate();
  table.publish(page, kEmptyPrefix, page_of(0));
  table.release(page);
  EXPECT_EQ(table.find(kEmptyPrefix, page_of(0)), page);
  table.release(page);
  const int32_t other = table.allocate();
  EXPECT_NE(other, page) << "unpublished pages go first";
  EXPECT_EQ(table.allocate(), page);
  EXPECT_EQ(table.find(kEmptyPrefix, page_of(0)), kNoPage) << "its contents are forgotten";
}

TEST(PrefixRoots, DifferBySaltAndFromTableToTable) {
  const PrefixRoots roots, others;
  EXPECT_EQ(roots.root(""), kEmptyPrefix);
  EXPECT_EQ(roots.root("a"), roots.root("a"));
  EXPECT_NE(roots.root("a"), roots.root("b"));
  EXPECT_NE(roots.root("a"), kEmptyPrefix);
  EXPECT_NE(roots.root("a"), others.root("a")) << "nobody can work out another's";
}

}  // namespace
}  // namespace minnow
