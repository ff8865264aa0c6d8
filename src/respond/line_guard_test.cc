#include "respond/line_guard.h"

#include <gtest/gtest.h>

#include <vector>

namespace minnow {
namespace {

using namespace std::chrono_literals;
constexpr LineGuard::Clock::time_point kStart{};

// The answer, given in pieces.
std::string guarded(int64_t min_indent, const std::vector<std::string>& pieces) {
  LineGuard guard({.min_indent = min_indent});
  std::string out;
  for (const std::string& piece : pieces) out += guard.push(piece, kStart);
  return out + guard.finish();
}

TEST(LineGuard, EndsBeforeALineWithLessIndentation) {
  EXPECT_EQ(guarded(4, {"x = 1;\n    y = 2;\n  }\n"}), "x = 1;\n    y = 2;\n");
  EXPECT_EQ(guarded(1, {"x\n\ty\nz"}), "x\n\ty\n");
  EXPECT_EQ(guarded(3, {"x\n \t y"}), "x\n \t y");
  EXPECT_EQ(guarded(0, {"    x\ny\n"}), "    x\ny\n");
}

TEST(LineGuard, DoesNotLookAtTheFirstLine) { EXPECT_EQ(guarded(4, {"x", "y\n", "    z"}), "xy\n    z"); }

TEST(LineGuard, EndsBeforeALineWithoutText) {
  EXPECT_EQ(guarded(2, {"x\n\n  y"}), "x\n");
  EXPECT_EQ(guarded(2, {"x\n  \n  y"}), "x\n  \n  y") << "white space enough";
}

TEST(LineGuard, SaysTheSameHoweverTheTextIsCut) {
  const std::string text = "a\n    b\n\t\t\t\tc\n   d\ne";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
    EXPECT_EQ(guarded(4, pieces), "a\n    b\n\t\t\t\tc\n") << size;
  }
}

TEST(LineGuard, GivesWhiteSpaceAtTheEndOfAnAnswerThatEndsByItself) { EXPECT_EQ(guarded(4, {"x\n  "}), "x\n  "); }

TEST(LineGuard, EndsWithTheLineWhenItsTimeIsOver) {
  LineGuard guard({.max_time = 100ms});
  EXPECT_EQ(guard.push("a\nb", kStart + 1s), "a\nb") << "time counts from the first token";
  EXPECT_EQ(guard.push("c\n", kStart + 1050ms), "c\n");
  EXPECT_EQ(guard.push("d", kStart + 1200ms), "d");
  EXPECT_FALSE(guard.is_over());
  EXPECT_EQ(guard.push("e\nf", kStart + 1300ms), "e\n");
  EXPECT_TRUE(guard.is_over());
  EXPECT_EQ(guard.push("g\n", kStart + 1400ms), "");
  EXPECT_EQ(guard.finish(), "");
}

}  // namespace
}  // namespace minnow
