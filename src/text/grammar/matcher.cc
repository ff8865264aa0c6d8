#include "text/grammar/matcher.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace minnow::grammar {

uint32_t Stacks::push(uint32_t below, uint32_t state) {
  uint32_t& first = heads_[head(below, state)];
  for (uint32_t i = first; i != 0; i = nodes_[i].next) {
    if (nodes_[i].below == below && nodes_[i].state == state) return i;
  }
  nodes_.push_back({state, below, first, nodes_[below].depth + 1});
  first = static_cast<uint32_t>(nodes_.size() - 1);
  return first;
}

// The latest node is the first of its list.
void Stacks::shrink(std::size_t n) {
  while (nodes_.size() > n) {
    const Node& last = nodes_.back();
    heads_[head(last.below, last.state)] = last.next;
    nodes_.pop_back();
  }
}

bool Stepper::fits(const Stacks& stacks, Reading r) const {
  return stacks.depth(r.stack) + automaton_->state(r.state).height <= limits::kMaxGrammarDepth;
}

void Stepper::add(std::vector<Reading>& to, std::size_t begin, Reading reading) const {
  for (std::size_t i = begin; i < to.size(); ++i) {
    if (to[i] == reading) return;
  }
  if (to.size() - begin >= limits::kMaxGrammarStacks) {
    throw Error(ErrorCode::kLimit,
                fmt::format("the grammar can read the text in more than {} ways at once", limits::kMaxGrammarStacks),
                "make it less ambiguous");
  }
  to.push_back(reading);
}

std::span<const Reading> Stepper::close(Stacks& stacks, std::span<const Reading> from) {
  closed_.assign(from.begin(), from.end());
  for (std::size_t i = 0; i < closed_.size(); ++i) {
    const Reading r = closed_[i];
    const Automaton::State& s = automaton_->state(r.state);
    if (s.final && r.stack != 0) add(closed_, 0, {stacks.top(r.stack), stacks.below(r.stack)});
    for (const Automaton::Call& c : automaton_->calls(s)) {
      if (!c.last && !fits(stacks, {c.to, r.stack})) continue;
      const Reading called{c.start, c.last ? r.stack : stacks.push(r.stack, c.to)};
      if (fits(stacks, called)) add(closed_, 0, called);
    }
  }
  return closed_;
}

std::span<const Reading> Stepper::close_ends(const Stacks& stacks, std::span<const Reading> from) {
  closed_.assign(from.begin(), from.end());
  for (std::size_t i = 0; i < closed_.size(); ++i) {
    const Reading r = closed_[i];
    if (automaton_->state(r.state).can_end && r.stack != 0) add(closed_, 0, {stacks.top(r.stack), stacks.below(r.stack)});
  }
  return closed_;
}

bool Stepper::at_end(const Stacks& stacks, std::span<const Reading> from) {
  const auto closed = close_ends(stacks, from);
  return std::any_of(closed.begin(), closed.end(),
                     [&](Reading r) { return r.stack == 0 && automaton_->state(r.state).can_end; });
}

void Stepper::step(Stacks& stacks, std::span<const Reading> from, uint8_t byte, std::vector<Reading>& out) {
  const std::size_t begin = out.size();
  const auto read = [&](Reading r, const Automaton::State& s) {
    for (const Automaton::Edge& e : automaton_->edges(s)) {
      if (byte < e.low) break;
      if (byte > e.high) continue;
      if (const Reading to{e.to, r.stack}; fits(stacks, to)) add(out, begin, to);
      break;
    }
  };
  if (from.size() == 1) {
    const Reading r = from[0];
    const Automaton::State& s = automaton_->state(r.state);
    if (s.n_calls == 0 && (!s.final || r.stack == 0)) return read(r, s);
  }
  for (const Reading r : close(stacks, from)) read(r, automaton_->state(r.state));
}

Matcher::Matcher(std::shared_ptr<const Automaton> automaton)
    : automaton_(std::move(automaton)), stepper_(*automaton_), readings_{{automaton_->start(), 0}} {}

bool Matcher::advance(uint8_t byte) {
  const std::size_t mark = stacks_.size();
  next_.clear();
  stepper_.step(stacks_, readings_, byte, next_);
  if (next_.empty()) {
    stacks_.shrink(mark);
    return false;
  }
  readings_.swap(next_);
  if (stacks_.size() > collect_at_) collect();
  return true;
}

bool Matcher::advance(std::string_view text) {
  if (text.empty()) return true;
  const Matcher before = *this;
  for (const char c : text) {
    if (advance(static_cast<uint8_t>(c))) continue;
    *this = before;
    return false;
  }
  return true;
}

bool Matcher::is_in(uint32_t rule) const {
  return std::any_of(readings_.begin(), readings_.end(), [&](Reading r) { return automaton_->state(r.state).rule == rule; });
}

void Matcher::go_on_in(std::shared_ptr<const Automaton> automaton) {
  automaton_ = std::move(automaton);
  stepper_ = Stepper(*automaton_);
}

bool Matcher::could_go_on_in(const Automaton& automaton) const {
  return std::any_of(readings_.begin(), readings_.end(), [&](Reading r) {
    bool alive = automaton.state(r.state).height != Automaton::kNever;
    for (uint32_t s = r.stack; s != 0 && alive; s = stacks_.below(s)) alive = automaton.state(stacks_.top(s)).height != Automaton::kNever;
    return alive;
  });
}

bool Matcher::may_end() { return stepper_.at_end(stacks_, readings_); }

bool Matcher::is_complete() { return next_bytes().none(); }

std::bitset<256> Matcher::next_bytes() {
  const std::size_t mark = stacks_.size();
  std::bitset<256> bytes;
  for (const Reading r : stepper_.close(stacks_, readings_)) {
    for (const Automaton::Edge& e : automaton_->edges(automaton_->state(r.state))) {
      if (!stepper_.fits(stacks_, {e.to, r.stack})) continue;
      for (unsigned byte = e.low; byte <= e.high; ++byte) bytes.set(byte);
    }
  }
  stacks_.shrink(mark);
  return bytes;
}

std::string Matcher::forced(std::size_t max) {
  std::string out;
  Matcher ahead = *this;
  while (out.size() < max && !ahead.may_end()) {
    const std::bitset<256> bytes = ahead.next_bytes();
    if (bytes.count() != 1) break;
    uint8_t byte = 0;
    while (!bytes[byte]) ++byte;
    out += static_cast<char>(byte);
    ahead.advance(byte);
  }
  return out;
}

// Moves what is still needed to a fresh arena.
void Matcher::collect() {
  Stacks fresh;
  for (Reading& r : readings_) {
    std::vector<uint32_t> states;
    for (uint32_t s = r.stack; s != 0; s = stacks_.below(s)) states.push_back(stacks_.top(s));
    r.stack = 0;
    for (auto it = states.rbegin(); it != states.rend(); ++it) r.stack = fresh.push(r.stack, *it);
  }
  stacks_ = std::move(fresh);
  collect_at_ = std::max<std::size_t>(1024, 2 * stacks_.size());
}

}  // namespace minnow::grammar
