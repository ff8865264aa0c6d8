#include "cpu/body/train_table.h"
#include "cpu/neon_i8mm/vector.h"

namespace minnow::neon_i8mm {

constinit const TrainKernels kTrainKernels = body::train_table<Vector>();

}  // namespace minnow::neon_i8mm
