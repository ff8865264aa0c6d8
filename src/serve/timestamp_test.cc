#include "serve/timestamp.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

TEST(Timestamp, WritesUtcAsOthersDo) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_text(951782399), "2000-02-28T23:59:59Z");
  EXPECT_EQ(utc_text(951782400), "2000-02-29T00:00:00Z");  // 2000 was a leap year, 1900 and 2100 are not
  EXPECT_EQ(utc_text(4107542400), "2100-03-01T00:00:00Z");
  EXPECT_EQ(utc_text(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(utc_text_of_milliseconds(1788167107250), "2026-08-31T09:05:07.250Z");
  EXPECT_EQ(utc_text_of_milliseconds(1788167107007), "2026-08-31T09:05:07.007Z");
}

TEST(Timestamp, ReadsWhatItWrites) {
  for (int64_t t = 0; t < 250'000'000'000; t += 1'234'567'891) EXPECT_EQ(parse_utc(utc_text(t)), t);
  EXPECT_EQ(parse_utc("2026-08-31"), parse_utc("2026-08-31T00:00:00Z"));
}

TEST(Timestamp, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026", "2026-8-31", "2026-02-30", "2025-02-29", "2026-13-01", "2026-00-10", "1969-12-31", "2026-08-31 09:05:07",
        "2026-08-31T09:05:07", "2026-08-31T24:00:00Z", "2026-08-31T09:60:07Z", "2026-08-31T09:05:07+01:00", "2026-08-31T",
        "-026-08-31", "2026--8-31", "2026-08-31T0-:05:07Z", "+026-08-31"}) {
    EXPECT_FALSE(parse_utc(text)) << text;
  }
}

TEST(Timestamp, ReadsPeriods) {
  EXPECT_EQ(parse_period("90s"), 90);
  EXPECT_EQ(parse_period("15m"), 900);
  EXPECT_EQ(parse_period("12h"), 43200);
  EXPECT_EQ(parse_period("30d"), 2'592'000);
  EXPECT_EQ(parse_period("2w"), 1'209'600);
  EXPECT_EQ(parse_period("1y"), 31'536'000);
  for (const char* text : {"", "d", "0d", "-1d", "1", "1.5h", "1 d", "30days", "1001y", "99999999999d"})
    EXPECT_FALSE(parse_period(text)) << text;
}

}  // namespace
}  // namespace minnow
