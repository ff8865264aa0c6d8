// WordPiece (BERT): words are cut from the left into the longest pieces that the vocabulary has; a word that
// cannot be cut so is unknown as a whole.
#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "text/fragment_tokenizer.h"
#include "text/piece_trie.h"
#include "text/wordpiece_text.h"

namespace minnow {

std::string wordpiece_bytes(const TokenizerSpec& spec, const TokenEntry& token) {
  static constexpr std::array<std::string_view, 9> kAttached = {".",  ",",  "?",   "!",  "n't",
                                                                "'m", "'s", "'ve", "'re"};
  const std::string_view text = token.text;
  if (!spec.continuing_prefix.empty() && text.starts_with(spec.continuing_prefix)) {
    return std::string(text.substr(spec.continuing_prefix.size()));
  }
  const auto begins_text = [&](std::string_view part) { return text.starts_with(part); };
  if (spec.decode_cleanup && std::ranges::any_of(kAttached, begins_text)) return std::string(text);
  return std::string(" ").append(text);
}

namespace {

class WordPieceTokenizer final : public FragmentTokenizer {
 public:
  explicit WordPieceTokenizer(SharedSpec spec) : FragmentTokenizer(std::move(spec)), splitter_(spec_) {
    std::vector<std::string_view> first(spec_.tokens.size()), further(spec_.tokens.size());
    for (std::size_t id = 0; id < spec_.tokens.size(); ++id) {
      const TokenEntry& token = spec_.tokens[id];
      if (token.type != TokenType::kNormal) continue;
      const std::string_view text = token.text;
      first[id] = text;
      if (text.starts_with(spec_.continuing_prefix))
        further[id] = text.substr(spec_.continuing_prefix.size());
    }
    first_ = PieceTrie(first);
    further_ = PieceTrie(further);
  }

 protected:
  void encode_fragment(std::string_view text, bool, Scratch& scratch,
                       std::vector<TokenId>& out) const override {
    uint32_t begin = 0;
    for (const uint32_t flagged : splitter_.split(text, scratch.pre)) {
      const uint32_t end = flagged & ~kLeftOut;
      if (end == flagged) encode_word(text.substr(begin, end - begin), scratch, out);
      begin = end;
    }
  }

  void encode_new_word(std::string_view word, Scratch&, std::vector<TokenId>& out) const override {
    const std::size_t begin = out.size();
    const PieceTrie* trie = &first_;
    for (std::string_view rest = is_too_long(word) ? std::string_view() : word; !rest.empty();
         trie = &further_) {
      std::size_t longest = 0;
      TokenId id = kNoToken;
      trie->walk(rest, [&](std::size_t length, TokenId piece) {
        longest = length;
        id = piece;
      });
      if (id == kNoToken) {
        out.resize(begin);
        break;
      }
      out.push_back(id);
      rest.remove_prefix(longest);
    }
    if (out.size() == begin && spec_.unk != kNoToken) out.push_back(spec_.unk);
  }

  std::string token_bytes(const TokenEntry& token) const override { return wordpiece_bytes(spec_, token); }
  std::string special_bytes(const TokenEntry& token) const override { return wordpiece_bytes(spec_, token); }

 private:
  bool is_too_long(std::string_view word) const {
    int n = 0;
    for (; !word.empty() && n <= spec_.max_word_chars; ++n) word.remove_prefix(decode_utf8(word).length);
    return n > spec_.max_word_chars;
  }

  PreTokenizer splitter_;
  PieceTrie first_, further_;  // pieces that begin words, and those that go on
};

}  // namespace

std::shared_ptr<const Tokenizer> build_wordpiece_tokenizer(SharedSpec spec) {
  return std::make_shared<WordPieceTokenizer>(std::move(spec));
}

}  // namespace minnow
