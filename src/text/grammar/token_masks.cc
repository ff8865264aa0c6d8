#include "text/grammar/token_masks.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

namespace minnow::grammar {
namespace {

constexpr uint8_t kNotPlain = 255;
constexpr uint8_t kSliceSizes[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, Automaton::kEndlessRun};
constexpr std::size_t kMaxSharedRules = 64;
constexpr std::size_t kMaxSharedStates = 64;  // of one rule

// Characters of a text that a JSON string holds as they are; kNotPlain when there are others.
uint8_t plain_characters(std::string_view text) {
  int n = 0;
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid || c.code_point < 0x20 || c.code_point == '"' || c.code_point == '\\') return kNotPlain;
    text.remove_prefix(c.length);
    ++n;
  }
  return static_cast<uint8_t>(std::min<int>(n, Automaton::kEndlessRun));
}

// User-defined tokens are mostly words; these are marks of tools, of thinking and the like.
bool looks_like_control(std::string_view text) {
  return text.size() > 2 && ((text.front() == '<' && text.back() == '>') || (text.front() == '[' && text.back() == ']'));
}

bool is_text(const TokenEntry& token) {
  switch (token.type) {
    case TokenType::kNormal:
    case TokenType::kByte: return true;
    case TokenType::kUserDefined: return !looks_like_control(token.text);
    default: return false;
  }
}

bool is_mark(const TokenEntry& token) {
  return token.type == TokenType::kControl || (token.type == TokenType::kUserDefined && looks_like_control(token.text));
}

// No UTF-8 has bytes from this one on.
constexpr uint8_t kFirstForeignByte = 0xF8;

bool is_foreign(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= kFirstForeignByte; });
}

// As UTF-8 once wrote numbers past Unicode: five bytes.
std::string text_of_mark(TokenId id) {
  std::string out(1, static_cast<char>(kFirstForeignByte));
  for (int shift = 18; shift >= 0; shift -= 6) out += static_cast<char>(0x80u | (static_cast<uint32_t>(id) >> shift & 0x3Fu));
  return out;
}
static_assert(limits::kMaxVocab <= 1u << 24);

// Walks a trie with all readings of each node's text.
class TrieWalk {
 public:
  TrieWalk(const TokenTrie& trie, Stepper& stepper, Stacks& stacks) : trie_(trie), stepper_(stepper), stacks_(stacks) {}

  // visit(node, readings) for each node that can be read, and for others not below those that cannot; it returns
  // whether to go on below.
  template <typename Skip, typename Visit>
  void run(Reading from, const Skip& skip, const Visit& visit) {
    const std::size_t mark = stacks_.size();
    readings_.assign(1, from);
    levels_.assign(1, {0, 1, mark});
    for (std::size_t i = 1; i < trie_.size();) {
      const TokenTrie::Node& node = trie_.node(i);
      if (skip(node)) {
        i = node.end;
        continue;
      }
      levels_.resize(node.depth);
      const Level above = levels_.back();
      readings_.resize(above.end);
      stacks_.shrink(above.stacks);
      stepper_.step(stacks_, {readings_.data() + above.begin, above.end - above.begin}, node.byte, readings_);
      if (readings_.size() == above.end) {
        i = node.end;
        continue;
      }
      levels_.push_back({above.end, readings_.size(), stacks_.size()});
      visit(i, std::span<const Reading>(readings_).subspan(above.end));
      ++i;
    }
    stacks_.shrink(mark);
  }

 private:
  struct Level {
    std::size_t begin, end, stacks;
  };
  const TokenTrie& trie_;
  Stepper& stepper_;
  Stacks& stacks_;
  std::vector<Reading> readings_;
  std::vector<Level> levels_;
};

bool has_bit(std::span<const uint32_t> mask, TokenId id) {
  return (mask[static_cast<std::size_t>(id) / 32] >> (static_cast<std::size_t>(id) % 32) & 1) != 0;
}

}  // namespace

std::shared_ptr<const StateMask> RuleMasks::find(std::size_t state) {
  const std::lock_guard lock(mutex_);
  return masks_[state];
}

std::shared_ptr<const StateMask> RuleMasks::keep(std::size_t state, std::shared_ptr<const StateMask> mask, std::size_t& added) {
  const std::lock_guard lock(mutex_);
  added = masks_[state] ? 0 : mask->bytes();
  if (!masks_[state]) masks_[state] = std::move(mask);
  return masks_[state];
}

void RuleMasks::clear() {
  const std::lock_guard lock(mutex_);
  for (auto& mask : masks_) mask.reset();
}

TokenVocabulary::TokenVocabulary(const Tokenizer& tokenizer) {
  const TokenizerSpec& spec = tokenizer.spec();
  if (spec.kind == TokenizerKind::kWordPiece) {
    fail(ErrorCode::kUnsupported, "{}: WordPiece tokens cannot be held to a grammar", spec.source);
  }
  const auto n = static_cast<TokenId>(spec.tokens.size());
  std::vector<std::size_t> sizes;
  is_end_.resize(spec.tokens.size());
  for (TokenId id = 0; id < n; ++id) {
    if (tokenizer.is_end_of_generation(id)) {
      ends_.push_back(id);
      is_end_[static_cast<std::size_t>(id)] = true;
    }
    std::string text;
    const TokenEntry& token = spec.tokens[static_cast<std::size_t>(id)];
    if (!is_end_[static_cast<std::size_t>(id)] && is_text(token)) text = tokenizer.piece(id);
    if (text.size() > limits::kMaxPieceBytes || is_foreign(text)) text.clear();
    if (!is_end_[static_cast<std::size_t>(id)] && is_mark(token)) {
      const std::string shown = tokenizer.piece(id, /*show_special=*/true);
      marks_.add(shown, id);
      if (!shown.empty()) text = text_of_mark(id);
    }
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    sizes.push_back(text.size());
    longest_ = std::max(longest_, text.size());
  }
  std::vector<TokenTrie::Entry> entries;
  std::vector<uint8_t> weights;
  std::size_t at = 0;
  for (TokenId id = 0; id < n; ++id) {
    const std::size_t size = sizes[static_cast<std::size_t>(id)];
    texts_.emplace_back(bytes_.data() + at, size);
    at += size;
    weights.push_back(plain_characters(texts_.back()));
    entries.push_back({texts_.back(), id, weights.back()});
  }
  trie_ = TokenTrie(std::move(entries));
  make_slices(weights);
}

std::string TokenVocabulary::spelled(std::string_view text) const {
  std::string out;
  std::size_t at = 0;
  for (auto mark = marks_.next(text); mark.id != kNoToken; mark = marks_.next(text, at)) {
    out += text.substr(at, mark.begin - at);
    out += this->text(mark.id);
    at = mark.begin + mark.length;
  }
  return out += text.substr(at);
}

void TokenVocabulary::make_slices(const std::vector<uint8_t>& weights) {
  for (const uint8_t characters : kSliceSizes) {
    Slice& slice = slices_.emplace_back();
    slice.characters = characters;
    slice.words.resize(mask_words(n_tokens()));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!texts_[i].empty() && weights[i] <= characters) set_bit(slice.words, static_cast<TokenId>(i));
    }
  }
}

const TokenVocabulary::Slice* TokenVocabulary::slice_for(uint8_t plain_run) const {
  const Slice* best = nullptr;
  for (const Slice& slice : slices_) {
    if (slice.characters <= plain_run) best = &slice;
  }
  return best;
}

StateMask TokenVocabulary::make_mask(const Automaton& automaton, uint32_t state) const {
  StateMask out;
  const Slice* slice = slice_for(automaton.state(state).plain_run);
  const uint8_t known = slice == nullptr ? 0 : slice->characters;
  std::vector<uint32_t> words = slice == nullptr ? std::vector<uint32_t>(mask_words(n_tokens())) : slice->words;
  std::vector<std::pair<std::size_t, std::size_t>> rests;  // nodes after which the rule may be over
  Stepper stepper(automaton);
  Stacks stacks;
  const auto reach_copied = [&](std::span<const Reading> readings) {
    if (!automaton.copied_rule() || out.reaches_copied) return;
    const std::size_t mark = stacks.size();
    for (const Reading r : stepper.close(stacks, readings)) out.reaches_copied |= automaton.state(r.state).rule == *automaton.copied_rule();
    stacks.shrink(mark);
  };
  const Reading from{state, 0};
  reach_copied({&from, 1});
  TrieWalk(trie_, stepper, stacks).run(
      from, [&](const TokenTrie::Node& node) { return known > 0 && node.max_weight <= known; },
      [&](std::size_t i, std::span<const Reading> readings) {
        for (const TokenId id : trie_.ids_at(i)) set_bit(words, id);
        for (const Reading r : readings) {
          out.reach = std::max(out.reach, stacks.depth(r.stack) + automaton.state(r.state).height);
        }
        if (trie_.ids_below(i).empty()) return;
        reach_copied(readings);
        if (stepper.at_end(stacks, readings)) rests.emplace_back(i, trie_.node(i).depth);
      });
  out.reach += 2;  // what is opened and closed again within a step
  std::vector<TokenTrie::Entry> entries;
  for (std::size_t k = 0; k < rests.size() && !out.too_many; ++k) {
    for (const TokenId id : trie_.ids_below(rests[k].first)) {
      if (has_bit(words, id)) continue;
      const std::string_view rest = text(id).substr(rests[k].second);
      entries.push_back({rest, id, plain_characters(rest)});
    }
    out.too_many = entries.size() > 4 * n_tokens();
  }
  if (out.too_many) entries.clear();
  out.rests = TokenTrie(std::move(entries));
  std::size_t count = 0;
  for (const uint32_t word : words) count += static_cast<std::size_t>(std::popcount(word));
  if (count > words.size()) {
    out.words = std::move(words);
    return out;
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (uint32_t word = words[i]; word != 0; word &= word - 1) {
      out.ids.push_back(static_cast<TokenId>(i * 32 + static_cast<std::size_t>(std::countr_zero(word))));
    }
  }
  return out;
}

void TokenVocabulary::walk(Matcher& matcher, Reading from, std::span<uint32_t> mask) const {
  walk(trie_, matcher, from, mask);
}

void TokenVocabulary::walk(const TokenTrie& trie, Matcher& matcher, Reading from, std::span<uint32_t> mask) {
  const Automaton::State& state = matcher.automaton().state(from.state);
  // A rule that is opened within a character needs room, too.
  const bool has_room = matcher.stacks().depth(from.stack) + state.height + 2 <= limits::kMaxGrammarDepth;
  const uint8_t known = has_room ? state.plain_run : 0;
  TrieWalk(trie, matcher.stepper(), matcher.stacks()).run(
      from,
      [&](const TokenTrie::Node& node) {
        if (known == 0 || node.max_weight > known) return false;
        for (const TokenId id : trie.ids_within(node)) set_bit(mask, id);
        return true;
      },
      [&](std::size_t i, std::span<const Reading>) {
        for (const TokenId id : trie.ids_at(i)) set_bit(mask, id);
      });
}

std::shared_ptr<RuleMasks> TokenVocabulary::shared_masks(const Automaton& automaton, const Automaton::Rule& rule) const {
  if (rule.has_calls || rule.n_states > kMaxSharedStates) return nullptr;
  std::string key = automaton.signature(rule);
  const std::lock_guard lock(mutex_);
  if (const auto it = shared_.find(key); it != shared_.end()) return it->second;
  if (shared_.size() >= kMaxSharedRules) return nullptr;  // the grammar has its own, which are counted
  auto masks = std::make_shared<RuleMasks>(rule.n_states);
  shared_.emplace(std::move(key), masks);
  return masks;
}

}  // namespace minnow::grammar
