// Where a text stands in a grammar: all ways to read it so far, each a state on a stack of rules to return to.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/automaton.h"

namespace minnow::grammar {

// Stacks that share what they have in common; equal ones have equal numbers. 0 is the empty stack.
class Stacks {
 public:
  Stacks() : nodes_(1), heads_(kHeads, 0) {}
  // The stack with one more state to return to.
  uint32_t push(uint32_t below, uint32_t state);
  uint32_t top(uint32_t stack) const { return nodes_[stack].state; }
  uint32_t below(uint32_t stack) const { return nodes_[stack].below; }
  uint32_t depth(uint32_t stack) const { return nodes_[stack].depth; }
  std::size_t size() const { return nodes_.size(); }
  // Forgets the latest ones, so that this many are left.
  void shrink(std::size_t n);

 private:
  static constexpr std::size_t kHeads = 256;
  struct Node {
    uint32_t state = 0, below = 0, next = 0, depth = 0;
  };
  static std::size_t head(uint32_t below, uint32_t state) { return (below * 0x9e3779b1u ^ state * 0x85ebca6bu) >> 24; }
  std::vector<Node> nodes_;
  std::vector<uint32_t> heads_;  // of lists of nodes with one hash
};

struct Reading {
  uint32_t state, stack;
  bool operator==(const Reading&) const = default;
};

// Steps of the automaton. Not thread-safe; throws kLimit past limits::kMaxGrammarStacks readings.
class Stepper {
 public:
  explicit Stepper(const Automaton& automaton) : automaton_(&automaton) {}

  // Appends to `out`, from `begin` on, what the readings become by one byte. out may be where they lie.
  void step(Stacks& stacks, std::span<const Reading> from, uint8_t byte, std::vector<Reading>& out);
  // The readings, those after the end of their rules, and those at the beginning of the rules that they call.
  std::span<const Reading> close(Stacks& stacks, std::span<const Reading> from);
  // The readings and, where their rules may end, those that go on after them.
  std::span<const Reading> close_ends(const Stacks& stacks, std::span<const Reading> from);
  // Whether one of them has come to the end of the lowest rule.
  bool at_end(const Stacks& stacks, std::span<const Reading> from);
  // Whether the reading can be brought to its end within limits::kMaxGrammarDepth.
  bool fits(const Stacks& stacks, Reading r) const;

 private:
  void add(std::vector<Reading>& to, std::size_t begin, Reading reading) const;

  const Automaton* automaton_;
  std::vector<Reading> closed_;
};

// One text. Cheap to copy: a few kilobytes.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<const Automaton> automaton);

  // False: no text of the grammar goes on so; nothing changes then.
  bool advance(uint8_t byte);
  bool advance(std::string_view text);
  // The bytes that may come next.
  std::bitset<256> next_bytes();
  bool may_end();
  // Whether it must end here.
  bool is_complete();
  // The bytes that have to come next: up to a choice, or up to where the text may end. At most `max`.
  std::string forced(std::size_t max);

  // Whether some reading stands in the rule.
  bool is_in(uint32_t rule) const;
  // Goes on in another automaton, whose states have the numbers of this one's wherever a reading stands or has to return to.
  void go_on_in(std::shared_ptr<const Automaton> automaton);
  // Whether some reading could be brought to its end in that one.
  bool could_go_on_in(const Automaton& automaton) const;

  const Automaton& automaton() const { return *automaton_; }
  const std::vector<Reading>& readings() const { return readings_; }
  // For trials, which leave it as it was.
  Stacks& stacks() { return stacks_; }
  Stepper& stepper() { return stepper_; }

 private:
  void collect();

  std::shared_ptr<const Automaton> automaton_;
  Stepper stepper_;
  Stacks stacks_;
  std::vector<Reading> readings_, next_;
  std::size_t collect_at_ = 1024;  // stacks
};

}  // namespace minnow::grammar
