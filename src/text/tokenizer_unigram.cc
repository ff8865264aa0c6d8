// Unigram (T5, XLM-R, SentencePiece's own kind): of all ways to write a text as pieces, the most probable
// one.
#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "text/fragment_tokenizer.h"
#include "text/piece_trie.h"
#include "text/sentencepiece_text.h"
#include "text/wordpiece_text.h"

namespace minnow {
namespace {

constexpr double kUnknownPenalty = 10;  // below the least probable piece
constexpr TokenId kUnreached = -2;

class UnigramTokenizer final : public FragmentTokenizer {
 public:
  explicit UnigramTokenizer(SharedSpec spec)
      : FragmentTokenizer(std::move(spec)), splitter_(spec_), bytes_(spec_) {
    double lowest = std::numeric_limits<double>::max();
    std::vector<std::string> texts;
    for (const TokenEntry& token : spec_.tokens) {
      const bool normal = token.type == TokenType::kNormal;
      texts.push_back(normal ? sentencepiece_bytes(token) : std::string());
      if (normal) lowest = std::min(lowest, static_cast<double>(token.score));
    }
    unknown_score_ = (lowest == std::numeric_limits<double>::max() ? 0 : lowest) - kUnknownPenalty;
    trie_ = PieceTrie(std::vector<std::string_view>(texts.begin(), texts.end()));
    splits_at_spaces_ = spec_.split_at_spaces || splits_at_spaces(spec_);
    has_bytes_ = spec_.byte_fallback && bytes_.complete();
  }

 protected:
  void encode_fragment(std::string_view text, bool prefix, Scratch& scratch,
                       std::vector<TokenId>& out) const override {
    uint32_t begin = 0;
    for (const uint32_t flagged : splitter_.split(text, scratch.pre)) {
      const uint32_t end = flagged & ~kLeftOut;
      const bool wants_prefix = spec_.add_space_prefix && (begin == 0 ? prefix : spec_.prefix_after_special);
      if (end == flagged) encode_piece(text.substr(begin, end - begin), wants_prefix, scratch, out);
      begin = end;
    }
  }

  void encode_new_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const override {
    fill_lattice(word, scratch.lattice);
    const std::size_t first = out.size();
    const auto& lattice = scratch.lattice;
    for (std::size_t end = word.size(); end > 0; end = lattice[end].begin) {
      const LatticeNode& node = lattice[end];
      if (node.id != kNoToken || !has_bytes_) {
        out.push_back(node.id != kNoToken ? node.id : spec_.unk);
        continue;
      }
      for (std::size_t i = end; i > node.begin; --i)
        out.push_back(bytes_.of(static_cast<uint8_t>(word[i - 1])));
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
    if (spec_.unk == kNoToken) std::erase(out, kNoToken);
  }

  std::string token_bytes(const TokenEntry& token) const override {
    return spec_.decode_as_wordpiece ? wordpiece_bytes(spec_, token) : sentencepiece_bytes(token);
  }
  std::string special_bytes(const TokenEntry& token) const override {
    return spec_.decode_as_wordpiece ? wordpiece_bytes(spec_, token) : token.text;
  }

 private:
  void encode_piece(std::string_view text, bool prefix, Scratch& scratch, std::vector<TokenId>& out) const {
    const std::size_t begin = out.size();
    text = with_plain_spaces(spec_, text, prefix, scratch.text);
    while (!text.empty()) {
      const std::size_t end = splits_at_spaces_ ? spaced_word_end(text, spec_.split_at_spaces) : text.size();
      encode_word(text.substr(0, end), scratch, out);
      text.remove_prefix(end);
    }
    fuse_unknown(spec_.unk, begin, out);
  }

  // Viterbi: the best last piece up to every place. An unknown character has the id kNoToken.
  void fill_lattice(std::string_view word, std::vector<LatticeNode>& lattice) const {
    lattice.assign(word.size() + 1, {0, 0, kUnreached});
    for (std::size_t begin = 0; begin < word.size();) {
      const std::string_view rest = word.substr(begin);
      const std::size_t character = decode_utf8(rest).length;
      const double score = lattice[begin].score;
      const auto offer = [&](std::size_t length, TokenId id, double piece_score) {
        LatticeNode& node = lattice[begin + length];
        if (node.id != kUnreached && score + piece_score <= node.score) return;
        node = {score + piece_score, static_cast<uint32_t>(begin), id};
      };
      bool is_piece = false;
      trie_.walk(rest, [&](std::size_t length, TokenId id) {
        offer(length, id, static_cast<double>(spec_.tokens[static_cast<std::size_t>(id)].score));
        is_piece |= length == character;
      });
      if (!is_piece) offer(character, kNoToken, unknown_score_);
      begin += character;
    }
  }

  PreTokenizer splitter_;
  ByteTokens bytes_;
  PieceTrie trie_;
  double unknown_score_ = 0;
  bool splits_at_spaces_ = false, has_bytes_ = false;
};

}  // namespace

std::shared_ptr<const Tokenizer> build_unigram_tokenizer(SharedSpec spec) {
  return std::make_shared<UnigramTokenizer>(std::move(spec));
}

}  // namespace minnow
