#include "cpu/body/train_table.h"
#include "cpu/neon/vector.h"

namespace minnow::neon {

constinit const TrainKernels kTrainKernels = body::train_table<Vector>();

}  // namespace minnow::neon
