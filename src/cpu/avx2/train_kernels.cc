#include "cpu/body/train_table.h"
#include "cpu/avx2/vector.h"

namespace minnow::avx2 {

constinit const TrainKernels kTrainKernels = body::train_table<Vector>();

}  // namespace minnow::avx2
