// A tokenizer for a body of texts: byte-level BPE.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

struct TokenizerTrainingOptions {
  int64_t vocab_size = 0;  // with the special and added tokens and the 256 bytes
  // Control tokens, with the first ids. Where a text has one, words end; the token itself is learned from nothing.
  std::vector<std::string> special = {"<|endoftext|>"};
  // Further tokens that texts are never cut within, whose ids follow. Unlike control tokens they are text: they come out when
  // tokens are decoded, and every text that spells one is encoded as it.
  std::vector<std::string> added;
  std::string eos, bos;        // special tokens; an empty eos means the first one, an empty bos none
  uint64_t min_frequency = 2;  // of a pair that becomes a token
  // What cuts texts into words: a name of tokenizer_pre.h, or "gpt2" or "llama3".
  std::string pre_tokenizer = "gpt2";
  int n_threads = 0;  // 0: one for each core that pays
  std::function<void(uint64_t)> on_bytes = {};  // that were counted since the last call; from any thread
  std::function<void()> on_token = {};          // for each that was learned
};

struct TokenizerTrainingReport {
  uint64_t bytes = 0;           // of all files
  uint64_t words = 0;           // in the texts
  uint64_t distinct_words = 0;
  uint64_t word_bytes = 0;      // in the texts
  uint64_t tokens = 0;          // that the words of the texts take with this tokenizer
  int64_t vocab_size = 0;       // as it came out: less than was asked for when no pair is frequent enough
  double count_seconds = 0, merge_seconds = 0;
};

// The bytes of all files, for a progress bar.
uint64_t total_bytes(const std::vector<std::filesystem::path>& paths);

// `paths` as for find_data_files. Throws kUsage when vocab_size leaves no room for the bytes or names are not known, kInvalidInput for
// texts that are not UTF-8.
TokenizerSpec train_tokenizer(const std::vector<std::filesystem::path>& paths, const TokenizerTrainingOptions& options,
                              TokenizerTrainingReport* report = nullptr);

}  // namespace minnow
