#include "base/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace minnow {
namespace {

TEST(Units, BytesAreInPowersOfAThousand) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(1234567), "1.2 MB");
  EXPECT_EQ(format_bytes(12345678), "12.3 MB");
  EXPECT_EQ(format_bytes(123456789), "123 MB");
  EXPECT_EQ(format_bytes(2500000000), "2.5 GB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "18.4 EB");
}

TEST(Units, RoundingUpCarriesIntoTheNextUnit) {
  EXPECT_EQ(format_bytes(999949), "1.0 MB");
  EXPECT_EQ(format_bytes(999499), "999 kB");
  EXPECT_EQ(format_bytes(99960), "100 kB");
  EXPECT_EQ(format_bytes(99940), "99.9 kB");
  EXPECT_EQ(format_count(999999), "1.00 M");
  EXPECT_EQ(format_count(9999), "10.0 K");
}

TEST(Units, CountsHaveThreeDigits) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1.00 K");
  EXPECT_EQ(format_count(1234567890), "1.23 B");
  EXPECT_EQ(format_count(494032768), "494 M");
  EXPECT_EQ(format_count(12300000), "12.3 M");
  EXPECT_EQ(format_count(UINT64_MAX), "18446744 T");
}

TEST(Units, DurationsTakeTheUnitThatFits) {
  EXPECT_EQ(format_duration(0), "0 ms");
  EXPECT_EQ(format_duration(0.0123), "12 ms");
  EXPECT_EQ(format_duration(0.9999), "1.0 s");
  EXPECT_EQ(format_duration(4.56), "4.6 s");
  EXPECT_EQ(format_duration(59.96), "1m 00s");
  EXPECT_EQ(format_duration(75), "1m 15s");
  EXPECT_EQ(format_duration(3599.7), "1h 00m");
  EXPECT_EQ(format_duration(3700), "1h 02m");
  EXPECT_EQ(format_duration(90000), "1d 01h");
  for (const double x :
       {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(format_duration(x), "?");
  }
}

}  // namespace
}  // namespace minnow
