// AVX-512 with the unit for tiles (AMX) of bf16: Intel servers from Sapphire Rapids.
#pragma once

#include "cpu/avx512bf16/vector.h"

namespace minnow::amx {

struct Vector : avx512bf16::VectorOf<Vector> {};

}  // namespace minnow::amx
