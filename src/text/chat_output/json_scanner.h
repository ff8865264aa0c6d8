// Follows one JSON object or list byte by byte: where it is, how deep, and where it ends.
#pragma once

#include <cstdint>
#include <string>

namespace minnow::chat_output {

class JsonScanner {
 public:
  // What the next byte belongs to.
  enum class Place : uint8_t {
    kValue,
    kFirstElement,  // a value or ]
    kFirstKey,      // a key or }
    kKey,
    kInKey,
    kColon,
    kInString,
    kInScalar,  // a number, true, false or null
    kAfterValue,
    kEnd,
  };

  // False when the byte cannot follow, or when it would open more than limits::kMaxJsonDepth levels; the
  // scanner is of no use then. Numbers and words are not checked for their spelling, nor strings for UTF-8:
  // check what is whole with Json::accept. Control characters in strings, which models write, are let
  // through.
  bool step(char c);

  Place place() const { return place_; }
  bool ended() const { return place_ == Place::kEnd; }
  int depth() const { return static_cast<int>(open_.size()); }

 private:
  bool begin_value(char c);
  bool after_value(char c);
  bool open(char bracket);
  bool close(char bracket);

  std::string open_;  // the brackets that are open
  Place place_ = Place::kValue;
  bool escaped_ = false;
};

// For a byte inside a string: as JSON wants it, control characters escaped.
void append_string_byte(std::string& out, char c);

}  // namespace minnow::chat_output
