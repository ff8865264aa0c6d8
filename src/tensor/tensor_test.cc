#include "tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/error.h"

namespace minnow {
namespace {

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Shape, CountsOutermostFirst) {
  const Shape shape{4, 3, 2};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape[0], 4);
  EXPECT_EQ(shape.last(), 2);
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape.rows(), 12);
  EXPECT_EQ(shape.text(), "[4, 3, 2]");
  EXPECT_EQ(shape, (Shape{4, 3, 2}));
  EXPECT_FALSE(shape == (Shape{4, 3, 2, 1}));
}

TEST(Shape, AScalarHasOneElementAndEmptyShapesNone) {
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape().rows(), 1);
  EXPECT_EQ(Shape().text(), "[]");
  EXPECT_EQ((Shape{3, 0}).elements(), 0);
  EXPECT_EQ((Shape{3, 0}).rows(), 0);
  EXPECT_EQ((Shape{0, 3}).rows(), 0);
}

TEST(Shape, RefusesMoreDimensionsThanTheLimit) {
  EXPECT_NO_THROW((Shape{1, 2, 3, 4}));
  EXPECT_EQ(refusal([] { Shape{1, 2, 3, 4, 5}; }), "a tensor of 5 dimensions, at most 4 are allowed");
  const std::vector<int64_t> many(1000, 1);
  EXPECT_THROW(Shape{std::span(many)}, Error);
}

TEST(TensorBytes, CountsWholeBlocks) {
  EXPECT_EQ(checked_tensor_bytes(DType::kF32, {2, 3}, "t"), 24u);
  EXPECT_EQ(checked_tensor_bytes(DType::kQ4_0, {2, 64}, "t"), 72u);
  EXPECT_EQ(checked_tensor_bytes(DType::kQ6_K, {3, 512}, "t"), 1260u);
  EXPECT_EQ(checked_tensor_bytes(DType::kF16, {}, "t"), 2u);
  EXPECT_EQ(checked_tensor_bytes(DType::kQ8_0, {7, 0}, "t"), 0u);
}

TEST(TensorBytes, RefusesNegativeDimensionsAndBrokenBlocks) {
  EXPECT_EQ(refusal([] {
              checked_tensor_bytes(DType::kF32, {2, -1}, "w");
            }),
            "w: negative dimension in [2, -1]");
  EXPECT_THROW(checked_tensor_bytes(DType::kF32, {INT64_MIN, 1}, "w"), Error);
  EXPECT_EQ(refusal([] {
              checked_tensor_bytes(DType::kQ4_0, {2, 48}, "w");
            }),
            "w: rows of 48 elements are not whole blocks of 32 (Q4_0)");
}

TEST(TensorBytes, RefusesSizesAndElementCountsPast63Bits) {
  const int64_t big = int64_t{1} << 40;
  const std::vector<Shape> shapes = {{big, big, 1, 1},
                                     {INT64_MAX},
                                     {INT64_MAX, INT64_MAX},
                                     {1, big, 1, 1 << 24},
                                     // Nothing in all, but the product overflows on the way.
                                     {3, int64_t{1} << 62, 0},
                                     {big, big, 0}};
  for (const Shape& shape : shapes) {
    EXPECT_THAT(refusal([&] { checked_tensor_bytes(DType::kF32, shape, "w"); }),
                testing::HasSubstr("is too large"));
  }
  // Fewer bytes than elements: the elements are what does not fit.
  EXPECT_THROW(checked_tensor_bytes(DType::kQ4_0, {int64_t{1} << 31, int64_t{1} << 32}, "w"), Error);
  // Whatever is let through can be counted without overflow (the sanitizers watch).
  const Shape empty{0, big, big};
  EXPECT_EQ(checked_tensor_bytes(DType::kF32, empty, "w"), 0u);
  EXPECT_EQ(empty.elements(), 0);
}

TEST(Tensor, AllocatesAlignedZeros) {
  std::byte* data = nullptr;
  const Tensor tensor = Tensor::allocate(DType::kF32, {5, 7}, &data);
  EXPECT_EQ(tensor.bytes(), 140u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
  EXPECT_TRUE(
      std::all_of(tensor.span().begin(), tensor.span().end(), [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_EQ(tensor.row(2), data + 56);
  EXPECT_TRUE(Tensor::allocate(DType::kF32, {0}, nullptr));
  EXPECT_FALSE(Tensor());
}

TEST(Tensor, KeepsItsStorageAlive) {
  Tensor copy;
  {
    const std::vector<float> values = {1, 2, 3, 4};
    copy = Tensor::from_f32(values, {2, 2});
  }
  EXPECT_EQ(copy.f32()[3], 4.0f);
  EXPECT_THROW(Tensor::from_f32(std::vector<float>(3), {2, 2}), Error);
}

TEST(DType, FactsAreConsistent) {
  for (int i = 0; i < kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(info(dtype).dtype, dtype);
    EXPECT_EQ(dtype_from_name(name(dtype)), dtype);
    EXPECT_EQ(is_in_gguf(dtype), dtype != DType::kNF4);
    if (dtype != DType::kI2_S && dtype != DType::kNF4) {
      EXPECT_EQ(dtype_from_gguf(info(dtype).gguf_id), dtype);
      EXPECT_EQ(gguf_type_name(info(dtype).gguf_id), name(dtype));
    }
    EXPECT_EQ(row_bytes(dtype, 256 * 3), 256u * 3 / info(dtype).block_size * info(dtype).block_bytes);
  }
  EXPECT_EQ(dtype_from_name("q4_k"), DType::kQ4_K);
  EXPECT_EQ(dtype_from_name("q4_k_m"), std::nullopt);
  EXPECT_EQ(dtype_from_name(""), std::nullopt);
  EXPECT_EQ(dtype_from_gguf(UINT32_MAX), std::nullopt);
  EXPECT_EQ(gguf_type_name(20), "IQ4_NL");
  EXPECT_EQ(gguf_type_name(23), "IQ4_XS");
  EXPECT_EQ(gguf_type_name(34), "TQ1_0");
  EXPECT_EQ(gguf_type_name(39), "MXFP4");
  EXPECT_EQ(gguf_type_name(4), "unknown or retired");
  EXPECT_EQ(gguf_type_name(4000000000u), "unknown or retired");
}

}  // namespace
}  // namespace minnow
