#include "base/suggest.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

constexpr std::string_view kWords[] = {"Q4_K_M", "Q4_K_S", "Q8_0", "F16"};

TEST(Suggest, FindsTheWordWithTheFewestChanges) {
  EXPECT_EQ(closest_word("Q4_KM", kWords), "Q4_K_M");
  EXPECT_EQ(closest_word("q4ks", kWords), "Q4_K_S");
  EXPECT_EQ(closest_word("Q8", kWords), "") << "half of the word is missing";
  EXPECT_EQ(closest_word("8_0", kWords), "Q8_0");
  EXPECT_EQ(closest_word("FP16", kWords), "F16");
}

TEST(Suggest, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(closest_word("banana", kWords), "");
  EXPECT_EQ(closest_word("", kWords), "");
  EXPECT_EQ(closest_word(std::string(100000, 'Q'), kWords), "");
  EXPECT_EQ(closest_word("Q8_0", {}), "");
}

}  // namespace
}  // namespace minnow
