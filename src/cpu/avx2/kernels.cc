#include "cpu/body/table.h"
#include "cpu/avx2/vector.h"

namespace minnow::avx2 {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::avx2
