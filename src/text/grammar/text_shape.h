// A text that is made of parts, some of which are JSON: how a family of models writes calls of tools.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace minnow {

struct TextShape {
  enum class Kind : uint8_t {
    kText,            // `text`, as it is
    kMark,            // the same, but what is a token of its own in it (a control token, or one that looks like it) has to be that token
    kRegex,           // texts that the regular expression `text` matches as a whole
    kJson,            // JSON of a schema: `text` is the JSON pointer of its place in ConstraintSpec::text
    kJsonButStrings,  // the same without strings
    kString,          // a string of such a schema (empty: any) without quotes and escapes, then the mark `until`, which is not in it; a
                      // line end before and one behind the string are no part of it. Not those that the expression `except` matches
    kSequence,        // parts, one behind another
    kChoice,          // one of the parts
    kOptional,        // the one part, or nothing
    kRepeat,          // the one part, any number of times
    kList,            // the parts in their order with `text` between them; those that are kOptional may be absent
    kRequired,        // the one part, which some text has to fit: otherwise the constraint is refused with `text`. Where the same stands in
                      // several places it costs as much as in one
  };
  Kind kind = Kind::kText;
  std::string text = {};
  std::vector<TextShape> parts = {};
  std::string until = {}, except = {};

  bool operator==(const TextShape&) const = default;
};

}  // namespace minnow
