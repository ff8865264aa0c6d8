// Python's str.format: "{} {name!r:>8}".
#pragma once

#include "text/jinja/builtin.h"

namespace minnow::jinja {

Value format_braces(Runtime& rt, std::string_view format, const Arguments& arguments);

}  // namespace minnow::jinja
