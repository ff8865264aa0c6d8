#include "base/checked.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace minnow {
namespace {

using Wide = unsigned __int128;

TEST(Checked, AgreesWithWiderArithmeticAndRemembersOverflow) {
  Random random(1);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t a = random.next() >> random.below(64), b = random.next() >> random.below(64),
                   c = random.below(4);
    const Wide exact = Wide{a} * b;
    const Checked product = Checked(a) * b;
    ASSERT_EQ(product.ok(), exact >> 64 == 0);
    if (product.ok()) {
      ASSERT_EQ(product.value(), static_cast<uint64_t>(exact));
    }
    const Checked sum = product + c;
    ASSERT_EQ(sum.ok(), (exact >> 64 == 0) && (exact + c) >> 64 == 0);
  }
  const Checked overflow = Checked(UINT64_MAX) + 1;
  EXPECT_FALSE(overflow.ok());
  EXPECT_FALSE((overflow * 0).ok()) << "an overflow is never forgotten";
  EXPECT_TRUE(overflow.exceeds(UINT64_MAX));
}

TEST(Checked, ExceedsComparesTheValue) {
  EXPECT_FALSE(Checked(5).exceeds(5));
  EXPECT_TRUE(Checked(6).exceeds(5));
}

TEST(Checked, AlignsUpwardsAndNotesOverflowAtTheTop) {
  EXPECT_EQ(Checked(0).aligned(32).value(), 0u);
  EXPECT_EQ(Checked(1).aligned(32).value(), 32u);
  EXPECT_EQ(Checked(64).aligned(32).value(), 64u);
  EXPECT_EQ(Checked(7).aligned(1).value(), 7u);
  EXPECT_TRUE(Checked(UINT64_MAX - 31).aligned(32).ok());
  EXPECT_FALSE(Checked(UINT64_MAX - 30).aligned(32).ok());
}

}  // namespace
}  // namespace minnow
