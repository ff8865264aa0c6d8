// JSON from strangers: bounded depth, one-line errors that name the source, typed getters with ranges.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace minnow {

using Json = nlohmann::json;                 // keys sorted; for files and configs
using OrderedJson = nlohmann::ordered_json;  // keys as written; for chats and tools, never for huge objects

// Throws kInvalidInput ("<source>: not valid JSON near byte N") or kLimit: nested deeper than
// limits::kMaxJsonDepth, or an ordered object of more than limits::kMaxOrderedJsonKeys keys. Of equal keys in
// an object the last counts. `source` is a path or a word such as "request".
Json parse_json(std::string_view text, const std::string& source);
OrderedJson parse_ordered_json(std::string_view text, const std::string& source);

// Fields of an object. A missing or null field gives `fallback`; a wrong type or a value out of [lo, hi]
// throws kInvalidInput naming source and key.
struct JsonFields {
  const Json& object;
  std::string source;

  int64_t integer(const char* key, int64_t fallback, int64_t lo, int64_t hi) const;
  double number(const char* key, double fallback) const;
  bool boolean(const char* key, bool fallback) const;
  std::string text(const char* key, const std::string& fallback) const;
  bool has(const char* key) const;
};

}  // namespace minnow
