#include "cpu/machine.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

TEST(MachineLimits, AreMeasuredForWhatThisMachineHas) {
  ThreadPool pool(2);
  const MachineLimits limits = measure_limits(pool, chosen_isa(), 0.06);
  EXPECT_GT(limits.read_bytes_per_second, 0);
  EXPECT_GT(limits.int8_ops_per_second, 0);
  EXPECT_GT(limits.f32_ops_per_second, 0);
  EXPECT_GE(limits.bf16_ops_per_second, 0);
}

TEST(MultiplyRate, IsThatOfTheWeightsType) {
  MachineLimits limits;
  limits.int8_ops_per_second = 4;
  limits.f32_ops_per_second = 1;
  EXPECT_EQ(multiply_rate(limits, DType::kQ4_K), 4);
  EXPECT_EQ(multiply_rate(limits, DType::kF16), 1);
  EXPECT_EQ(multiply_rate(limits, DType::kBF16), 1);  // no instruction
  limits.bf16_ops_per_second = 2;
  EXPECT_EQ(multiply_rate(limits, DType::kBF16), 2);
  EXPECT_EQ(multiply_rate(limits, DType::kF16), 2);
}

TEST(ReadProbe, CanBeAskedAgain) {
  ThreadPool pool(1);
  ReadProbe probe(pool, chosen_isa());
  EXPECT_GT(probe.bytes_per_second(0.01), 0);
  EXPECT_GT(probe.bytes_per_second(0.01), 0);
}

}  // namespace
}  // namespace minnow
