// How values read as text: Python's str() and repr().
#pragma once

#include <string>

#include "text/jinja/runtime.h"

namespace minnow::jinja {

// As Python's repr of a float: the shortest digits that give the same number back, "1e+16", "inf", "nan".
std::string float_text(double f);

void write_text(TextBuilder& out, const Value& value);  // str(); an undefined value writes nothing
void write_repr(TextBuilder& out, const Value& value);

// str() as a view; only values that are not strings cost memory.
std::string_view to_text(Runtime& rt, const Value& value);
// The same as a value, so that a safe string stays safe.
Value to_string(Runtime& rt, const Value& value);

// With & < > ' " as HTML entities, marked safe; a safe string is left alone.
Value escape(Runtime& rt, const Value& value);

}  // namespace minnow::jinja
