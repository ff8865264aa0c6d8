#include "cpu/body/train_table.h"
#include "cpu/baseline/vector.h"

namespace minnow::baseline {

constinit const TrainKernels kTrainKernels = body::train_table<Vector>();

}  // namespace minnow::baseline
