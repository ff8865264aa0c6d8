// Constrained decoding: what a model says is held to a JSON schema, a regular expression, a list of choices or a grammar.
// It fails closed: what cannot be held to exactly is refused when it is compiled, with the keyword or construct and where
// it stands; and while a text is made, a token that is not known to be allowed is forbidden.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/constraint_spec.h"
#include "text/tokenizer.h"

namespace minnow {

namespace grammar {
class Automaton;
class Matcher;
class TokenVocabulary;
}  // namespace grammar

// One grammar for one tokenizer: compiled once, shared by any number of texts and threads. It keeps the masks that it has
// worked out, up to limits::kMaxGrammarMaskBytes.
class TokenConstraint {
 public:
  TokenConstraint(std::shared_ptr<const grammar::Automaton> automaton, std::shared_ptr<const grammar::TokenVocabulary> vocabulary);
  ~TokenConstraint();

  // Of a schema with texts to copy (ConstraintSpec::copies): the constraint whose texts are words of this message. Cheap beside
  // compiling, and what does not hang on the message is worked out once for all of them. Where they are copied in order, each is of what
  // comes in the message after the one before; when no words are left, a text that has to be there is empty.
  static std::shared_ptr<const TokenConstraint> copying_from(std::shared_ptr<const TokenConstraint> any, std::string_view message);
  bool copies() const { return copies_; }

  int32_t n_vocab() const;

 private:
  friend class ConstraintState;
  struct Masks;
  TokenConstraint(std::shared_ptr<const TokenConstraint> any, std::shared_ptr<const grammar::Automaton> automaton, std::string_view message);
  // What is left of the message after the first of its texts that is this one; for a matcher that has just read it.
  std::shared_ptr<const TokenConstraint> after(std::string_view copied, const grammar::Matcher& matcher) const;
  std::string_view rest_after(std::string_view copied) const;
  bool is_last(std::string_view copied) const;  // no words come after it
  bool copies_in_order() const;

  std::shared_ptr<const TokenConstraint> any_;  // that this one was made of
  std::string message_;                         // for any_
  bool copies_ = false;
  mutable std::once_flag without_once_;
  mutable std::shared_ptr<const TokenConstraint> without_copied_;
  std::shared_ptr<const grammar::Automaton> automaton_;
  std::shared_ptr<const grammar::TokenVocabulary> vocabulary_;
  std::unique_ptr<Masks> masks_;
};

// Where one text stands. Cheap to copy; not thread-safe. All functions throw Error(kLimit) when the grammar can read the
// text in too many ways at once (limits::kMaxGrammarStacks); nothing else.
class ConstraintState {
 public:
  // Throws kInternal when the constraint copies and it is not said from which message.
  explicit ConstraintState(std::shared_ptr<const TokenConstraint> constraint);
  ConstraintState(const ConstraintState& other);
  ConstraintState(ConstraintState&&) noexcept;
  ConstraintState& operator=(ConstraintState other) noexcept;
  ~ConstraintState();

  // Bit i % 32 of word i / 32 is set for each token i that may come; bits past the vocabulary are cleared. Tokens that end
  // an answer are allowed exactly where the grammar may end; control tokens only where a shape has a mark that they are. Returns whether
  // any bit is set: where none is, the vocabulary has no tokens for what must come.
  bool mask(std::span<uint32_t> bits) const;
  // False when the token is not allowed; the state stays as it was.
  bool accept(TokenId token);
  // The same for text that is a part of a token, which begins with something else; false for an empty one.
  bool accept_text(std::string_view text);
  // The text is whole and nothing can follow, or a token that ends it was accepted.
  bool is_finished() const;
  // The text may end here.
  bool may_end() const;
  // The bytes that must come next: up to the next choice or possible end, at most `max`. How they are cut into tokens is
  // the model's choice.
  std::string forced(std::size_t max = 256) const;

 private:
  void refuse_texts_out_of_order(std::span<uint32_t> bits) const;
  bool read(std::string_view text);
  bool read(char byte);

  std::shared_ptr<const TokenConstraint> constraint_;
  std::unique_ptr<grammar::Matcher> matcher_;
  std::string copied_;  // of a text that is copied in order: what has been read of it
  bool ended_ = false;
};

// Compiles grammars for one tokenizer and keeps the latest (limits::kMaxCachedConstraints). May be used from many threads.
class ConstraintCompiler {
 public:
  // The tokenizer has to outlive it. Its tokens are sorted when the first grammar is compiled.
  explicit ConstraintCompiler(const Tokenizer& tokenizer);
  ~ConstraintCompiler();

  // Throws kInvalidInput for what breaks the rules of its language, kUnsupported for what cannot be held to (naming it and
  // its place), kLimit for what would be too large.
  std::shared_ptr<const TokenConstraint> compile(const ConstraintSpec& spec);

 private:
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

}  // namespace minnow
