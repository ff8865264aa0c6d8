// What one step of an executor works on: tokens of several sequences, side by side.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace minnow {

// `count` tokens of one sequence, beginning at row `first` of the batch. The sequence has `past` tokens before them
// in the KV cache; pages[i] is the cache page that holds positions [i * page, (i + 1) * page) of the sequence and
// reaches up to position past + count - 1.
struct SequenceSlice {
  int32_t first = 0;
  int32_t count = 0;
  int32_t past = 0;
  std::span<const int32_t> pages;
  int32_t second_segment = -1;  // position from which on tokens belong to the second of two texts; -1: none does
};

struct Batch {
  std::vector<int32_t> tokens;          // all ids must be within the vocabulary
  std::vector<SequenceSlice> sequences; // cover the tokens without gap, in order
  std::vector<int32_t> output_rows;     // ascending rows whose logits are wanted
};

// What a run of a training graph (graph/differentiate.h) works on. Sequences are documents that lie whole in the batch:
// `past` is 0 and there are no pages. R is the number of rows of the graph's output: output_rows.size() where the graph
// selects rows, as models do, else the number of tokens.
struct TrainingBatch : Batch {
  std::vector<int32_t> targets;     // [R] the token that should follow each row; negative: none
  std::vector<float> loss_weights;  // [R] factor of each row's loss in the sum that is differentiated
  std::vector<float> teacher;       // [R, 2 k] of a teacher's k tokens of each row the ids, then ln p; empty without one
  float teacher_temperature = 0;    // above 0: instead of TeacherAttrs::temperature, for schedules
  std::vector<float> output_grad;   // [R, ...] for LossKind::kGiven; empty otherwise
  uint64_t seed = 0;                // of dropout: another one for each run
};

}  // namespace minnow
