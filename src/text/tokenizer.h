// Text to token ids and back.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

struct EncodeOptions {
  bool add_special = true;     // BOS / EOS as the model wants them
  bool parse_special = false;  // text that spells a control or user-defined token becomes that token
  bool continues = false;      // the text goes on from another: no space is put before it (SPM, unigram)
};

// The words of a vocabulary are many; a tokenizer may share them with the model that they came with.
using SharedSpec = std::shared_ptr<const TokenizerSpec>;

// Immutable once built; may be used from many threads at once.
class Tokenizer {
 public:
  // Checks the spec (ids in range, byte tokens well formed, merges whose parts exist) and builds the lookup
  // tables. Throws kInvalidInput or kUnsupported (an unknown pre-tokenizer), naming spec.source.
  static std::shared_ptr<const Tokenizer> build(TokenizerSpec spec);
  static std::shared_ptr<const Tokenizer> build(SharedSpec spec);
  virtual ~Tokenizer() = default;

  // Any bytes are accepted; invalid UTF-8 becomes byte tokens where the vocabulary has them. Linear time.
  virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const = 0;

  // The bytes of one token as it continues a text: may be a part of a UTF-8 character. Control tokens give ""
  // unless show_special.
  virtual std::string piece(TokenId id, bool show_special = false) const = 0;

  // All ids together; drops the one leading space that encode() put there, and replaces broken UTF-8.
  std::string decode(std::span<const TokenId> ids, bool show_special = false) const;

  const TokenizerSpec& spec() const { return spec_; }
  int32_t n_vocab() const { return static_cast<int32_t>(spec_.tokens.size()); }
  bool is_valid(TokenId id) const { return id >= 0 && id < n_vocab(); }
  bool is_control(TokenId id) const;
  // Whether this token ends an answer: EOS, EOT, the extra ones, and the well-known names of such tokens.
  bool is_end_of_generation(TokenId id) const;
  // Those that are a space or one or two line ends: what models put behind a mark.
  const std::vector<TokenId>& space_tokens() const;
  // The id whose vocabulary text is exactly this; kNoToken when absent.
  virtual TokenId find(std::string_view token_text) const = 0;

 protected:
  explicit Tokenizer(SharedSpec spec);
  const SharedSpec shared_spec_;
  const TokenizerSpec& spec_;
  std::vector<bool> end_of_generation_;

 private:
  mutable std::once_flag spaces_once_;
  mutable std::vector<TokenId> spaces_;
};

// Turns a stream of tokens into a stream of text that is always whole UTF-8: bytes that may begin a longer
// character are held back until it is complete or known to be broken (then U+FFFD).
class StreamDecoder {
 public:
  // at_text_start: drop the leading space that tokenizers add (true when no text precedes).
  StreamDecoder(const Tokenizer& tokenizer, bool at_text_start, bool show_special = false);
  std::string push(TokenId id);
  // What is still held back, made valid.
  std::string finish();

 private:
  void drop_first_space(TokenId id, std::string& piece);
  void clean_up(std::string& piece);

  const Tokenizer& tokenizer_;
  bool at_start_;
  bool quote_waits_ = false;  // " '" of WordPiece, whose spaces depend on what follows
  bool show_special_;
  std::string held_;
};

}  // namespace minnow
