// SentencePiece BPE (Llama 2, Mistral, Phi-3, Gemma): characters are symbols, the pair whose piece has the
// best score merges first, and characters that no piece has become byte tokens.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/tokenizer_vocabulary.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece_text.h"

namespace minnow {
namespace {

constexpr std::size_t kBytes = 256;

// Symbols: token ids; then the 256 bytes of characters that no piece has; then the characters that are a part
// of pieces without being one.
class SpmTokenizer final : public BpeTokenizer {
 public:
  explicit SpmTokenizer(SharedSpec spec) : BpeTokenizer(std::move(spec)), bytes_(spec_) {
    collect_part_characters();
    symbols_ = TokenIndex(symbol_texts());
    space_symbol_ = symbol_of(kSpaceSymbol);
    splits_at_spaces_ = spec_.split_at_spaces || splits_at_spaces(spec_);
    if (spec_.merges.empty()) {
      add_merges_by_score();
    } else {
      set_listed_merges(symbols_);
    }
  }

 protected:
  void encode_fragment(std::string_view text, bool prefix, Scratch& scratch,
                       std::vector<TokenId>& out) const override {
    const std::size_t begin = out.size();
    text = with_plain_spaces(spec_, text, spec_.add_space_prefix && prefix, scratch.text);
    while (!text.empty()) {
      const std::size_t end = splits_at_spaces_ ? spaced_word_end(text, spec_.split_at_spaces) : text.size();
      encode_word(text.substr(0, end), scratch, out);
      text.remove_prefix(end);
    }
    if (spec_.fuse_unknown) fuse_unknown(spec_.unk, begin, out);
  }

  void word_symbols(std::string_view word, std::vector<uint32_t>& symbols) const override {
    while (!word.empty()) {
      if (word.front() == ' ') {
        append_character(kSpaceSymbol, space_symbol_, symbols);
        word.remove_prefix(1);
        continue;
      }
      const std::string_view character = word.substr(0, decode_utf8(word).length);
      append_character(character, symbol_of(character), symbols);
      word.remove_prefix(character.size());
    }
  }

  void append_symbol(uint32_t symbol, std::vector<TokenId>& out) const override {
    const std::size_t beyond = symbol - static_cast<uint32_t>(n_vocab());
    if (beyond < kBytes) {
      append_byte(beyond, out);
    } else {
      for (const char c : part_characters_[beyond - kBytes]) append_byte(static_cast<uint8_t>(c), out);
    }
  }

  std::string token_bytes(const TokenEntry& token) const override { return sentencepiece_bytes(token); }

 private:
  // Characters of pieces that are not pieces themselves still merge into them.
  void collect_part_characters() {
    std::vector<std::string_view> characters;
    for (const TokenEntry& token : spec_.tokens) {
      if (token.type != TokenType::kNormal) continue;
      for (std::string_view rest = token.text; !rest.empty();) {
        const std::size_t length = decode_utf8(rest).length;
        if (length < token.text.size() && static_cast<uint8_t>(rest[0]) >= 0x80) {
          characters.push_back(rest.substr(0, length));
        } else if (length < token.text.size()) {
          ascii_parts_[static_cast<uint8_t>(rest[0])] = rest.substr(0, 1);
        }
        rest.remove_prefix(length);
      }
    }
    for (const std::string_view part : ascii_parts_) {
      if (!part.empty()) characters.push_back(part);
    }
    std::ranges::sort(characters);
    characters.erase(std::unique(characters.begin(), characters.end()), characters.end());
    part_characters_ = std::move(characters);
  }

  // By symbol; of equal texts TokenIndex takes the first, so that characters which are tokens count as
  // tokens.
  std::vector<std::string_view> symbol_texts() const {
    std::vector<std::string_view> texts(spec_.tokens.size() + kBytes);
    for (std::size_t id = 0; id < spec_.tokens.size(); ++id) {
      if (spec_.tokens[id].type == TokenType::kNormal) texts[id] = spec_.tokens[id].text;
    }
    texts.insert(texts.end(), part_characters_.begin(), part_characters_.end());
    return texts;
  }

  uint32_t symbol_of(std::string_view text) const { return static_cast<uint32_t>(symbols_.find(text)); }

  void add_merges_by_score() {
    std::vector<TokenId> by_score;
    std::size_t n_pairs = 0;
    for (TokenId id = 0; id < n_vocab(); ++id) {
      const TokenEntry& token = spec_.tokens[static_cast<std::size_t>(id)];
      if (token.type != TokenType::kNormal) continue;
      by_score.push_back(id);
      n_pairs += std::min<std::size_t>(token.text.size(), 4);
    }
    const auto score = [&](TokenId id) { return spec_.tokens[static_cast<std::size_t>(id)].score; };
    std::ranges::stable_sort(by_score, std::greater<>(), score);
    struct Pair {
      uint32_t left, right;
      BpeMerges::Merge merge;
    };
    std::vector<Pair> pairs;
    pairs.reserve(n_pairs);
    uint32_t rank = 0;
    for (std::size_t i = 0; i < by_score.size(); ++i) {
      if (i > 0 && score(by_score[i]) != score(by_score[i - 1])) rank = static_cast<uint32_t>(i);
      for_each_split(by_score[i], [&](uint32_t left, uint32_t right) {
        pairs.push_back({left, right, {rank, static_cast<uint32_t>(by_score[i])}});
      });
    }
    merges_ = BpeMerges(pairs.size());
    for (const Pair& pair : pairs) merges_.add(pair.left, pair.right, pair.merge);
  }

  template <typename F>
  void for_each_split(TokenId id, const F& f) const {
    const std::string_view piece = spec_.tokens[static_cast<std::size_t>(id)].text;
    if (piece.size() > limits::kMaxPieceBytes) {
      fail(ErrorCode::kLimit, "{}: token {} of {} bytes is too long", spec_.source, id, piece.size());
    }
    for (std::size_t cut = decode_utf8(piece.empty() ? " " : piece).length; cut < piece.size();
         cut += decode_utf8(piece.substr(cut)).length) {
      const TokenId left = symbols_.find(piece.substr(0, cut)), right = symbols_.find(piece.substr(cut));
      if (left != kNoToken && right != kNoToken) f(static_cast<uint32_t>(left), static_cast<uint32_t>(right));
    }
  }

  void append_character(std::string_view character, uint32_t symbol, std::vector<uint32_t>& symbols) const {
    if (symbol != static_cast<uint32_t>(kNoToken)) {
      symbols.push_back(symbol);
      return;
    }
    for (const char c : character)
      symbols.push_back(static_cast<uint32_t>(n_vocab()) + static_cast<uint8_t>(c));
  }

  void append_byte(std::size_t byte, std::vector<TokenId>& out) const {
    const TokenId byte_token = bytes_.of(static_cast<uint8_t>(byte));
    const TokenId id = byte_token != kNoToken ? byte_token : spec_.unk;
    if (id != kNoToken) out.push_back(id);
  }

  ByteTokens bytes_;
  std::array<std::string_view, 128> ascii_parts_{};
  std::vector<std::string_view> part_characters_;  // views into spec_
  TokenIndex symbols_;
  uint32_t space_symbol_ = BpeMerges::kNone;
  bool splits_at_spaces_ = false;
};

}  // namespace

std::shared_ptr<const Tokenizer> build_spm_tokenizer(SharedSpec spec) {
  return std::make_shared<SpmTokenizer>(std::move(spec));
}

}  // namespace minnow
