#include "text/jinja/format_spec.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/utf8.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

constexpr int kMaxPrecision = 1000;

void write_padded(TextBuilder& out, std::string_view sign, std::string_view body, const FormatSpec& spec,
                  char align) {
  const uint64_t size = count_chars(sign) + count_chars(body);
  const uint64_t padding = spec.width > size ? spec.width - size : 0;
  const uint64_t before = align == '<' ? 0 : align == '^' ? padding / 2 : padding;
  const auto fill = [&](uint64_t n) {
    if (spec.fill < 0x80) return out.append(n, static_cast<char>(spec.fill));
    for (uint64_t i = 0; i < n; ++i) out.append_char(spec.fill);
  };
  if (align == '=') out.append(sign);
  fill(before);
  if (align != '=') out.append(sign);
  out.append(body);
  fill(padding - before);
}

std::string with_thousands(std::string digits) {
  std::size_t end = digits.find_first_not_of("0123456789");
  if (end == std::string::npos) end = digits.size();
  for (std::size_t at = end; at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string float_digits(Runtime& rt, double magnitude, const FormatSpec& spec) {
  const int precision = spec.precision.value_or(6);
  if (precision > kMaxPrecision) {
    fail_at(rt.line, ErrorCode::kLimit, fmt::format("a precision past {} digits", kMaxPrecision));
  }
  const bool percent = spec.type == '%';
  const char type = percent ? 'f' : spec.type == 0 ? 'g' : spec.type;
  const std::string format = std::string(spec.alternate ? "%#.*" : "%.*") + type;
  char buffer[kMaxPrecision + 400];  // 309 digits before the point at most
  const double shown = percent ? magnitude * 100 : magnitude;
  const int n = std::snprintf(buffer, sizeof buffer, format.c_str(), precision, shown);
  std::string digits(buffer, static_cast<std::size_t>(std::clamp(n, 0, static_cast<int>(sizeof buffer) - 1)));
  return percent ? digits + "%" : digits;
}

std::string integer_digits(const Value& value, const FormatSpec& spec) {
  const int64_t i = value.as_int();
  const uint64_t magnitude = i < 0 ? uint64_t{0} - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
  switch (spec.type) {
    case 'x':
      return fmt::format("{}{:x}", spec.alternate ? "0x" : "", magnitude);
    case 'X':
      return fmt::format("{}{:X}", spec.alternate ? "0X" : "", magnitude);
    case 'o':
      return fmt::format("{}{:o}", spec.alternate ? "0o" : "", magnitude);
    case 'b':
      return fmt::format("{}{:b}", spec.alternate ? "0b" : "", magnitude);
    default:
      return fmt::format("{}", magnitude);
  }
}

bool is_integer_type(char type) {
  return type == 'd' || type == 'x' || type == 'X' || type == 'o' || type == 'b';
}

void write_number(TextBuilder& out, const Value& value, const FormatSpec& spec) {
  const bool as_integer = value.is_integral() && (spec.type == 0 || is_integer_type(spec.type));
  if (!as_integer && is_integer_type(spec.type))
    out.runtime().fail("format '{}' needs an integer", spec.type);
  std::string digits;
  bool negative = false;
  if (as_integer) {
    negative = value.as_int() < 0;
    digits = integer_digits(value, spec);
  } else {
    const double number = value.as_number();
    negative = std::signbit(number);
    const bool plain = spec.type == 0 && !spec.precision;
    digits = plain ? float_text(std::fabs(number)) : float_digits(out.runtime(), std::fabs(number), spec);
  }
  if (spec.thousands) digits = with_thousands(std::move(digits));
  const std::string_view sign = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  write_padded(out, sign, digits, spec, spec.align == 0 ? '>' : spec.align);
}

}  // namespace

bool read_number(Runtime& rt, std::string_view& text, uint64_t& number) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return false;
  number = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    number = number * 10 + static_cast<uint64_t>(text[0] - '0');
    if (number > 1'000'000'000) fail_at(rt.line, ErrorCode::kLimit, "a width or precision is too large");
    text.remove_prefix(1);
  }
  return true;
}

void write_formatted(TextBuilder& out, const Value& value, const FormatSpec& spec) {
  Runtime& rt = out.runtime();
  if (spec.type == 'c') {
    std::string character;
    if (value.is_integral()) {
      if (value.as_int() < 0 || value.as_int() > 0x10FFFF) rt.fail("format 'c' needs a code point");
      append_utf8(character, static_cast<char32_t>(value.as_int()));
    } else {
      character = to_text(rt, value).substr(0, 16);
    }
    return write_padded(out, {}, character, spec, spec.align == 0 ? '<' : spec.align);
  }
  const bool numeric =
      value.is_number() && spec.type != 's' && !(spec.type == 0 && value.is(Kind::kBool) && spec.width == 0);
  if (numeric) return write_number(out, value, spec);
  if (spec.type != 's' && spec.type != 0) {
    if (value.is_undefined()) rt.fail_undefined(value);
    rt.fail("format '{}' needs a number, not {}", spec.type, type_name(value));
  }
  std::string_view text = to_text(rt, value);
  if (spec.precision) text = text.substr(0, char_offset(text, static_cast<uint64_t>(*spec.precision)));
  write_padded(out, {}, text, spec, spec.align == 0 || spec.align == '=' ? '<' : spec.align);
}

}  // namespace minnow::jinja
