// What a caller may ask of the sampler.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

// Neutral values switch a step off. Defaults are those of llama.cpp's tools where people have got used to
// them.
struct SamplingParams {
  float temperature = 0.8f;  // 0: greedy, the first of equal maxima
  int top_k = 40;            // 0: all
  float top_p = 0.95f;       // (0, 1]; 1: off
  float min_p = 0.05f;       // [0, 1]; 0: off
  float typical_p = 1.0f;    // (0, 1]; 1: off

  float repetition_penalty =
      1.0f;  // > 0; 1: off. Divides positive logits, multiplies negative ones (CTRL paper).
  float presence_penalty = 0.0f;   // [-2, 2], subtracted once for a token seen in the window
  float frequency_penalty = 0.0f;  // [-2, 2], subtracted per occurrence
  int penalty_last_n = 64;         // window of the three penalties; -1: everything, 0: off

  // DRY ("don't repeat yourself"): penalty multiplier * base^(match length - allowed_length).
  float dry_multiplier = 0.0f;  // >= 0; 0: off
  float dry_base = 1.75f;       // >= 1
  int dry_allowed_length = 2;   // >= 1; repeats shorter than this are free
  int dry_last_n = -1;          // -1: everything, 0: off
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};

  // XTC ("exclude top choices"): with this probability drop all but the least likely token above the
  // threshold.
  float xtc_probability = 0.0f;
  float xtc_threshold = 0.1f;  // > 0.5: off

  bool infill = false;  // for text between two others: see InfillStep

  int mirostat = 0;  // 0 off, 1 or 2: replaces top-k, top-p, min-p, typical, XTC, infill (Basu et al. 2021)
  float mirostat_tau = 5.0f;
  float mirostat_eta = 0.1f;

  std::vector<std::pair<TokenId, float>> logit_bias;  // added first; -infinity forbids
  std::vector<TokenId> allowed_tokens;  // no others; empty: all
  uint64_t seed = 0;

  // Throws kInvalidInput naming the first field out of range.
  void validate(int32_t n_vocab) const;
};

}  // namespace minnow
