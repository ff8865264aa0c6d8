#include "cpu/body/table.h"
#include "cpu/avx512/vector.h"

namespace minnow::avx512 {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::avx512
