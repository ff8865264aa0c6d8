#include "text/jinja/token_stream.h"

namespace minnow::jinja {

void TokenStream::fail_expected(std::string_view what) const {
  switch (current().kind) {
    case TokenKind::kEnd:
      fail("expected {}, but the template ends", what);
    case TokenKind::kBlockEnd:
    case TokenKind::kVariableEnd:
      fail("expected {}, but the tag ends", what);
    case TokenKind::kString:
      fail("expected {}, not a string", what);
    default:
      fail("expected {}, not '{}'", what, current().text);
  }
}

Nesting::Nesting(TokenStream& stream) : stream_(stream) {
  if (stream.depth_ >= limits::kMaxTemplateDepth) {
    fail_at(stream.line(), ErrorCode::kLimit,
            fmt::format("nested more than {} deep", limits::kMaxTemplateDepth));
  }
  ++stream.depth_;
}

}  // namespace minnow::jinja
