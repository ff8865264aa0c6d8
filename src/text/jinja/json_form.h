// Values from JSON and to JSON.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"
#include "text/jinja/runtime.h"

namespace minnow::jinja {

// Strings and keys stay views of `json`, which must outlive the rendering.
Value from_json(Runtime& rt, const OrderedJson& json);
// Parses a text; everything is copied to the arena.
Value parse_json_text(Runtime& rt, std::string_view text);

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string_view> indent;  // one level of it; without, all on one line
  std::string_view item_separator = ", ";
  std::string_view key_separator = ": ";
  bool sort_keys = false;
};

// As Python's json.dumps; what a lazy filter gives is a list. Throws for what JSON cannot say (undefined values, macros, …).
void write_json(TextBuilder& out, const Value& value, const JsonStyle& style, int level = 0);

}  // namespace minnow::jinja
