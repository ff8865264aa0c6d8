// Small runs of training for the tests of this room.
#pragma once

#include "base/random.h"
#include "formats/test_bytes.h"
#include "train/new_model.h"
#include "train/test_chats.h"
#include "train/trainer.h"

namespace minnow::test {

// Sentences that a tiny model learns a good part of in some dozens of steps.
inline std::string small_text(int n_lines = 200) {
  const char* subjects[] = {"the cat", "a dog", "the bird", "my fish"};
  const char* verbs[] = {"sees", "likes", "follows"};
  Random random(3);
  std::string text;
  for (int i = 0; i < n_lines; ++i) {
    text += std::string(subjects[random.below(4)]) + " " + verbs[random.below(3)] + " " + subjects[random.below(4)] + ".\n";
  }
  return text;
}

inline Model tiny_model(uint64_t seed = 1) {
  return new_model({.n_layers = 2, .n_embd = 32, .n_heads = 2, .n_kv_heads = 1, .n_ff = 64, .n_ctx = 32}, testing_chats::byte_spec(), seed);
}

inline TrainerOptions tiny_options(int64_t steps) {
  TrainerOptions o;
  o.steps = steps;
  o.sequence_length = 32;
  o.n_sequences = 4;
  o.rate = {.peak = 1e-2, .warmup_steps = 2};
  o.numbers = Multiplied::kF32;
  o.n_threads = 1;
  return o;
}

inline DataSet tiny_data(const testing::TemporaryFolder& folder, double validation_share = 0) {
  DataSetOptions options;
  options.files = {folder.write("text.txt", small_text())};
  options.validation_share = validation_share;
  options.index.piece_bytes = 256;
  return DataSet::open(options);
}

inline std::vector<float> all_weights(const Model& model) {
  std::vector<float> all;
  for (const NamedTensor& t : model.weights.all()) all.insert(all.end(), t.tensor.f32(), t.tensor.f32() + t.tensor.shape.elements());
  return all;
}

}  // namespace minnow::test
