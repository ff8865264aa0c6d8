// For tests: tensors of packed layers, made by hand.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "formats/packed/unpack_quantized.h"
#include "formats/test_bytes.h"
#include "tensor/codec.h"
#include "tensor/half.h"

namespace minnow::packed_test {

using Values = std::vector<float>;

template <typename T>
Tensor tensor(DType dtype, const Shape& shape, const std::vector<T>& values) {
  std::byte* data = nullptr;
  Tensor t = Tensor::allocate(dtype, shape, &data);
  EXPECT_EQ(t.bytes(), values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(T));
  return t;
}

inline Tensor i32(const Shape& shape, const std::vector<uint32_t>& values) {
  return tensor(DType::kI32, shape, values);
}
inline Tensor bytes(const Shape& shape, const std::vector<uint8_t>& values) {
  return tensor(DType::kI8, shape, values);
}
inline Tensor f32(const Shape& shape, const Values& values) { return tensor(DType::kF32, shape, values); }
inline Tensor text(const std::string& s) {
  return bytes({static_cast<int64_t>(s.size())}, {s.begin(), s.end()});
}
inline Tensor f16(const Shape& shape, const Values& values) {
  std::vector<uint16_t> halves;
  for (const float v : values) halves.push_back(f32_to_f16(v));
  return tensor(DType::kF16, shape, halves);
}

inline Quantization settings(const std::string& method, const std::string& json,
                             const std::string& dtype = "") {
  return {method, parse_json(json, "test"), "config.json: quantization_config", dtype};
}

// The weight of the one layer "l".
inline Tensor unpack(const std::vector<NamedTensor>& tensors, const Quantization& q) {
  const auto plain = unpack_quantized(tensors, q, "model.safetensors");
  EXPECT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain.at(0).name, "l.weight");
  return plain.at(0).tensor;
}

inline void refuses(const std::vector<NamedTensor>& tensors, const Quantization& q, std::string_view part,
                    ErrorCode code = ErrorCode::kInvalidInput) {
  testing::expect_refused([&] { unpack_quantized(tensors, q, "model.safetensors"); }, code, part);
}

// Bit by bit: bit b of code i is bit i * bits + b of the stream.
inline std::vector<uint32_t> stream_of(const std::vector<int>& codes, int bits) {
  std::vector<uint32_t> words((codes.size() * static_cast<std::size_t>(bits) + 31) / 32);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    for (int b = 0; b < bits; ++b) {
      const std::size_t at = i * static_cast<std::size_t>(bits) + static_cast<std::size_t>(b);
      if (((codes[i] >> b) & 1) != 0) words[at / 32] |= 1u << (at % 32);
    }
  }
  return words;
}

}  // namespace minnow::packed_test
