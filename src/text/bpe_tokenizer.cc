#include "text/bpe_tokenizer.h"

#include "base/error.h"
#include "text/tokenizer_nfc.h"

namespace minnow {
namespace {

constexpr std::size_t kKeepTextBytes = 1 << 20;

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trim_left(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view trim_right(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> texts_of(const TokenizerSpec& spec) {
  std::vector<std::string_view> texts;
  texts.reserve(spec.tokens.size());
  for (const TokenEntry& token : spec.tokens) texts.emplace_back(token.text);
  return texts;
}

// Tokens that stand for their text and not for their bytes.
bool is_verbatim(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUserDefined || type == TokenType::kUnknown ||
         type == TokenType::kUnused;
}

}  // namespace

// A Scratch for the time of one call.
class BpeTokenizer::Lease {
 public:
  explicit Lease(const BpeTokenizer& owner) : owner_(owner) {
    {
      const std::lock_guard lock(owner.pool_mutex_);
      if (!owner.pool_.empty()) {
        scratch_ = std::move(owner.pool_.back());
        owner.pool_.pop_back();
      }
    }
    if (!scratch_) scratch_ = std::make_unique<Scratch>();
  }
  ~Lease() {
    scratch_->merges.release_if_large();
    if (scratch_->text.capacity() > kKeepTextBytes) scratch_->text = {};
    if (scratch_->symbols.capacity() > kKeepTextBytes) scratch_->symbols = {};
    if (scratch_->pre.ends.capacity() > kKeepTextBytes) scratch_->pre.ends = {};
    if (scratch_->pre.other_ends.capacity() > kKeepTextBytes) scratch_->pre.other_ends = {};
    const std::lock_guard lock(owner_.pool_mutex_);
    owner_.pool_.push_back(std::move(scratch_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Scratch& operator*() const { return *scratch_; }

 private:
  const BpeTokenizer& owner_;
  std::unique_ptr<Scratch> scratch_;
};

BpeTokenizer::BpeTokenizer(TokenizerSpec spec) : Tokenizer(std::move(spec)), all_tokens_(texts_of(spec_)) {
  for (TokenId id = 0; id < n_vocab(); ++id) {
    const TokenEntry& token = spec_.tokens[static_cast<std::size_t>(id)];
    if (token.type == TokenType::kUserDefined) user_defined_.add(token.text, id);
    if (is_verbatim(token.type) && token.type != TokenType::kUnused) all_special_.add(token.text, id);
  }
}

void BpeTokenizer::set_pieces() {
  std::vector<std::size_t> ends;
  ends.reserve(spec_.tokens.size());
  for (const TokenEntry& token : spec_.tokens) {
    piece_bytes_ += is_verbatim(token.type) ? token.text : token_bytes(token);
    ends.push_back(piece_bytes_.size());
  }
  pieces_.reserve(ends.size());
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    pieces_.push_back(std::string_view(piece_bytes_).substr(begin, end - begin));
    begin = end;
  }
}

void BpeTokenizer::add_listed_merge(std::size_t rank, const TokenIndex& index) {
  const std::string_view merge = spec_.merges[rank];
  const std::size_t space = merge.find(' ');
  if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
    fail(ErrorCode::kInvalidInput, "{}: merge {} is not two parts with a space between", spec_.source, rank);
  }
  const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
  const TokenId left_id = index.find(left), right_id = index.find(right);
  const TokenId id = index.find(std::string(left).append(right));
  if (left_id == kNoToken || right_id == kNoToken || id == kNoToken) {
    fail(ErrorCode::kInvalidInput, "{}: merge {} has a part or a result that is not in the vocabulary",
         spec_.source, rank);
  }
  merges_.add(static_cast<uint32_t>(left_id), static_cast<uint32_t>(right_id),
              {static_cast<uint32_t>(rank), static_cast<uint32_t>(id)});
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text, EncodeOptions options) const {
  const Lease lease(*this);
  std::vector<TokenId> out;
  out.reserve(text.size() / 3 + 4);
  if (options.add_special && spec_.add_bos && spec_.bos != kNoToken) out.push_back(spec_.bos);
  const SpecialTokenMatcher& matcher = options.parse_special ? all_special_ : user_defined_;
  bool follows_break = true;
  while (!text.empty()) {
    const SpecialTokenMatcher::Match match = matcher.next(text);
    if (match.id == kNoToken) {
      encode_between(text, follows_break, *lease, out);
      break;
    }
    const TokenEntry& special = spec_.tokens[static_cast<std::size_t>(match.id)];
    const std::string_view before = text.substr(0, match.begin);
    encode_between(special.lstrip ? trim_right(before) : before, follows_break, *lease, out);
    out.push_back(match.id);
    text.remove_prefix(match.begin + match.length);
    if (special.rstrip) text = trim_left(text);
    follows_break = true;
  }
  if (options.add_special && spec_.add_eos && spec_.eos != kNoToken) out.push_back(spec_.eos);
  return out;
}

void BpeTokenizer::encode_between(std::string_view text, bool follows_break, Scratch& scratch,
                                  std::vector<TokenId>& out) const {
  if (text.empty()) return;
  std::string normalized;
  if (spec_.normalize_nfc && normalize_nfc(text, normalized)) text = normalized;
  encode_fragment(text, follows_break, scratch, out);
}

void BpeTokenizer::encode_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const {
  if (word.size() > BpeWordCache::kMaxWordBytes) {
    encode_word_uncached(word, scratch, out);
    return;
  }
  const BpeWordCache::Key key(word);
  if (const BpeWordCache::Entry* entry = scratch.cache.find(key)) {
    const auto tokens = entry->tokens();
    out.insert(out.end(), tokens.begin(), tokens.end());
    return;
  }
  const std::size_t begin = out.size();
  encode_word_uncached(word, scratch, out);
  scratch.cache.insert(key, std::span<const TokenId>(out).subspan(begin));
}

void BpeTokenizer::encode_word_uncached(std::string_view word, Scratch& scratch,
                                        std::vector<TokenId>& out) const {
  if (const TokenId id = whole_word(word); id != kNoToken) {
    out.push_back(id);
    return;
  }
  scratch.symbols.clear();
  word_symbols(word, scratch.symbols);
  merges_.apply(scratch.symbols, scratch.merges);
  for (const uint32_t symbol : scratch.symbols) {
    if (symbol < static_cast<uint32_t>(n_vocab())) {
      out.push_back(static_cast<TokenId>(symbol));
    } else {
      append_symbol(symbol, out);
    }
  }
}

std::string BpeTokenizer::piece(TokenId id, bool show_special) const {
  if (!is_valid(id)) return {};
  const auto index = static_cast<std::size_t>(id);
  const TokenType type = spec_.tokens[index].type;
  const bool hidden = is_verbatim(type) && type != TokenType::kUserDefined;
  if (hidden && !show_special) return {};
  return std::string(pieces_[index]);
}

}  // namespace minnow
