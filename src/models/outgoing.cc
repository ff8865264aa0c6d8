#include "models/outgoing.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/error.h"
#include "tensor/codec.h"
#include "tensor/ternary.h"

namespace minnow {
namespace {

// Bytes that are made before the sink gets them.
constexpr uint64_t kPieceBytes = 8 << 20;
// Values that one thread takes at a time.
constexpr int64_t kGrainValues = 1 << 16;

std::vector<float> row_values(const Outgoing& o, int64_t row) {
  const int64_t n = o.shape.last();
  std::vector<float> values(static_cast<std::size_t>(n));
  if (o.shape.rank() > 1) {
    const int64_t from = o.row_order.empty() ? row : o.row_order[static_cast<std::size_t>(row)];
    decode_row(o.tensor.dtype, o.tensor.row(from), values.data(), n);
  } else {
    decode_row(o.tensor.dtype, o.tensor.row(0), values.data(), n);
    if (!o.row_order.empty()) {
      const std::vector<float> source = values;
      for (int64_t i = 0; i < n; ++i) {
        values[static_cast<std::size_t>(i)] = source[static_cast<std::size_t>(o.row_order[static_cast<std::size_t>(i)])];
      }
    }
  }
  for (float& v : values) v += o.shift;
  return values;
}

void check_finite(const Outgoing& o, const std::vector<float>& values) {
  if (!is_quantized(o.dtype)) return;
  for (const float v : values) {
    if (!std::isfinite(v)) fail(ErrorCode::kInvalidInput, "{}: holds a value that is not finite, it cannot be quantized", o.name);
  }
}

bool fits(const Outgoing& o, const std::vector<float>& values, const std::byte* encoded) {
  if (o.dtype != DType::kF16) return has_finite_scales(o.dtype, encoded, o.shape.last());
  constexpr float kRoundsToInfinity = 65520;
  return std::none_of(values.begin(), values.end(), [](float v) { return std::abs(v) >= kRoundsToInfinity && std::isfinite(v); });
}

// The weights of one row: those of its matrix in the stack when each has its own.
std::span<const float> importance_of(const Outgoing& o, int64_t row) {
  const auto n = static_cast<std::size_t>(o.shape.last());
  if (o.importance.size() <= n) return o.importance;
  const int64_t rows_of_matrix = o.shape.rows() / o.shape[0];
  return o.importance.subspan(static_cast<std::size_t>(row / rows_of_matrix) * n, n);
}

void encode_one(const Outgoing& o, int64_t row, float ternary_scale, std::byte* out) {
  const std::vector<float> values = row_values(o, row);
  check_finite(o, values);
  if (o.dtype == DType::kI2_S) {
    encode_i2_s(values.data(), ternary_scale, out, o.shape.last());
  } else {
    encode_row(o.dtype, values.data(), out, o.shape.last(), importance_of(o, row));
  }
  if (!fits(o, values, out)) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}: holds a value past the range of {}", o.name, name(o.dtype)),
                "keep this tensor in BF16 or F32 (--tensor-type)");
  }
}

float tensor_scale(const Outgoing& o) {
  TernaryScale scale;
  for (int64_t r = 0; r < o.shape.rows(); ++r) scale.add(row_values(o, r));
  return scale.value();
}

// body(row) for all rows from `begin` to `end`; what one of them throws is thrown when all are done.
void for_rows(ThreadPool& pool, int64_t begin, int64_t end, int64_t grain, const std::function<void(int64_t)>& body) {
  std::mutex mutex;
  std::exception_ptr failure;
  pool.parallel_for(end - begin, grain, [&](int64_t from, int64_t to) {
    try {
      for (int64_t r = begin + from; r < begin + to; ++r) body(r);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

void produce(const Outgoing& o, ThreadPool& pool, const ByteSink& sink) {
  const bool as_it_is = o.dtype == o.tensor.dtype && o.shift == 0;
  if (as_it_is && o.row_order.empty()) return sink(o.tensor.span());
  const uint64_t bytes = row_bytes(o.dtype, o.shape.last());
  if (as_it_is && o.shape.rank() > 1) {
    for (const int64_t row : o.row_order) sink({o.tensor.row(row), bytes});
    return;
  }
  const float scale = o.dtype == DType::kI2_S ? tensor_scale(o) : 0;
  const int64_t n_rows = o.shape.rows(), grain = std::max<int64_t>(1, kGrainValues / std::max<int64_t>(1, o.shape.last()));
  const auto piece = static_cast<int64_t>(std::max<uint64_t>(1, kPieceBytes / std::max<uint64_t>(1, bytes)));
  std::vector<std::byte> out(static_cast<std::size_t>(std::min(piece, n_rows)) * bytes);
  for (int64_t begin = 0; begin < n_rows; begin += piece) {
    const int64_t end = std::min(n_rows, begin + piece);
    for_rows(pool, begin, end, grain, [&](int64_t r) {
      encode_one(o, r, scale, out.data() + static_cast<uint64_t>(r - begin) * bytes);
    });
    sink({out.data(), static_cast<uint64_t>(end - begin) * bytes});
  }
}

}  // namespace minnow
