// What SentencePiece-like and byte-level BPE have in common: special tokens cut out first, then words, each
// word made of symbols that are merged, with the words seen lately kept in a cache.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "text/bpe_merges.h"
#include "text/bpe_word_cache.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_index.h"
#include "text/tokenizer_special.h"

namespace minnow {

class BpeTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  std::string piece(TokenId id, bool show_special) const override;
  TokenId find(std::string_view token_text) const override { return all_tokens_.find(token_text); }

 protected:
  // What one call of encode() works with; taken from a pool, so that calls from many threads do not meet.
  struct Scratch {
    BpeWordCache cache;
    PreTokenizerScratch pre;
    BpeMerges::Scratch merges;
    std::vector<uint32_t> symbols;
    std::string text;  // a changed copy of the fragment at hand
  };

  explicit BpeTokenizer(TokenizerSpec spec);

  // Encodes a text without special tokens in it. `follows_break`: it begins the text, or comes after a
  // special token.
  virtual void encode_fragment(std::string_view text, bool follows_break, Scratch& scratch,
                               std::vector<TokenId>& out) const = 0;
  // The symbols of a word before merging: token ids, or numbers from n_vocab() up that mean what the class
  // wants.
  virtual void word_symbols(std::string_view word, std::vector<uint32_t>& symbols) const = 0;
  virtual void append_symbol(uint32_t symbol, std::vector<TokenId>& out) const = 0;
  // The bytes that a normal or byte token stands for.
  virtual std::string token_bytes(const TokenEntry& token) const = 0;

  // To be called at the end of the constructor of the class that has token_bytes().
  void set_pieces();
  void encode_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const;
  // A word that is taken whole; kNoToken when there is no such token or merging decides.
  virtual TokenId whole_word(std::string_view) const { return kNoToken; }
  // The three parts of spec_.merges[rank] among `index`; throws kInvalidInput unless all exist.
  void add_listed_merge(std::size_t rank, const TokenIndex& index);

  BpeMerges merges_;
  std::vector<std::string_view> pieces_;  // by id, into piece_bytes_

 private:
  class Lease;
  void encode_word_uncached(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const;
  void encode_between(std::string_view text, bool follows_break, Scratch& scratch,
                      std::vector<TokenId>& out) const;

  TokenIndex all_tokens_;
  SpecialTokenMatcher user_defined_, all_special_;
  std::string piece_bytes_;

  mutable std::mutex pool_mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> pool_;
};

std::shared_ptr<const Tokenizer> build_byte_bpe_tokenizer(TokenizerSpec spec);
std::shared_ptr<const Tokenizer> build_spm_tokenizer(TokenizerSpec spec);

}  // namespace minnow
