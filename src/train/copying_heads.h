// Attention heads of a new model that say again what was said, before it has learned anything.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "models/model.h"

namespace minnow {

// Two heads of the first layer look one and two tokens back and write down which token that was. Two heads of each of the next
// kMatchingLayers layers look for a place that was written down so before which now comes what came there before, and say what stands
// there: induction heads (Olsson et al. 2022, "In-context Learning and Induction Heads"). To find them takes a small model longer than
// all else that it learns; weights that begin as such heads are trained on like all others (as in mimetic initialization, Trockman and
// Kolter 2023, "Mimetic Initialization of Self-Attention Layers").
//
// The weights fit embeddings with a deviation of 1 and an output projection that is a multiple of them.
class CopyingHeads {
 public:
  // Both have to outlive it. Throws kUsage when the model has fewer than two heads of keys or a head less than 8 features.
  CopyingHeads(Model& model, Random& random);

  // For a layer whose attention has its random weights already: overwrites those of these heads and adds the biases, most of them 0.
  void begin(int64_t layer);

 private:
  using Rows = std::vector<float>;  // head_dim x n_embd
  static constexpr int64_t kGroups = 2;          // heads of keys; of the heads that use one the first does the work
  static constexpr int64_t kMatchingLayers = 2;
  static constexpr double kLookBackScore = 8;    // what a pair of features adds to the attention score of the token looked at
  static constexpr float kMatchScale = 2, kWriteScale = 2.5f;

  Rows random_rows();
  float* weights(int64_t layer, const char* name);
  void look_back(int64_t layer);
  void match(int64_t layer);
  void write(int64_t layer, int64_t group, const Rows& read, const Rows& written);
  void turn(float* head, int64_t n) const;

  Model& model_;
  Random& random_;
  int64_t head_dim_, n_embd_, queries_each_;
  Rows what_;                // reads a token from its embedding
  std::vector<Rows> where_;  // of each group: where the token so far back is written
};

}  // namespace minnow
