#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/random.h"

namespace minnow {
namespace {

struct Result {
  std::string text;
  bool stopped;
  friend bool operator==(const Result&, const Result&) = default;
};

Result feed(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  StopMatcher matcher(stops);
  Result result{"", false};
  for (const auto& piece : pieces) {
    const auto [emit, stopped] = matcher.push(piece);
    result.text += emit;
    result.stopped = stopped;
  }
  result.text += matcher.finish();
  return result;
}

// By the definition: try every end in turn.
Result naive(const std::vector<std::string>& stops, const std::string& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const auto& stop : stops) {
      if (std::string_view(text).substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

std::size_t naive_hold(const std::vector<std::string>& stops, const std::string& text) {
  std::size_t hold = 0;
  for (const auto& stop : stops) {
    for (std::size_t n = 1; n < stop.size(); ++n) {
      if (text.ends_with(std::string_view(stop).substr(0, n))) hold = std::max(hold, n);
    }
  }
  return hold;
}

std::string random_text(Random& random, uint64_t max_length, uint64_t letters) {
  std::string text(1 + random.below(max_length), 'a');
  for (char& c : text) c = static_cast<char>('a' + random.below(letters));
  return text;
}

TEST(StopMatcher, SaysWhichStringItWas) {
  StopMatcher matcher({"cd", "bcd", "x"});
  matcher.push("ab");
  EXPECT_EQ(matcher.stop_string(), "");
  matcher.push("cd");
  EXPECT_EQ(matcher.stop_string(), "bcd") << "the longest of those that end together";
}

TEST(StopMatcher, EmitsOnlyWhatPrecedesTheStopString) {
  EXPECT_EQ(feed({"STOP"}, {"one two STOP three"}), (Result{"one two ", true}));
  EXPECT_EQ(feed({"STOP"}, {"one two ST", "O", "P three", " four"}), (Result{"one two ", true}));
  EXPECT_EQ(feed({"\n\n"}, {"\n\n"}), (Result{"", true}));
}

TEST(StopMatcher, GivesBackWhatOnlyLookedLikeAStopString) {
  StopMatcher matcher({"<end>"});
  EXPECT_EQ(matcher.push("a <en").emit, "a ");
  EXPECT_EQ(matcher.push("emy").emit, "<enemy");
  EXPECT_EQ(matcher.push(" <").emit, " ");
  EXPECT_EQ(matcher.finish(), "<");
}

TEST(StopMatcher, WithoutStopStringsPassesEverythingAtOnce) {
  StopMatcher matcher({});
  const auto [emit, stopped] = matcher.push("text");
  EXPECT_EQ(emit, "text");
  EXPECT_FALSE(stopped);
  EXPECT_EQ(matcher.push("").emit, "");
}

TEST(StopMatcher, TheStopThatEndsFirstWinsAndTheLongerOfTwoThatEndTogether) {
  EXPECT_EQ(feed({"abcd", "bc"}, {"xabcd"}), (Result{"xa", true}));
  EXPECT_EQ(feed({"c", "abc"}, {"xabc"}), (Result{"x", true}));
}

TEST(StopMatcher, FindsAStopThatBeginsInsideAFailedOne) {
  EXPECT_EQ(feed({"aab"}, {"a", "a", "a", "a", "b"}), (Result{"aa", true}));
  EXPECT_EQ(feed({"abab!", "bax"}, {"ababax"}), (Result{"aba", true}));
}

TEST(StopMatcher, SwallowsWhatFollows) {
  StopMatcher matcher({"."});
  EXPECT_TRUE(matcher.push("a.b").stopped);
  EXPECT_TRUE(matcher.stopped());
  const auto [emit, stopped] = matcher.push("more.");
  EXPECT_EQ(emit, "");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, RefusesEmptyAndTooManyStopStrings) {
  EXPECT_THROW(StopMatcher({""}), Error);
  EXPECT_NO_THROW(StopMatcher(std::vector<std::string>(limits::kMaxStopStrings, "x")));
  EXPECT_THROW(StopMatcher(std::vector<std::string>(limits::kMaxStopStrings + 1, "x")), Error);
}

TEST(StopMatcher, AgreesWithANaiveSearchHoweverTheTextIsCut) {
  Random random(11);
  for (int round = 0; round < 20000; ++round) {
    const uint64_t letters = 1 + random.below(3);
    std::vector<std::string> stops(random.below(4));
    for (auto& stop : stops) stop = random_text(random, 5, letters + 1);
    const std::string text = random_text(random, 24, letters);
    const Result expected = naive(stops, text);

    StopMatcher matcher(stops);
    std::string emitted, seen;
    bool stopped = false;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = std::min<std::size_t>(random.below(5), text.size() - at);
      const auto output = matcher.push(std::string_view(text).substr(at, n));
      at += n;
      seen = text.substr(0, at);
      emitted += output.emit;
      stopped = output.stopped;
      ASSERT_EQ(stopped, naive(stops, seen).stopped);
      if (!stopped) {
        ASSERT_EQ(emitted.size(), seen.size() - naive_hold(stops, seen)) << "holds the least it can";
      }
    }
    emitted += matcher.finish();
    ASSERT_EQ((Result{emitted, stopped}), expected) << text;
  }
}

TEST(StopMatcher, TakesLinearTimeOnSelfSimilarStops) {
  const std::size_t n = 1 << 20;
  StopMatcher matcher({std::string(n / 2, 'a') + "b"});
  std::size_t emitted = 0;
  for (std::size_t i = 0; i < n; ++i) emitted += matcher.push("a").emit.size();
  emitted += matcher.finish().size();
  EXPECT_EQ(emitted, n);
}

}  // namespace
}  // namespace minnow
