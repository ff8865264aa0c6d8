#include "cpu/body/table.h"
#include "cpu/neon_dotprod/vector.h"

namespace minnow::neon_dotprod {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::neon_dotprod
