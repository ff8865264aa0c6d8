// Template text to its parse tree.
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace minnow::jinja {

// `source` is normalized (lexer.h) and must outlive the tree, which views it. Throws kInvalidInput with the
// line, kUnsupported for tags that would load other templates, kLimit when nested too deep.
Body parse_template(std::string_view source);

}  // namespace minnow::jinja
