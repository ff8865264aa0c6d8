// Byte-level BPE (GPT-2 and heirs): every byte is a symbol, merges by rank inside the pieces of a
// pre-tokenizer.
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "formats/byte_letters.h"
#include "text/bpe_tokenizer.h"

namespace minnow {
namespace {

class ByteBpeTokenizer final : public BpeTokenizer {
 public:
  explicit ByteBpeTokenizer(SharedSpec spec) : BpeTokenizer(std::move(spec)), splitter_(spec_) {
    for (std::size_t byte = 0; byte < 256; ++byte)
      letter_bytes_[kByteLetters[byte]] = static_cast<int16_t>(byte);
    std::vector<std::string_view> mergeable(spec_.tokens.size());
    for (std::size_t id = 0; id < mergeable.size(); ++id) {
      if (is_mergeable(spec_.tokens[id].type)) mergeable[id] = spec_.tokens[id].text;
    }
    const TokenIndex index(std::move(mergeable));
    for (std::size_t byte = 0; byte < 256; ++byte) {
      std::string letter;
      append_utf8(letter, kByteLetters[byte]);
      const TokenId id = index.find(letter);
      byte_symbols_[byte] = static_cast<uint32_t>(id == kNoToken ? n_vocab() : id);
    }
    set_listed_merges(index);
    if (spec_.ignore_merges) index_whole_words();
  }

 protected:
  void encode_fragment(std::string_view text, bool, Scratch& scratch,
                       std::vector<TokenId>& out) const override {
    if (spec_.byte_prefix_space && !text.starts_with(' ')) text = scratch.text.assign(1, ' ').append(text);
    uint32_t begin = 0;
    for (const uint32_t flagged : splitter_.split(text, scratch.pre)) {
      const uint32_t end = flagged & ~kLeftOut;
      if (end == flagged) encode_word(text.substr(begin, end - begin), scratch, out);
      begin = end;
    }
  }

  void word_symbols(std::string_view word, std::vector<uint32_t>& symbols) const override {
    symbols.resize(word.size());
    for (std::size_t i = 0; i < word.size(); ++i) symbols[i] = byte_symbols_[static_cast<uint8_t>(word[i])];
  }

  // A byte that the vocabulary lacks (rare control characters) is dropped, as the libraries that models are
  // trained with do: the "unknown" token of such models is often the one that ends a text.
  void append_symbol(uint32_t, std::vector<TokenId>&) const override {}

  TokenId whole_word(std::string_view word) const override { return whole_words_.find(word); }

  std::string token_bytes(const TokenEntry& token) const override {
    std::string bytes;
    std::string_view text = token.text;
    while (!text.empty()) {
      const Utf8Char letter = decode_utf8(text);
      const bool maps =
          letter.valid && letter.code_point < kByteLettersEnd && letter_bytes_[letter.code_point] >= 0;
      if (maps) {
        bytes += static_cast<char>(letter_bytes_[letter.code_point]);
      } else {
        bytes.append(text.substr(0, letter.length));
      }
      text.remove_prefix(letter.length);
    }
    return bytes;
  }

 private:
  // So that no text that a user writes merges into a control token.
  static bool is_mergeable(TokenType type) {
    return type == TokenType::kNormal || type == TokenType::kUserDefined;
  }

  void index_whole_words() {
    std::vector<std::size_t> ends;
    ends.reserve(spec_.tokens.size());
    for (const TokenEntry& token : spec_.tokens) {
      if (token.type == TokenType::kNormal) word_bytes_ += token_bytes(token);
      ends.push_back(word_bytes_.size());
    }
    std::vector<std::string_view> words;
    words.reserve(ends.size());
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      words.push_back(std::string_view(word_bytes_).substr(begin, end - begin));
      begin = end;
    }
    whole_words_ = TokenIndex(std::move(words));
  }

  static constexpr std::array<int16_t, kByteLettersEnd> no_letters() {
    std::array<int16_t, kByteLettersEnd> none{};
    none.fill(-1);
    return none;
  }

  PreTokenizer splitter_;
  std::array<int16_t, kByteLettersEnd> letter_bytes_ = no_letters();
  std::array<uint32_t, 256> byte_symbols_{};
  TokenIndex whole_words_;
  std::string word_bytes_;  // that it points into
};

}  // namespace

std::shared_ptr<const Tokenizer> build_byte_bpe_tokenizer(SharedSpec spec) {
  return std::make_shared<ByteBpeTokenizer>(std::move(spec));
}

}  // namespace minnow
