#include "cpu/body/table.h"
#include "cpu/avx512bf16/vector.h"

namespace minnow::avx512bf16 {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::avx512bf16
