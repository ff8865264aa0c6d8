// Finds the marks that begin calls of tools in a text that is free otherwise, as chat_output/chat_output_parser.h finds them.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minnow {

// Cheap to copy.
class MarkScanner {
 public:
  // A part of the text in which no opening is looked for: from one mark, not empty, to the first of some others.
  struct Aside {
    std::string opens;
    std::vector<std::string> closes;
  };
  struct Marks {
    std::vector<std::string> openings;  // those that are looked for; empty ones are not
    std::vector<Aside> asides = {};
    std::vector<std::string> words = {};  // no text either
  };
  // in_aside: the text begins in that one.
  explicit MarkScanner(std::shared_ptr<const Marks> marks, std::optional<std::size_t> in_aside = {});

  // A byte more: the number of the opening that it ends, if it ends one (of several the longest).
  std::optional<std::size_t> push(char c);
  // Nothing was said yet but white space, words, asides and calls; and no mark has begun.
  bool is_at_beginning() const { return is_fresh_ && pending_.empty() && !aside_; }

  void add_call() { has_calls_ = true; }
  void add_text() { is_fresh_ = false; }  // what was found was text after all

 private:
  void push_aside(char c);
  void settle(std::string_view text);
  bool may_grow() const;
  std::optional<std::size_t> decide();

  std::shared_ptr<const Marks> marks_;
  std::optional<std::size_t> aside_;
  std::string pending_;  // what may be the beginning of a mark; in an aside, at most so much as ends it
  bool is_fresh_ = true, has_calls_ = false;
};

}  // namespace minnow
