// Values as Python writes them, and as Gemma does, rewritten as JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace minnow::chat_output {

// Reads from the front of a text; each function returns false when what stands there is something else, and
// the reader is of no use then. Strings are in '…', "…" with Python's escapes, or between <|"|> as they are;
// lists and tuples become lists; keys of dicts may lack quotes; None, True and False may be spelled as in
// JSON.
class LiteralReader {
 public:
  explicit LiteralReader(std::string_view text) : rest_(text) {}

  // Appends the JSON of one value.
  bool value(std::string& json) { return value(json, 0); }
  // A letter, then letters, digits, _, - and points; further bytes of UTF-8 count as letters.
  bool identifier(std::string& name);
  // Skips white space, and then the text if it stands there.
  bool take(std::string_view text);
  bool next_is(std::string_view text);
  bool at_end();
  std::string_view rest() const { return rest_; }

 private:
  void skip_space();
  bool value(std::string& json, int depth);
  bool items(std::string& json, char close, int depth);
  bool dict(std::string& json, int depth);
  bool key(std::string& json);
  bool string(std::string& json);
  bool escape(std::string& text);
  bool hex(std::size_t digits, std::string& text);
  bool number(std::string& json);

  std::string_view rest_;
};

}  // namespace minnow::chat_output
