// What one step of training computes on: documents side by side.
#pragma once

#include <cstdint>
#include <vector>

namespace minnow {

// Rows [first, first + count) of a batch: attention stays inside, positions begin at 0.
struct DocumentSpan {
  int32_t first = 0;
  int32_t count = 0;
  bool operator==(const DocumentSpan&) const = default;
};

// A document of n tokens takes n - 1 rows: its last token is predicted, but predicts nothing.
struct TrainBatch {
  std::vector<int32_t> tokens;          // [T]
  std::vector<int32_t> targets;         // [T], the token after it; -1 where no loss is to be taken
  std::vector<float> loss_weights;      // [T], 1 where there is a target, else 0
  std::vector<DocumentSpan> documents;  // cover the rows without gap, in order; of a preference first the chosen, then the rejected
  int64_t n_loss_tokens = 0;            // the sum of the weights. Losses are divided by that of all batches of an update

  bool operator==(const TrainBatch&) const = default;
};

}  // namespace minnow
