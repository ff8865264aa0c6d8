#include "cpu/body/train_table.h"
#include "cpu/neon_dotprod/vector.h"

namespace minnow::neon_dotprod {

constinit const TrainKernels kTrainKernels = body::train_table<Vector>();

}  // namespace minnow::neon_dotprod
