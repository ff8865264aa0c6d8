#include "text/fragment_tokenizer.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/unicode_class.h"

namespace minnow {
namespace {

constexpr std::size_t kKeepTextBytes = 1 << 20;

std::string_view trim_left(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid || !is_unicode_space(c.code_point)) break;
    text.remove_prefix(c.length);
  }
  return text;
}

std::string_view trim_right(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(3, text.size());) {
    const Utf8Char c = decode_utf8(text.substr(text.size() - length));
    if (c.valid && c.length == length && is_unicode_space(c.code_point)) {
      text.remove_suffix(length);
      length = 1;
    } else {
      ++length;
    }
  }
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

template <typename T>
void release_if_large(T& buffer) {
  if (buffer.capacity() * sizeof(*buffer.data()) > kKeepTextBytes) buffer = {};
}

}  // namespace

// A Scratch for the time of one call.
class FragmentTokenizer::Lease {
 public:
  explicit Lease(const FragmentTokenizer& owner) : owner_(owner) {
    {
      const std::lock_guard lock(owner.pool_mutex_);
      scratch_ = std::move(owner.pool_);
      if (scratch_) owner.pool_ = std::move(scratch_->next);
    }
    if (!scratch_) scratch_ = std::make_unique<Scratch>();
  }
  ~Lease() {
    scratch_->merges.release_if_large();
    release_if_large(scratch_->text);
    release_if_large(scratch_->normalized);
    release_if_large(scratch_->symbols);
    release_if_large(scratch_->lattice);
    for (PreTokenizerScratch* pre : {&scratch_->pre, &scratch_->normalizer}) {
      release_if_large(pre->ends);
      release_if_large(pre->other_ends);
    }
    const std::lock_guard lock(owner_.pool_mutex_);
    scratch_->next = std::move(owner_.pool_);
    owner_.pool_ = std::move(scratch_);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Scratch& operator*() const { return *scratch_; }

 private:
  const FragmentTokenizer& owner_;
  std::unique_ptr<Scratch> scratch_;
};

// One call of encode().
struct FragmentTokenizer::Call {
  EncodeOptions options;
  Scratch& scratch;
  std::vector<TokenId>& out;
  bool prefix;  // whether what comes next may get a space before it
};

FragmentTokenizer::FragmentTokenizer(SharedSpec spec) : Tokenizer(std::move(spec)), normalizer_(spec_) {
  Scratch scratch;
  for (TokenId id = 0; id < n_vocab(); ++id) {
    const TokenEntry& token = spec_.tokens[static_cast<std::size_t>(id)];
    if (!is_verbatim(token.type) || token.type == TokenType::kUnused) continue;
    if (token.text.size() > limits::kMaxPieceBytes) {
      fail(ErrorCode::kLimit, "{}: special token {} of {} bytes is too long", spec_.source, id,
           token.text.size());
    }
    add_special(token, id, scratch);
  }
}

void FragmentTokenizer::add_special(const TokenEntry& token, TokenId id, Scratch& scratch) {
  const bool normalized = token.normalized && !normalizer_.empty();
  const bool user_defined = token.type == TokenType::kUserDefined;
  const std::string_view text =
      normalized ? normalizer_.apply(token.text, scratch.normalizer, scratch.normalized) : token.text;
  if (user_defined) (normalized ? normalized_user_defined_ : user_defined_).add(text, id, token.single_word);
  (normalized ? normalized_special_ : all_special_).add(text, id, token.single_word);
}

TokenId FragmentTokenizer::find(std::string_view token_text) const {
  std::call_once(all_tokens_made_, [&] { all_tokens_ = TokenIndex(texts_of(spec_)); });
  return all_tokens_.find(token_text);
}

std::vector<TokenId> FragmentTokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxSplitText)
    fail(ErrorCode::kLimit, "a text of {} bytes is too long to tokenize", text.size());
  const Lease lease(*this);
  std::vector<TokenId> out;
  out.reserve(text.size() / 3 + 4);
  if (options.add_special && spec_.add_bos && spec_.bos != kNoToken) {
    out.push_back(spec_.bos);
    out.insert(out.end(), spec_.after_bos.begin(), spec_.after_bos.end());
  }
  Call call{options, *lease, out, !options.continues};
  cut_special(text, options.parse_special ? all_special_ : user_defined_, call,
              [&](std::string_view between) { encode_between(between, call); });
  if (options.add_special && spec_.add_eos && spec_.eos != kNoToken) {
    out.insert(out.end(), spec_.before_eos.begin(), spec_.before_eos.end());
    out.push_back(spec_.eos);
  }
  return out;
}

template <typename OnText>
void FragmentTokenizer::cut_special(std::string_view text, const SpecialTokenMatcher& matcher, Call& call,
                                    const OnText& on_text) const {
  for (std::size_t begin = 0; begin < text.size();) {
    const SpecialTokenMatcher::Match match = matcher.next(text, begin);
    if (match.id == kNoToken) {
      on_text(text.substr(begin));
      break;
    }
    const TokenEntry& special = spec_.tokens[static_cast<std::size_t>(match.id)];
    const std::string_view before = text.substr(begin, match.begin - begin);
    on_text(special.lstrip ? trim_right(before) : before);
    call.out.push_back(match.id);
    begin = match.begin + match.length;
    if (special.rstrip) begin = text.size() - trim_left(text.substr(begin)).size();
    call.prefix = spec_.prefix_after_special;
  }
}

void FragmentTokenizer::encode_between(std::string_view text, Call& call) const {
  const auto encode_text = [&](std::string_view fragment) {
    if (!fragment.empty()) encode_fragment(fragment, call.prefix, call.scratch, call.out);
  };
  if (text.empty()) return;
  if (normalizer_.empty()) {
    encode_text(text);
    return;
  }
  text = normalizer_.apply(text, call.scratch.normalizer, call.scratch.normalized);
  cut_special(text, call.options.parse_special ? normalized_special_ : normalized_user_defined_, call,
              encode_text);
}

void FragmentTokenizer::encode_word(std::string_view word, Scratch& scratch,
                                    std::vector<TokenId>& out) const {
  if (word.size() > WordCache::kMaxWordBytes) {
    encode_new_word(word, scratch, out);
    return;
  }
  const WordCache::Key key(word);
  if (const WordCache::Entry* entry = scratch.cache.find(key)) {
    const auto tokens = entry->tokens();
    out.insert(out.end(), tokens.begin(), tokens.end());
    return;
  }
  const std::size_t begin = out.size();
  encode_new_word(word, scratch, out);
  scratch.cache.insert(key, std::span<const TokenId>(out).subspan(begin));
}

std::string FragmentTokenizer::piece(TokenId id, bool show_special) const {
  if (!is_valid(id)) return {};
  const TokenEntry& token = spec_.tokens[static_cast<std::size_t>(id)];
  if (!is_verbatim(token.type)) return token_bytes(token);
  if (token.type != TokenType::kUserDefined && !show_special) return {};
  return special_bytes(token);
}

}  // namespace minnow
