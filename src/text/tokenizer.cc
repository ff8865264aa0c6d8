#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/fragment_tokenizer.h"

namespace minnow {
namespace {

// Control tokens of these names end an answer in every model that has them, whatever its files say.
constexpr std::array<std::string_view, 19> kEndNames = {"<|eot_id|>",
                                                        "<|im_end|>",
                                                        "<|end|>",
                                                        "<end_of_turn>",
                                                        "<|endoftext|>",
                                                        "<|eom_id|>",
                                                        "</s>",
                                                        "<|end_of_text|>",
                                                        "<|end_of_turn|>",
                                                        "<|END_OF_TURN_TOKEN|>",
                                                        "<|endofturn|>",
                                                        "<end_of_utterance>",
                                                        "<EOT>",
                                                        "_<EOT>",
                                                        "<|return|>",
                                                        "<|call|>",
                                                        "<eos>",
                                                        "[EOS]",
                                                        "<｜end▁of▁sentence｜>"};

void check_id(const TokenizerSpec& spec, const char* name, TokenId id) {
  if (id == kNoToken || (id >= 0 && static_cast<std::size_t>(id) < spec.tokens.size())) return;
  fail(ErrorCode::kInvalidInput, "{}: {} token id {} is not one of the {} tokens", spec.source, name, id,
       spec.tokens.size());
}

void check(const TokenizerSpec& spec) {
  if (spec.tokens.empty()) fail(ErrorCode::kInvalidInput, "{}: the vocabulary is empty", spec.source);
  if (spec.tokens.size() > limits::kMaxVocab) {
    fail(ErrorCode::kLimit, "{}: {} tokens are too many", spec.source, spec.tokens.size());
  }
  check_id(spec, "BOS", spec.bos);
  check_id(spec, "EOS", spec.eos);
  check_id(spec, "unknown", spec.unk);
  check_id(spec, "padding", spec.pad);
  check_id(spec, "end-of-turn", spec.eot);
  for (const TokenId id : spec.extra_eog) check_id(spec, "end-of-generation", id);
  for (const TokenId id : spec.after_bos) check_id(spec, "first", id);
  for (const TokenId id : spec.before_eos) check_id(spec, "last", id);
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (!std::isfinite(spec.tokens[id].score)) {
      fail(ErrorCode::kInvalidInput, "{}: the score of token {} is not a finite number", spec.source, id);
    }
  }
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::build(TokenizerSpec spec) {
  return build(std::make_shared<const TokenizerSpec>(std::move(spec)));
}

std::shared_ptr<const Tokenizer> Tokenizer::build(SharedSpec spec) {
  check(*spec);
  switch (spec->kind) {
    case TokenizerKind::kSpmBpe:
      return build_spm_tokenizer(std::move(spec));
    case TokenizerKind::kByteBpe:
      return build_byte_bpe_tokenizer(std::move(spec));
    case TokenizerKind::kUnigram:
      return build_unigram_tokenizer(std::move(spec));
    case TokenizerKind::kWordPiece:
      break;
  }
  return build_wordpiece_tokenizer(std::move(spec));
}

Tokenizer::Tokenizer(SharedSpec spec)
    : shared_spec_(std::move(spec)), spec_(*shared_spec_), end_of_generation_(spec_.tokens.size(), false) {
  const auto mark = [&](TokenId id) {
    if (is_valid(id)) end_of_generation_[static_cast<std::size_t>(id)] = true;
  };
  mark(spec_.eos);
  mark(spec_.eot);
  for (const TokenId id : spec_.extra_eog) mark(id);
  for (TokenId id = 0; id < n_vocab(); ++id) {
    if (is_control(id) &&
        std::ranges::find(kEndNames, spec_.tokens[static_cast<std::size_t>(id)].text) != kEndNames.end()) {
      mark(id);
    }
  }
}

bool Tokenizer::is_control(TokenId id) const {
  return is_valid(id) && spec_.tokens[static_cast<std::size_t>(id)].type == TokenType::kControl;
}

bool Tokenizer::is_end_of_generation(TokenId id) const {
  return is_valid(id) && end_of_generation_[static_cast<std::size_t>(id)];
}

const std::vector<TokenId>& Tokenizer::space_tokens() const {
  std::call_once(spaces_once_, [&] {
    for (const std::string_view text : {"\n", "\n\n", " ", "\r\n"}) {
      const auto ids = encode(text, {.add_special = false, .continues = true});
      if (ids.size() == 1 && piece(ids[0]).find_first_not_of(" \r\n") == std::string::npos && !piece(ids[0]).empty()) spaces_.push_back(ids[0]);
    }
  });
  return spaces_;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool show_special) const {
  StreamDecoder decoder(*this, true, show_special);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text += decoder.finish();
}

}  // namespace minnow
