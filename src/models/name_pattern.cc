#include "models/name_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"

namespace minnow {
namespace {

constexpr uint32_t kMatchLimit = 100'000;

template <typename T>
PCRE2_SPTR units(const T& text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

NamePattern::NamePattern(const std::string& expression, Where where) : where_(where), expression_(expression) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(units(expression), expression.size(), PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
  if (code == nullptr) {
    char text[128] = {};
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
    fail(ErrorCode::kUsage, "{}: not a regular expression: {} at character {}", expression, text, at);
  }
  code_ = std::shared_ptr<const void>(code, [code](const void*) { pcre2_code_free(code); });
}

bool NamePattern::matches(std::string_view name) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(pcre2_match_data_create(1, nullptr),
                                                                            pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  if (!match || !context) throw std::bad_alloc();
  pcre2_set_match_limit(context.get(), kMatchLimit);
  const uint32_t options = where_ == Where::kWhole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0;
  const int found = pcre2_match(code, units(name), name.size(), 0, options, match.get(), context.get());
  if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
    fail(ErrorCode::kLimit, "{}: the expression takes too many steps on {}; write a simpler one", expression_, name);
  }
  return found >= 0;
}

}  // namespace minnow
