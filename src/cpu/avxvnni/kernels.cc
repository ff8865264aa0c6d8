#include "cpu/body/table.h"
#include "cpu/avxvnni/vector.h"

namespace minnow::avxvnni {

constinit const Kernels kKernels = body::table<Vector>();

}  // namespace minnow::avxvnni
