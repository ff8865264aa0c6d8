#include "cpu/body/table.h"
#include "cpu/neon/vector.h"

namespace minnow::neon {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::neon
