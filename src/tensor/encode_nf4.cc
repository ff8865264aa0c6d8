// NF4, as bitsandbytes rounds: to the nearest value of the table, the lower of two at the same distance.
#include <algorithm>
#include <cmath>

#include "tensor/blocks.h"
#include "tensor/encode.h"

namespace minnow {
namespace {

unsigned nearest_code(float x) {
  unsigned code = 0;
  while (code < 15 && x > (kNf4Values[code] + kNf4Values[code + 1]) / 2) ++code;
  return code;
}

}  // namespace

void encode(const float* x, BlockNF4& b) {
  b.absmax = 0;
  for (int i = 0; i < BlockNF4::kSize; ++i) b.absmax = std::max(b.absmax, std::abs(x[i]));
  const float inverse = inverse_of(b.absmax);
  for (int i = 0; i < 32; ++i) b.qs[i] = static_cast<uint8_t>(nearest_code(x[2 * i] * inverse) << 4 | nearest_code(x[2 * i + 1] * inverse));
}

}  // namespace minnow
