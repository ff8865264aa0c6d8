// Which tokens may come in a state of a grammar: worked out once for all texts that reach the state, as far as the state
// alone decides it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/grammar/matcher.h"
#include "text/grammar/token_trie.h"
#include "text/tokenizer_special.h"

namespace minnow {

class Tokenizer;

namespace grammar {

// Bit i of a mask is bit i % 32 of word i / 32.
inline std::size_t mask_words(std::size_t n_tokens) { return (n_tokens + 31) / 32; }
inline void set_bit(std::span<uint32_t> mask, TokenId id) {
  mask[static_cast<std::size_t>(id) / 32] |= 1u << (static_cast<std::size_t>(id) % 32);
}

struct StateMask {
  std::vector<uint32_t> words;    // tokens that may come; either these …
  std::vector<TokenId> ids;       // … or these, when they are few
  // Tokens that lead past the end of the state's rule, by what they still have then: what follows the rule decides.
  TokenTrie rests;
  uint32_t reach = 0;             // rules open at once, at most, for all that was found
  bool reaches_copied = false;    // what is copied decides about some of these tokens
  bool too_many = false;          // tokens for `rests`: where something follows the rule, the vocabulary has to be walked each time
  std::size_t bytes() const { return words.size() * 4 + ids.size() * 4 + rests.bytes() + sizeof *this; }
};

// The masks of a rule's states, made when they are first asked for. Thread-safe.
class RuleMasks {
 public:
  explicit RuleMasks(std::size_t n_states) : masks_(n_states) {}
  std::shared_ptr<const StateMask> find(std::size_t state);
  // Keeps it, unless another thread was faster; the one that is kept. `added` is the memory that it takes.
  std::shared_ptr<const StateMask> keep(std::size_t state, std::shared_ptr<const StateMask> mask, std::size_t& added);
  void clear();

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<const StateMask>> masks_;
};

// The tokens of a tokenizer as grammars see them. Immutable but for a cache; may be used from many threads.
class TokenVocabulary {
 public:
  // Throws kUnsupported for WordPiece, whose tokens have no text of their own.
  explicit TokenVocabulary(const Tokenizer& tokenizer);

  std::size_t n_tokens() const { return texts_.size(); }
  // Empty for tokens that no grammar allows. Control tokens, and those that look like them, have texts of bytes that no UTF-8 has: only a
  // grammar that has taken them from spelled() allows them.
  std::string_view text(TokenId id) const { return texts_[static_cast<std::size_t>(id)]; }
  // The text, with such tokens in place of the words that they show: of those that begin at one place, the longest.
  std::string spelled(std::string_view text) const;
  const std::vector<TokenId>& ends() const { return ends_; }  // those that end an answer
  bool is_end(TokenId id) const { return is_end_[static_cast<std::size_t>(id)]; }
  const TokenTrie& trie() const { return trie_; }
  std::size_t longest() const { return longest_; }  // bytes of the longest text

  StateMask make_mask(const Automaton& automaton, uint32_t state) const;
  // Sets the bits of the tokens by which one of the readings can go on.
  void walk(Matcher& matcher, Reading from, std::span<uint32_t> mask) const;
  // The same for a trie whose weights are those of this class, with as many plain characters as the reading takes at once.
  static void walk(const TokenTrie& trie, Matcher& matcher, Reading from, std::span<uint32_t> mask);

  // Shared by all grammars that have this rule; null for rules with calls or many states.
  std::shared_ptr<RuleMasks> shared_masks(const Automaton& automaton, const Automaton::Rule& rule) const;

 private:
  struct Slice {
    uint8_t characters;
    std::vector<uint32_t> words;  // tokens of so many plain characters or fewer
  };
  const Slice* slice_for(uint8_t plain_run) const;
  void make_slices(const std::vector<uint8_t>& weights);

  std::vector<char> bytes_;
  std::vector<std::string_view> texts_;
  std::vector<TokenId> ends_;
  std::vector<bool> is_end_;
  SpecialTokenMatcher marks_;
  std::size_t longest_ = 0;
  TokenTrie trie_;  // weight: plain characters; kNotPlain for other tokens
  std::vector<Slice> slices_;

  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::shared_ptr<RuleMasks>> shared_;
};

}  // namespace grammar
}  // namespace minnow
