#include "cpu/body/train_table.h"
#include "cpu/avxvnni/vector.h"

namespace minnow::avxvnni {

constinit const TrainKernels kTrainKernels = body::train_table<Vector>();

}  // namespace minnow::avxvnni
