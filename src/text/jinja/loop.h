// The `loop` variable of a for block.
#pragma once

#include <span>

#include "text/jinja/runtime.h"

namespace minnow::jinja {

struct ForStmt;

struct Loop {
  std::span<const Value> items;
  uint64_t index0 = 0;
  int depth0 = 0;                      // nesting of a recursive loop
  const ForStmt* recursive = nullptr;  // set when `loop(items)` may be called
  Scope* scope = nullptr;              // where a recursive call evaluates
  Value last_changed;                  // what loop.changed() saw
  bool has_changed = false;
};

// loop.index, loop.last, …; undefined for an unknown name. Methods (cycle, changed) are found elsewhere.
Value loop_attribute(const Loop& loop, std::string_view name);

}  // namespace minnow::jinja
