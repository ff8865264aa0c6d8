#include "text/grammar/token_constraint.h"

#include <algorithm>
#include <atomic>
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
      masks_(std::make_unique<Masks>(*automaton_, *vocabulary_)) {}

TokenConstraint::TokenConstraint(std::shared_ptr<const TokenConstraint> any, std::shared_ptr<const Automaton> automaton)
    : any_(std::move(any)),
      automaton_(std::move(automaton)),
      vocabulary_(any_->vocabulary_),
      masks_(std::make_unique<Masks>(*automaton_, any_->masks_.get())) {}

TokenConstraint::~TokenConstraint() = default;

std::shared_ptr<const TokenConstraint> TokenConstraint::copying_from(std::shared_ptr<const TokenConstraint> any, std::string_view message) {
  if (!any->copies()) return any;
  auto automaton = std::make_shared<const Automaton>(any->automaton_->copying(grammar::copied_texts(message)));
  return std::shared_ptr<const TokenConstraint>(new TokenConstraint(std::move(any), std::move(automaton)));
}

bool TokenConstraint::copies() const { return any_ == nullptr && automaton_->copied_rule().has_value(); }

int32_t TokenConstraint::n_vocab() const { return static_cast<int32_t>(vocabulary_->n_tokens()); }

ConstraintState::ConstraintState(std::shared_ptr<const TokenConstraint> constraint)
    : constraint_(std::move(constraint)), matcher_(std::make_unique<Matcher>(constraint_->automaton_)) {
  if (constraint_->copies()) fail(ErrorCode::kInternal, "a constraint that copies texts was not told the message");
}
ConstraintState::ConstraintState(const ConstraintState& other)
    : constraint_(other.constraint_), matcher_(std::make_unique<Matcher>(*other.matcher_)), ended_(other.ended_) {}
ConstraintState::ConstraintState(ConstraintState&&) noexcept = default;
ConstraintState& ConstraintState::operator=(ConstraintState other) noexcept {
  std::swap(constraint_, other.constraint_);
  std::swap(matcher_, other.matcher_);
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
  return std::any_of(bits.begin(), bits.end(), [](uint32_t word) { return word != 0; });
}

bool ConstraintState::accept(TokenId token) {
  const TokenVocabulary& vocabulary = *constraint_->vocabulary_;
  if (ended_ || token < 0 || static_cast<std::size_t>(token) >= vocabulary.n_tokens()) return false;
  if (vocabulary.is_end(token)) {
    ended_ = may_end();
    return ended_;
  }
  const std::string_view text = vocabulary.text(token);
  return !text.empty() && matcher_->advance(text);
}

bool ConstraintState::is_finished() const { return ended_ || matcher_->is_complete(); }
bool ConstraintState::may_end() const { return ended_ || matcher_->may_end(); }
std::string ConstraintState::forced(std::size_t max) const { return ended_ ? std::string() : matcher_->forced(max); }

struct ConstraintCompiler::Cache {
  explicit Cache(const Tokenizer& t) : tokenizer(t) {}
  const Tokenizer& tokenizer;
  std::mutex mutex;
  std::shared_ptr<const TokenVocabulary> vocabulary;  // under mutex, as what follows
  std::list<std::pair<ConstraintSpec, std::shared_ptr<const TokenConstraint>>> latest;
};

ConstraintCompiler::ConstraintCompiler(const Tokenizer& tokenizer) : cache_(std::make_unique<Cache>(tokenizer)) {}
ConstraintCompiler::~ConstraintCompiler() = default;

std::shared_ptr<const TokenConstraint> ConstraintCompiler::compile(const ConstraintSpec& spec) {
  std::shared_ptr<const TokenVocabulary> vocabulary;
  {
    const std::lock_guard lock(cache_->mutex);
    auto& latest = cache_->latest;
    for (auto it = latest.begin(); it != latest.end(); ++it) {
      if (!(it->first == spec)) continue;
      latest.splice(latest.begin(), latest, it);
      return it->second;
    }
    if (!cache_->vocabulary) cache_->vocabulary = std::make_shared<const TokenVocabulary>(cache_->tokenizer);
    vocabulary = cache_->vocabulary;
  }
  auto made = std::make_shared<const TokenConstraint>(grammar::compile_automaton(spec), std::move(vocabulary));
  const std::lock_guard lock(cache_->mutex);
  cache_->latest.emplace_front(spec, made);
  if (cache_->latest.size() > limits::kMaxCachedConstraints) cache_->latest.pop_back();
  return made;
}

}  // namespace minnow
