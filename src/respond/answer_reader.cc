#include "respond/answer_reader.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace minnow {
namespace {

using Events = std::vector<ChatOutputEvent>;
using Kind = ChatOutputEvent::Kind;

class PlainReader final : public AnswerReader {
 public:
  Events feed(std::string_view piece) override {
    if (piece.empty()) return {};
    return {{Kind::kContent, 0, std::string(piece), {}}};
  }
  Events finish() override { return {}; }
};

class FamilyReader final : public AnswerReader {
 public:
  explicit FamilyReader(ChatOutputParser parser) : parser_(std::move(parser)) {}
  Events feed(std::string_view piece) override { return parser_.feed(piece); }
  Events finish() override { return parser_.finish(); }

 private:
  ChatOutputParser parser_;
};

class HeldReader final : public AnswerReader {
 public:
  HeldReader(FreeBeginning beginning, std::unique_ptr<AnswerReader> held)
      : beginning_(std::move(beginning)), held_(std::move(held)), state_(beginning_.begins_with.empty() ? State::kFree : State::kFirst) {}

  Events feed(std::string_view piece) override {
    Events out;
    std::string first;
    if (state_ == State::kFirst) {
      first_ += piece;
      const std::string& opening = beginning_.begins_with;
      if (first_.size() < opening.size() && opening.starts_with(first_)) return out;
      state_ = first_.starts_with(opening) ? State::kFree : State::kHeld;
      first = std::move(first_);
      piece = first;
    }
    if (state_ == State::kFree) read_free(piece, out);
    if (state_ == State::kHeld && !piece.empty()) add(held_->feed(piece), out);
    return out;
  }

  Events finish() override {
    Events out;
    if (state_ == State::kFirst) add(held_->feed(first_), out);  // a beginning of either
    if (state_ == State::kFree) add_reasoning(beginning_.parser.finish(), out);
    else add(held_->finish(), out);
    return out;
  }

 private:
  enum class State : uint8_t { kFirst, kFree, kHeld };

  static void add(Events more, Events& out) { std::move(more.begin(), more.end(), std::back_inserter(out)); }
  // What else a family's words may say is no part of an answer that is held to something.
  static void add_reasoning(Events more, Events& out) {
    std::copy_if(more.begin(), more.end(), std::back_inserter(out), [](const auto& e) { return e.kind == Kind::kReasoning; });
  }

  // Leaves in `piece` what stands behind the mark.
  void read_free(std::string_view& piece, Events& out) {
    const std::string& mark = beginning_.ends_with;
    // The mark may have begun in an earlier piece: enough of those is kept to see it.
    const std::size_t kept = tail_.size();
    tail_ += piece;
    const std::size_t found = tail_.find(mark);
    const std::size_t taken = found == std::string::npos ? piece.size() : found + mark.size() - kept;
    add_reasoning(beginning_.parser.feed(piece.substr(0, taken)), out);
    piece.remove_prefix(taken);
    if (found == std::string::npos) {
      tail_.erase(0, tail_.size() - std::min(tail_.size(), mark.size() - 1));
      return;
    }
    add_reasoning(beginning_.parser.finish(), out);
    state_ = State::kHeld;
  }

  FreeBeginning beginning_;
  std::unique_ptr<AnswerReader> held_;
  State state_;
  std::string first_;  // while it may still become the opening
  std::string tail_;   // of the free text: less than a mark
};

class ChoiceReader final : public AnswerReader {
 public:
  ChoiceReader(std::vector<std::string> marks, std::unique_ptr<AnswerReader> family, std::unique_ptr<AnswerReader> other)
      : marks_(std::move(marks)), family_(std::move(family)), other_(std::move(other)) {}

  Events feed(std::string_view piece) override {
    if (chosen_ != nullptr) return chosen_->feed(piece);
    first_ += piece;
    const auto may_become = [&](const std::string& mark) { return first_.size() < mark.size() && mark.starts_with(first_); };
    if (!begins_with_mark() && std::any_of(marks_.begin(), marks_.end(), may_become)) return {};
    return choose();
  }

  Events finish() override {
    Events out;
    if (chosen_ == nullptr) out = choose();
    Events rest = chosen_->finish();
    std::move(rest.begin(), rest.end(), std::back_inserter(out));
    return out;
  }

 private:
  bool begins_with_mark() const {
    return std::any_of(marks_.begin(), marks_.end(), [&](const std::string& mark) { return first_.starts_with(mark); });
  }

  Events choose() {
    chosen_ = begins_with_mark() ? family_.get() : other_.get();
    return chosen_->feed(std::exchange(first_, {}));
  }

  const std::vector<std::string> marks_;
  std::unique_ptr<AnswerReader> family_, other_;
  AnswerReader* chosen_ = nullptr;
  std::string first_;  // while it may still become a mark
};

}  // namespace

std::unique_ptr<AnswerReader> choice_reader(std::vector<std::string> marks, std::unique_ptr<AnswerReader> family, std::unique_ptr<AnswerReader> other) {
  return std::make_unique<ChoiceReader>(std::move(marks), std::move(family), std::move(other));
}

std::unique_ptr<AnswerReader> plain_reader() { return std::make_unique<PlainReader>(); }

std::unique_ptr<AnswerReader> family_reader(ChatOutputParser parser) { return std::make_unique<FamilyReader>(std::move(parser)); }

std::unique_ptr<AnswerReader> held_reader(FreeBeginning beginning, std::unique_ptr<AnswerReader> held) {
  return std::make_unique<HeldReader>(std::move(beginning), std::move(held));
}

}  // namespace minnow
