#include "engine/mark_scanner.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

MarkScanner scanner(MarkScanner::Marks marks, std::optional<std::size_t> in_aside = {}) {
  return MarkScanner(std::make_shared<const MarkScanner::Marks>(std::move(marks)), in_aside);
}

// The first opening that the text ends, and how much of the text that takes.
std::pair<std::size_t, std::size_t> find(MarkScanner scanner, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const auto found = scanner.push(text[i])) return {*found, i + 1};
  }
  return {99, text.size()};
}

using Found = std::pair<std::size_t, std::size_t>;

TEST(MarkScanner, FindsOpeningsWhereverTheyBegin) {
  const MarkScanner s = scanner({.openings = {"<call>", "", "[call]"}});
  EXPECT_EQ(find(s, "a<call>b"), (Found{0, 7}));
  EXPECT_EQ(find(s, "<call<call>"), (Found{0, 11}));
  EXPECT_EQ(find(s, "<[call]"), (Found{2, 7}));
  EXPECT_EQ(find(s, "<cal>"), (Found{99, 5}));
}

TEST(MarkScanner, OfOpeningsThatEndTogetherTheLongestCounts) {
  EXPECT_EQ(find(scanner({.openings = {"call", "<call"}}), "x<call"), (Found{1, 6}));
}

TEST(MarkScanner, FindsNothingInAsides) {
  const MarkScanner s = scanner({.openings = {"<call>"}, .asides = {{"<think>", {"</think>"}}, {"[", {"]", "|"}}}});
  EXPECT_EQ(find(s, "<think><call></think></think><call>"), (Found{0, 35}));
  EXPECT_EQ(find(s, "[<call>|<call>"), (Found{0, 14}));
  EXPECT_EQ(find(scanner({.openings = {"<call>"}, .asides = {{"[", {"]"}}}}, 0), "<call>]<call>"), (Found{0, 13}));
}

TEST(MarkScanner, AWordThatBeginsAnOpeningIsNoneUntilItIsClear) {
  const MarkScanner s = scanner({.openings = {"<sep>call"}, .words = {"<sep>"}});
  EXPECT_EQ(find(s, "<sep>call"), (Found{0, 9}));
  EXPECT_EQ(find(s, "<sep><sep>call"), (Found{0, 14}));
}

TEST(MarkScanner, KnowsWhetherAnythingWasSaid) {
  const MarkScanner s = scanner({.openings = {"<call>"}, .asides = {{"<think>", {"</think>"}}}, .words = {"<wrap>"}});
  const auto fresh = [&](std::string_view text, bool after_call = false) {
    MarkScanner t = s;
    if (after_call) t.add_call();
    for (const char c : text) t.push(c);
    return t.is_at_beginning();
  };
  EXPECT_TRUE(fresh(""));
  EXPECT_TRUE(fresh(" \n"));
  EXPECT_TRUE(fresh("<think>Hm.</think>\n<wrap>"));
  EXPECT_TRUE(fresh("<call>"));
  EXPECT_FALSE(fresh("<think>"));
  EXPECT_FALSE(fresh("<wr"));
  EXPECT_FALSE(fresh("<wrong> "));
  EXPECT_FALSE(fresh(";"));
  EXPECT_TRUE(fresh("; ", true));
  EXPECT_FALSE(fresh("; a", true));
}

}  // namespace
}  // namespace minnow
