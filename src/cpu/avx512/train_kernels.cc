#include "cpu/body/train_table.h"
#include "cpu/avx512/vector.h"

namespace minnow::avx512 {

constinit const TrainKernels kTrainKernels = body::train_table<Vector>();

}  // namespace minnow::avx512
