// What all kinds of tokenizers have in common: special tokens cut out first, the text between them
// normalized, cut into words, and the words seen lately kept in a cache.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "text/bpe_merges.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_index.h"
#include "text/tokenizer_special.h"
#include "text/word_cache.h"

namespace minnow {

class FragmentTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  std::string piece(TokenId id, bool show_special) const override;
  TokenId find(std::string_view token_text) const override;

 protected:
  // The best way to write the text up to a place: its probability, and its last token.
  struct LatticeNode {
    double score;
    uint32_t begin;
    TokenId id;
  };

  // What one call of encode() works with; taken from a pool, so that calls from many threads do not meet.
  struct Scratch {
    WordCache cache;
    PreTokenizerScratch pre, normalizer;
    BpeMerges::Scratch merges;
    std::vector<uint32_t> symbols;
    std::vector<LatticeNode> lattice;
    std::string normalized, text;   // changed copies of the fragment at hand
    std::unique_ptr<Scratch> next;  // in the pool
  };

  explicit FragmentTokenizer(SharedSpec spec);

  // Encodes a text without special tokens in it. `prefix`: here a space is put before it, if the model wants
  // one.
  virtual void encode_fragment(std::string_view text, bool prefix, Scratch& scratch,
                               std::vector<TokenId>& out) const = 0;
  // Encodes one word, which is not in the cache.
  virtual void encode_new_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const = 0;
  // The bytes that a normal or byte token stands for, as it continues a text.
  virtual std::string token_bytes(const TokenEntry& token) const = 0;
  // The same for special tokens, where they are shown.
  virtual std::string special_bytes(const TokenEntry& token) const { return token.text; }

  // From the cache if it is there. Not an empty one.
  void encode_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const;

 private:
  class Lease;
  struct Call;
  void add_special(const TokenEntry& token, TokenId id, Scratch& scratch);
  template <typename OnText>
  void cut_special(std::string_view text, const SpecialTokenMatcher& matcher, Call& call,
                   const OnText& on_text) const;
  void encode_between(std::string_view text, Call& call) const;

  Normalizer normalizer_;
  mutable TokenIndex all_tokens_;  // made when it is first asked for
  mutable std::once_flag all_tokens_made_;
  // Of the text as it is: user-defined tokens, and all. Of the normalized text: the same of those tokens.
  SpecialTokenMatcher user_defined_, all_special_, normalized_user_defined_, normalized_special_;

  mutable std::mutex pool_mutex_;
  mutable std::unique_ptr<Scratch> pool_;  // a list
};

std::shared_ptr<const Tokenizer> build_byte_bpe_tokenizer(SharedSpec spec);
std::shared_ptr<const Tokenizer> build_spm_tokenizer(SharedSpec spec);
std::shared_ptr<const Tokenizer> build_unigram_tokenizer(SharedSpec spec);
std::shared_ptr<const Tokenizer> build_wordpiece_tokenizer(SharedSpec spec);

}  // namespace minnow
