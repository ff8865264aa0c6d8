// What SentencePiece-like and byte-level BPE have in common: words made of symbols that are merged.
#pragma once

#include "text/fragment_tokenizer.h"

namespace minnow {

class BpeTokenizer : public FragmentTokenizer {
 protected:
  using FragmentTokenizer::FragmentTokenizer;

  // The symbols of a word before merging: token ids, or numbers from n_vocab() up that mean what the class
  // wants.
  virtual void word_symbols(std::string_view word, std::vector<uint32_t>& symbols) const = 0;
  virtual void append_symbol(uint32_t symbol, std::vector<TokenId>& out) const = 0;
  // A word that is taken whole; kNoToken when there is no such token or merging decides.
  virtual TokenId whole_word(std::string_view) const { return kNoToken; }

  void encode_new_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const override;
  // All of spec_.merges, whose three parts are looked up in `index`; throws kInvalidInput unless all exist.
  void set_listed_merges(const TokenIndex& index);

  BpeMerges merges_;
};

}  // namespace minnow
