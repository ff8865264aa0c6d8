#include "serve/rate_limiter.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"

namespace minnow {
namespace {

using namespace std::chrono_literals;
using Duration = RateLimiter::Duration;

class RateLimiterTest : public testing::Test {
 protected:
  RateLimiter make(std::size_t max_entries = 100) {
    return RateLimiter(max_entries, [this] { return now; });
  }
  Duration now = 1234567ms;
};

TEST_F(RateLimiterTest, AdmitsSixtyOfAThousandRequestsInTenSecondsWhenSixtyAMinuteAreAllowed) {
  RateLimiter limiter = make();
  int admitted = 0;
  for (int i = 0; i < 1000; ++i, now += 10ms) admitted += limiter.admit("a", {.requests_per_minute = 60}).admitted;
  EXPECT_EQ(admitted, 60);
}

TEST_F(RateLimiterTest, NeverAdmitsMoreThanTheLimitInAnyMinute) {
  RateLimiter limiter = make();
  Random random(7);
  std::deque<Duration> minute;
  int admitted = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += std::chrono::milliseconds(random.below(random.below(100) == 0 ? 20'000 : 300));
    if (!limiter.admit("a", {.requests_per_minute = 50}).admitted) continue;
    ++admitted;
    minute.push_back(now);
    while (now - minute.front() >= 60s) minute.pop_front();
    ASSERT_LE(minute.size(), 50u);
  }
  const double minutes = std::chrono::duration<double>(now - 1234567ms).count() / 60;
  EXPECT_GT(admitted, 0.6 * 50 * minutes) << "it must not admit much less either";
}

TEST_F(RateLimiterTest, ARefusedRequestIsAdmittedAfterTheWaitAndNotBefore) {
  RateLimiter limiter = make();
  const RateLimits limits{.requests_per_minute = 5};
  for (int i = 0; i < 5; ++i, now += 7s) EXPECT_TRUE(limiter.admit("a", limits).admitted);
  const auto verdict = limiter.admit("a", limits);
  EXPECT_FALSE(verdict.admitted);
  EXPECT_FALSE(verdict.by_tokens);
  EXPECT_GT(verdict.wait, 0s);
  EXPECT_LE(verdict.wait, 63s);
  now += verdict.wait - 1ns;
  EXPECT_FALSE(limiter.admit("a", limits).admitted);
  now += 1ns;
  EXPECT_TRUE(limiter.admit("a", limits).admitted);
}

TEST_F(RateLimiterTest, TellsHowManyRequestsRemain) {
  RateLimiter limiter = make();
  EXPECT_EQ(limiter.admit("a", {.requests_per_minute = 3}).remaining, 2);
  EXPECT_EQ(limiter.admit("a", {.requests_per_minute = 3}).remaining, 1);
  EXPECT_EQ(limiter.admit("a", {.requests_per_minute = 3}).limit, 3);
}

TEST_F(RateLimiterTest, RefusesWhenTheTokensOfTheLastMinuteAreUsedUp) {
  RateLimiter limiter = make();
  const RateLimits limits{.tokens_per_minute = 1000};
  EXPECT_TRUE(limiter.admit("a", limits).admitted);
  limiter.use_tokens("a", 600);
  EXPECT_TRUE(limiter.admit("a", limits).admitted);
  now += 10s;
  limiter.use_tokens("a", 5000);  // an answer may go beyond: how long it gets is not known before
  const auto verdict = limiter.admit("a", limits);
  EXPECT_FALSE(verdict.admitted);
  EXPECT_TRUE(verdict.by_tokens);
  now += verdict.wait;
  EXPECT_TRUE(limiter.admit("a", limits).admitted);
}

TEST_F(RateLimiterTest, KeepsNamesApart) {
  RateLimiter limiter = make();
  EXPECT_TRUE(limiter.admit("a", {.requests_per_minute = 1}).admitted);
  EXPECT_FALSE(limiter.admit("a", {.requests_per_minute = 1}).admitted);
  EXPECT_TRUE(limiter.admit("b", {.requests_per_minute = 1}).admitted);
}

TEST_F(RateLimiterTest, RemembersNothingOfNamesWithoutLimits) {
  RateLimiter limiter = make();
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limiter.admit(std::to_string(i), {}).admitted);
  limiter.use_tokens("a", 5);
  EXPECT_EQ(limiter.entries(), 0u);
}

TEST_F(RateLimiterTest, ForgetsTheNameThatAskedLongestAgoWhenTheTableIsFull) {
  RateLimiter limiter = make(3);
  const RateLimits one{.requests_per_minute = 1};
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(limiter.admit(name, one).admitted);
  EXPECT_FALSE(limiter.admit("a", one).admitted);  // asked last now
  EXPECT_TRUE(limiter.admit("d", one).admitted);   // in place of b
  EXPECT_EQ(limiter.entries(), 3u);
  EXPECT_FALSE(limiter.admit("a", one).admitted);
  EXPECT_FALSE(limiter.admit("c", one).admitted);
  EXPECT_TRUE(limiter.admit("b", one).admitted);
}

TEST_F(RateLimiterTest, AnIdleDayLeavesNothingBehind) {
  RateLimiter limiter = make();
  const RateLimits limits{.requests_per_minute = 2, .tokens_per_minute = 10};
  EXPECT_TRUE(limiter.admit("a", limits).admitted);
  EXPECT_TRUE(limiter.admit("a", limits).admitted);
  limiter.use_tokens("a", 50);
  now += 24h;
  EXPECT_TRUE(limiter.admit("a", limits).admitted);
  EXPECT_EQ(limiter.admit("a", limits).remaining, 0);
}

}  // namespace
}  // namespace minnow
