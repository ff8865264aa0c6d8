#include "engine/dry_penalty.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/random.h"

namespace minnow {
namespace {

// A token per letter: 'a' is 0.
std::string letter(TokenId id) { return std::string(1, static_cast<char>('a' + id)); }

SamplingParams dry_params(std::vector<std::string> breakers = {}) {
  SamplingParams params;
  params.dry_multiplier = 0.8f;
  params.dry_base = 1.75f;
  params.dry_allowed_length = 2;
  params.dry_sequence_breakers = std::move(breakers);
  return params;
}

// What DRY subtracts from each of the letters after this text; letters without a penalty are left out.
std::map<char, float> penalties(const SamplingParams& params, const std::string& text) {
  DryPenalty dry(params, letter);
  for (const char c : text) dry.accept(c - 'a');
  std::vector<float> logits(26, 0.0f);
  dry.apply(logits);
  std::map<char, float> result;
  for (int i = 0; i < 26; ++i) {
    if (logits[static_cast<std::size_t>(i)] != 0) result['a' + i] = -logits[static_cast<std::size_t>(i)];
  }
  return result;
}

TEST(DryPenalty, PenalizesTheTokenThatCarriesOnARepeat) {
  // "ab" came before "c": a repeat of 2, the allowed length, costs 0.8 * 1.75^0.
  EXPECT_EQ(penalties(dry_params(), "abcdab"), (std::map<char, float>{{'c', 0.8f}}));
  // A repeat of 3 costs 0.8 * 1.75.
  EXPECT_EQ(penalties(dry_params(), "abcdabc"), (std::map<char, float>{{'d', 1.4f}}));
  // One token alone is not yet a repeat.
  EXPECT_TRUE(penalties(dry_params(), "abcda").empty());
}

TEST(DryPenalty, TakesTheLongestRepeatForEachToken) {
  // "bc" before d, "abc" before e; and "abc" before d once more.
  EXPECT_EQ(penalties(dry_params(), "xbcdyabcezabc"), (std::map<char, float>{{'d', 0.8f}, {'e', 1.4f}}));
  EXPECT_EQ(penalties(dry_params(), "xbcdyabcdzabc"), (std::map<char, float>{{'d', 1.4f}}));
}

TEST(DryPenalty, CountsRepeatsThatOverlapThemselves) {
  // In "aaaa" the last three tokens are found one place earlier, followed by a.
  EXPECT_EQ(penalties(dry_params(), "aaaa"), (std::map<char, float>{{'a', 0.8f * 1.75f}}));
}

TEST(DryPenalty, AWindowHidesWhatIsOlder) {
  auto params = dry_params();
  params.dry_last_n = 5;
  EXPECT_TRUE(penalties(params, "abcdab").empty());  // the window begins at b
  params.dry_last_n = 6;
  EXPECT_EQ(penalties(params, "abcdab").size(), 1u);
  params.dry_last_n = 0;
  EXPECT_TRUE(penalties(params, "abcdab").empty());
}

TEST(DryPenalty, NoRepeatReachesOverABreaker) {
  EXPECT_EQ(penalties(dry_params(), "abcdabc"), (std::map<char, float>{{'d', 1.4f}}));
  EXPECT_EQ(penalties(dry_params({"a"}), "abcdabc"), (std::map<char, float>{{'d', 0.8f}}));
  EXPECT_TRUE(penalties(dry_params({"b"}), "abcdabc").empty());
  EXPECT_TRUE(penalties(dry_params({"c"}), "abcdabc").empty());
}

TEST(DryPenalty, BreakersMayCrossTokens) {
  EXPECT_TRUE(penalties(dry_params({"bc"}), "abcdabc").empty());
  EXPECT_EQ(penalties(dry_params({"ab"}), "abcdeabcd"), (std::map<char, float>{{'e', 0.8f}}));
}

TEST(DryPenalty, ATokenThatIsABreakerGoesFree) {
  EXPECT_EQ(penalties(dry_params({"z"}), "abzxab").size(), 0u);
  EXPECT_EQ(penalties(dry_params({}), "abzxab").size(), 1u);
}

TEST(DryPenalty, HugePenaltiesStayFinite) {
  auto params = dry_params();
  params.dry_base = 100;
  const auto result = penalties(params, std::string(400, 'a'));
  ASSERT_EQ(result.size(), 1u);
  EXPECT_TRUE(std::isfinite(result.at('a')));
}

TEST(DryPenalty, NeedsTokenTextsWhenThereAreBreakers) {
  EXPECT_THROW(DryPenalty(dry_params({"\n"}), nullptr), Error);
  EXPECT_NO_THROW(DryPenalty(dry_params(), nullptr));
  auto off = dry_params({"\n"});
  off.dry_multiplier = 0;
  EXPECT_FALSE(DryPenalty(off, nullptr).active());
}

// By the definition, in quadratic time.
std::map<char, float> by_definition(const SamplingParams& params, const std::string& text) {
  const std::size_t window =
      params.dry_last_n < 0 ? text.size() : std::min<std::size_t>(text.size(), params.dry_last_n);
  const std::string s = text.substr(text.size() - window);
  std::map<char, int> longest;
  const auto is_breaker = [&](char c) {
    for (const auto& b : params.dry_sequence_breakers) {
      if (b[0] == c) return true;
    }
    return false;
  };
  for (std::size_t end = 0; end < s.size(); ++end) {  // an earlier part ends before s[end]
    int length = 0;
    while (static_cast<std::size_t>(length) < end) {
      const char early = s[end - 1 - static_cast<std::size_t>(length)];
      const char late = s[s.size() - 1 - static_cast<std::size_t>(length)];
      if (early != late || is_breaker(late)) break;
      ++length;
    }
    if (length >= params.dry_allowed_length && !is_breaker(s[end]))
      longest[s[end]] = std::max(longest[s[end]], length);
  }
  std::map<char, float> result;
  for (const auto& [c, length] : longest) {
    result[c] = static_cast<float>(params.dry_multiplier *
                                   std::pow(double{params.dry_base}, length - params.dry_allowed_length));
  }
  return result;
}

TEST(DryPenalty, AgreesWithTheDefinitionOnRandomTexts) {
  Random random(5);
  for (int round = 0; round < 5000; ++round) {
    auto params = dry_params();
    if (random.below(2) == 0) params.dry_sequence_breakers = {"a"};
    params.dry_allowed_length = static_cast<int>(1 + random.below(4));
    params.dry_last_n = random.below(2) == 0 ? -1 : static_cast<int>(1 + random.below(40));
    std::string text(1 + random.below(60), 'a');
    const uint64_t letters = 1 + random.below(4);
    for (char& c : text) c = static_cast<char>('a' + random.below(letters));
    ASSERT_EQ(penalties(params, text), by_definition(params, text)) << text;
  }
}

TEST(DryPenalty, TakesLinearTimeOnTheWorstText) {
  const auto seconds = [](std::size_t n) {
    DryPenalty dry(dry_params(), nullptr);
    for (std::size_t i = 0; i < n; ++i) dry.accept(0);
    std::vector<float> logits(4);
    const auto start = std::chrono::steady_clock::now();
    dry.apply(logits);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  // Quadratic time would be 10^12 steps.
  EXPECT_LT(seconds(1'000'000), 5.0);
}

TEST(BreakerFinder, FindsBreakersWithinAndAcrossTexts) {
  BreakerFinder finder({"\n", "END"});
  const auto push = [&](std::string_view text) {
    const auto [within, ends] = finder.push(text);
    return std::pair(within, ends);
  };
  EXPECT_EQ(push("a\nb"), std::pair(true, true));
  EXPECT_EQ(push("E"), std::pair(false, false));
  EXPECT_EQ(push("N"), std::pair(false, false));
  EXPECT_EQ(push("Done"), std::pair(false, true));
  EXPECT_EQ(push("END"), std::pair(true, true));
  EXPECT_EQ(push("D"), std::pair(false, false)) << "what ended before does not end again";
  EXPECT_EQ(push(""), std::pair(false, false));
}

}  // namespace
}  // namespace minnow
