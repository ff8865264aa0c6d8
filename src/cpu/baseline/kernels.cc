#include "cpu/body/table.h"
#include "cpu/baseline/vector.h"

namespace minnow::baseline {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::baseline
