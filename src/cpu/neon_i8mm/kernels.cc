#include "cpu/body/table.h"
#include "cpu/neon_i8mm/vector.h"

namespace minnow::neon_i8mm {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::neon_i8mm
