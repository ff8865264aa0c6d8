#include "text/grammar/token_constraint.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <list>
#include <mutex>

#include "base/error.h"
#include "base/limits.h"
#include "text/grammar/automaton.h"
#include "text/grammar/copied_text.h"
#include "text/grammar/matcher.h"
#include "text/grammar/token_masks.h"

namespace minnow {

using grammar::Automaton;
using grammar::Matcher;
using grammar::Reading;
using grammar::RuleMasks;
using grammar::StateMask;
using grammar::TokenVocabulary;

struct TokenConstraint::Masks {
  // Beside those of another constraint, whose states have the same numbers: for what is copied, and what hangs on it.
  Masks(const Automaton& automaton, Masks* shared) : any(shared) {
    for (std::size_t r = 0; r < automaton.n_rules(); ++r) rules.push_back(std::make_shared<RuleMasks>(automaton.rule(static_cast<uint32_t>(r)).n_states));
    own.assign(rules.size(), true);
  }

  Masks(const Automaton& automaton, const TokenVocabulary& vocabulary) {
    for (std::size_t r = 0; r < automaton.n_rules(); ++r) {
      const auto& rule = automaton.rule(static_cast<uint32_t>(r));
      auto shared = vocabulary.shared_masks(automaton, rule);
      own.push_back(shared == nullptr);
      rules.push_back(shared ? std::move(shared) : std::make_shared<RuleMasks>(rule.n_states));
    }
  }

  std::shared_ptr<const StateMask> of(const Automaton& automaton, const TokenVocabulary& vocabulary, uint32_t state) {
    if (const auto& s = automaton.state(state); s.alike >= vocabulary.longest()) state = s.like;
    const uint32_t r = automaton.state(state).rule;
    const uint32_t local = state - automaton.rule(r).first_state;
    if (any != nullptr && r != *automaton.copied_rule()) {
      if (auto known = any->of(automaton, vocabulary, state); !known->reaches_copied) return known;
    }
    if (auto known = rules[r]->find(local)) return known;
    auto made = std::make_shared<const StateMask>(vocabulary.make_mask(automaton, state));
    std::size_t added = 0;
    auto kept = rules[r]->keep(local, std::move(made), added);
    if (own[r] && (bytes += added) > limits::kMaxGrammarMaskBytes) clear();
    return kept;
  }

  void clear() {
    for (std::size_t r = 0; r < rules.size(); ++r) {
      if (own[r]) rules[r]->clear();
    }
    bytes = 0;
  }

  Masks* any = nullptr;
  std::vector<std::shared_ptr<RuleMasks>> rules;
  std::vector<bool> own;  // not shared with other grammars
  std::atomic<std::size_t> bytes = 0;
};

TokenConstraint::TokenConstraint(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenVocabulary> vocabulary)
    : automaton_(std::move(automaton)),
      vocabulary_(std::move(vocabulary)),
      masks_(std::make_unique<Masks>(*automaton_, *vocabulary_)) {
  copies_ = automaton_->copied_rule().has_value();
}

TokenConstraint::TokenConstraint(std::shared_ptr<const TokenConstraint> any, std::shared_ptr<const Automaton> automaton, std::string_view message)
    : any_(std::move(any)),
      message_(message),
      automaton_(std::move(automaton)),
      vocabulary_(any_->vocabulary_),
      masks_(std::make_unique<Masks>(*automaton_, any_->masks_.get())) {}

TokenConstraint::~TokenConstraint() = default;

std::shared_ptr<const TokenConstraint> TokenConstraint::copying_from(std::shared_ptr<const TokenConstraint> any, std::string_view message) {
  if (!any->copies()) return any;
  auto automaton = std::make_shared<const Automaton>(any->automaton_->copying(grammar::copied_texts(message)));
  return std::shared_ptr<const TokenConstraint>(new TokenConstraint(std::move(any), std::move(automaton), message));
}

bool TokenConstraint::copies_in_order() const { return any_ != nullptr && automaton_->copies_in_order(); }

std::string_view TokenConstraint::rest_after(std::string_view copied) const {
  return std::string_view(message_).substr(grammar::end_of_copied(message_, copied).value_or(message_.size()));
}

bool TokenConstraint::is_last(std::string_view copied) const { return !grammar::has_words(rest_after(copied)); }

std::shared_ptr<const TokenConstraint> TokenConstraint::after(std::string_view copied, const Matcher& matcher) const {
  const std::string_view rest = rest_after(copied);
  if (grammar::has_words(rest)) return copying_from(any_, rest);
  std::call_once(any_->without_once_, [&] {
    if (auto automaton = any_->automaton_->without_copied()) {
      auto without = std::make_shared<TokenConstraint>(std::make_shared<const Automaton>(std::move(*automaton)), vocabulary_);
      without->copies_ = false;
      any_->without_copied_ = std::move(without);
    }
  });
  const auto& without = any_->without_copied_;
  return without && matcher.could_go_on_in(*without->automaton_) ? without : copying_from(any_, "");
}

int32_t TokenConstraint::n_vocab() const { return static_cast<int32_t>(vocabulary_->n_tokens()); }

ConstraintState::ConstraintState(std::shared_ptr<const TokenConstraint> constraint)
    : constraint_(std::move(constraint)), matcher_(std::make_unique<Matcher>(constraint_->automaton_)) {
  if (constraint_->copies()) fail(ErrorCode::kInternal, "a constraint that copies texts was not told the message");
}
ConstraintState::ConstraintState(const ConstraintState& other)
    : constraint_(other.constraint_), matcher_(std::make_unique<Matcher>(*other.matcher_)), copied_(other.copied_), ended_(other.ended_) {}
ConstraintState::ConstraintState(ConstraintState&&) noexcept = default;
ConstraintState& ConstraintState::operator=(ConstraintState other) noexcept {
  std::swap(constraint_, other.constraint_);
  std::swap(matcher_, other.matcher_);
  std::swap(copied_, other.copied_);
  std::swap(ended_, other.ended_);
  return *this;
}
ConstraintState::~ConstraintState() = default;

bool ConstraintState::mask(std::span<uint32_t> bits) const {
  std::fill(bits.begin(), bits.end(), 0u);
  if (ended_) return false;
  const TokenVocabulary& vocabulary = *constraint_->vocabulary_;
  const Automaton& automaton = *constraint_->automaton_;
  Matcher& m = *matcher_;
  const auto closed = m.stepper().close_ends(m.stacks(), m.readings());
  const std::vector<Reading> readings(closed.begin(), closed.end());
  bool ends = false;
  for (const Reading r : readings) {
    ends |= r.stack == 0 && automaton.state(r.state).can_end;
    const auto known = constraint_->masks_->of(automaton, vocabulary, r.state);
    if ((known->too_many && r.stack != 0) || m.stacks().depth(r.stack) + known->reach > limits::kMaxGrammarDepth) {
      vocabulary.walk(m, r, bits);
      continue;
    }
    for (std::size_t i = 0; i < known->words.size(); ++i) bits[i] |= known->words[i];
    for (const TokenId id : known->ids) grammar::set_bit(bits, id);
    if (r.stack == 0 || known->rests.size() == 0) continue;
    TokenVocabulary::walk(known->rests, m, {m.stacks().top(r.stack), m.stacks().below(r.stack)}, bits);
  }
  if (ends) {
    for (const TokenId id : vocabulary.ends()) grammar::set_bit(bits, id);
  }
  if (constraint_->copies_in_order()) refuse_texts_out_of_order(bits);
  return std::any_of(bits.begin(), bits.end(), [](uint32_t word) { return word != 0; });
}

// Where a copied text ends the constraint becomes another, which a mask of this one knows nothing of. That matters to tokens that end the
// text and begin another, and when no words are left to those that end it and go on.
void ConstraintState::refuse_texts_out_of_order(std::span<uint32_t> bits) const {
  const bool is_last = !copied_.empty() && constraint_->is_last(copied_);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    for (uint32_t word = bits[i]; word != 0; word &= word - 1) {
      const auto id = static_cast<TokenId>(i * 32 + static_cast<std::size_t>(std::countr_zero(word)));
      const std::string_view text = constraint_->vocabulary_->text(id);
      const auto n_quotes = std::count(text.begin(), text.end(), '"');
      const bool is_asked = n_quotes >= 2 || (is_last && n_quotes == 1 && text.back() != '"');
      if (is_asked && !ConstraintState(*this).accept(id)) bits[i] &= ~(word & -word);
    }
  }
}

bool ConstraintState::accept(TokenId token) {
  const TokenVocabulary& vocabulary = *constraint_->vocabulary_;
  if (ended_ || token < 0 || static_cast<std::size_t>(token) >= vocabulary.n_tokens()) return false;
  if (vocabulary.is_end(token)) {
    ended_ = may_end();
    return ended_;
  }
  const std::string_view text = vocabulary.text(token);
  return !text.empty() && read(text);
}

bool ConstraintState::accept_text(std::string_view text) { return !ended_ && !text.empty() && read(text); }

bool ConstraintState::read(std::string_view text) {
  if (!constraint_->copies_in_order()) return matcher_->advance(text);
  ConstraintState next = *this;
  for (const char c : text) {
    if (!next.read(c)) return false;
  }
  *this = std::move(next);
  return true;
}

bool ConstraintState::read(char byte) {
  if (!matcher_->advance(static_cast<uint8_t>(byte))) return false;
  if (!constraint_->copies_in_order()) return true;
  if (matcher_->is_in(*constraint_->automaton_->copied_rule())) {
    copied_ += byte;
  } else if (!copied_.empty()) {
    constraint_ = constraint_->after(copied_, *matcher_);
    matcher_->go_on_in(constraint_->automaton_);
    copied_.clear();
  }
  return true;
}

bool ConstraintState::is_finished() const { return ended_ || matcher_->is_complete(); }
bool ConstraintState::may_end() const { return ended_ || matcher_->may_end(); }

std::string ConstraintState::forced(std::size_t max) const {
  if (ended_) return {};
  if (!constraint_->copies_in_order()) return matcher_->forced(max);
  std::string out;
  ConstraintState ahead = *this;
  while (out.size() < max) {
    const std::string byte = ahead.matcher_->forced(1);
    if (byte.empty()) break;
    ahead.read(byte[0]);
    out += byte;
  }
  return out;
}

struct ConstraintCompiler::Cache {
  explicit Cache(const Tokenizer& t) : tokenizer(t) {}
  const Tokenizer& tokenizer;
  std::mutex mutex;
  std::shared_ptr<const TokenVocabulary> vocabulary;  // under mutex, as what follows
  std::list<std::pair<ConstraintSpec, std::shared_ptr<const TokenConstraint>>> latest;
  std::list<std::pair<ConstraintSpec, Error>> refused;  // with what was said: to find that out may take as long as to compile

  template <typename T>
  static const T* find(std::list<std::pair<ConstraintSpec, T>>& list, const ConstraintSpec& spec) {
    const auto it = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.first == spec; });
    if (it == list.end()) return nullptr;
    list.splice(list.begin(), list, it);
    return &it->second;
  }

  template <typename T>
  static void keep(std::list<std::pair<ConstraintSpec, T>>& list, const ConstraintSpec& spec, const T& value) {
    list.emplace_front(spec, value);
    if (list.size() > limits::kMaxCachedConstraints) list.pop_back();
  }
};

ConstraintCompiler::ConstraintCompiler(const Tokenizer& tokenizer) : cache_(std::make_unique<Cache>(tokenizer)) {}
ConstraintCompiler::~ConstraintCompiler() = default;

std::shared_ptr<const TokenConstraint> ConstraintCompiler::compile(const ConstraintSpec& spec) {
  std::shared_ptr<const TokenVocabulary> vocabulary;
  {
    const std::lock_guard lock(cache_->mutex);
    if (const auto* known = Cache::find(cache_->latest, spec)) return *known;
    if (const Error* known = Cache::find(cache_->refused, spec)) throw Error(*known);
    if (!cache_->vocabulary) cache_->vocabulary = std::make_shared<const TokenVocabulary>(cache_->tokenizer);
    vocabulary = cache_->vocabulary;
  }
  try {
    auto made = std::make_shared<const TokenConstraint>(grammar::compile_automaton(spec, vocabulary.get()), vocabulary);
    const std::lock_guard lock(cache_->mutex);
    Cache::keep(cache_->latest, spec, std::shared_ptr<const TokenConstraint>(made));
    return made;
  } catch (const Error& e) {
    const std::lock_guard lock(cache_->mutex);
    Cache::keep(cache_->refused, spec, e);
    throw;
  }
}

}  // namespace minnow
