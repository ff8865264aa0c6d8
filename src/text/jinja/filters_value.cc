// Filters that turn a value into another kind of value: default, tojson, int, float, round, string, …
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "text/jinja/builtin.h"
#include "text/jinja/json_form.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

Value filter_default(Call& call) {
  const bool absent = call.self.is_undefined() || (call.flag(1, false) && !truthy(call.self));
  if (!absent) return call.self;
  return call.argument(0) != nullptr ? *call.argument(0) : Value::string("");
}

Value filter_tojson(Call& call) {
  JsonStyle style;
  style.ensure_ascii = call.flag(0, false);
  if (const Value* indent = call.argument(1); indent != nullptr && !indent->is_none()) {
    style.item_separator = ",";
    if (indent->is_string()) {
      style.indent = indent->as_text();
    } else {
      TextBuilder spaces(call.rt);
      spaces.append(static_cast<uint64_t>(std::max<int64_t>(0, call.integer(1, 0))), ' ');
      style.indent = spaces.finish().as_text();
    }
  }
  if (const Value* separators = call.argument(2); separators != nullptr && !separators->is_none()) {
    const auto pair = elements(call.rt, *separators);
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      call.rt.fail("tojson: separators must be two texts");
    }
    style.item_separator = pair[0].as_text();
    style.key_separator = pair[1].as_text();
  }
  style.sort_keys = call.flag(3, false);
  TextBuilder out(call.rt);
  write_json(out, call.self, style);
  return out.finish();
}

// Not in transformers, but DeepSeek's templates use it on the arguments of tool calls.
Value filter_from_json(Call& call) {
  if (!call.self.is_string()) call.rt.fail("from_json needs text, not {}", type_name(call.self));
  return parse_json_text(call.rt, call.self.as_text());
}

// The digits of a Python number without the underscores between them; nothing when one is misplaced.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      if (i == 0 || i + 1 == text.size() || text[i - 1] == '_') return std::nullopt;
    } else {
      digits += text[i];
    }
  }
  return digits;
}

constexpr std::size_t kLongestNumber = 400;  // bytes; longer texts are not taken for numbers

std::optional<int64_t> parse_integer(Runtime& rt, std::string_view text, int base) {
  text = strip(text);
  if (text.size() > kLongestNumber) return std::nullopt;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto prefixed = [&](char letter) {
    return text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == letter;
  };
  const int announced = prefixed('x') ? 16 : prefixed('o') ? 8 : prefixed('b') ? 2 : 0;
  if (announced != 0 && (base == 0 || base == announced)) {
    text.remove_prefix(2);
    base = announced;
  } else if (base == 0) {
    base = 10;
  }
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || digits->front() == '-') return std::nullopt;
  int64_t number = 0;
  const std::string signed_digits = (negative ? "-" : "") + *digits;
  const auto [end, error] =
      std::from_chars(signed_digits.data(), signed_digits.data() + signed_digits.size(), number, base);
  if (error == std::errc::result_out_of_range) {
    fail_at(rt.line, ErrorCode::kLimit, "an integer does not fit in 64 bits");
  }
  if (error != std::errc{} || end != signed_digits.data() + signed_digits.size()) return std::nullopt;
  return number;
}

std::optional<double> parse_real(std::string_view text) {
  text = strip(text);
  if (text.size() > kLongestNumber) return std::nullopt;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || digits->front() == '-') return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), number);
  if (end != digits->data() + digits->size()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    number = digits->find("e-") != std::string::npos ? 0 : HUGE_VAL;
  return negative ? -number : number;
}

std::optional<int64_t> truncated(double f) {
  if (!(f > -9.2e18 && f < 9.2e18)) return std::nullopt;
  return static_cast<int64_t>(f);
}

Value filter_int(Call& call) {
  const Value otherwise = call.argument(0) != nullptr ? *call.argument(0) : Value::integer(0);
  if (call.self.is_undefined()) call.rt.fail_undefined(call.self);
  if (call.self.is_integral()) return Value::integer(call.self.as_int());
  std::optional<double> real;
  if (call.self.is(Kind::kFloat)) real = call.self.as_real();
  if (call.self.is_string()) {
    const int64_t base = call.integer(1, 10);
    if (base != 0 && (base < 2 || base > 36)) call.rt.fail("int: base must be 0 or 2 to 36");
    if (const auto number = parse_integer(call.rt, call.self.as_text(), static_cast<int>(base))) {
      return Value::integer(*number);
    }
    real = parse_real(call.self.as_text());
  }
  const auto number = real ? truncated(*real) : std::nullopt;
  return number ? Value::integer(*number) : otherwise;
}

Value filter_float(Call& call) {
  const Value otherwise = call.argument(0) != nullptr ? *call.argument(0) : Value::real(0);
  if (call.self.is_undefined()) call.rt.fail_undefined(call.self);
  if (call.self.is_number()) return Value::real(call.self.as_number());
  if (!call.self.is_string()) return otherwise;
  const auto number = parse_real(call.self.as_text());
  return number ? Value::real(*number) : otherwise;
}

Value filter_abs(Call& call) {
  if (call.self.is_undefined()) call.rt.fail_undefined(call.self);
  if (!call.self.is_number()) call.rt.fail("abs needs a number, not {}", type_name(call.self));
  if (call.self.is(Kind::kFloat)) return Value::real(std::fabs(call.self.as_real()));
  return call.self.as_int() < 0 ? negate(call.rt, call.self) : Value::integer(call.self.as_int());
}

// Half to even on the exact value, as Python's round.
double round_decimal(double f, int64_t precision) {
  if (!std::isfinite(f) || precision > 300) return f;
  if (precision < -308) return 0;
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(f / unit) * unit;
  }
  char buffer[700];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), f);
  return std::strtod(buffer, nullptr);
}

Value filter_round(Call& call) {
  if (call.self.is_undefined()) call.rt.fail_undefined(call.self);
  if (!call.self.is_number()) call.rt.fail("round needs a number, not {}", type_name(call.self));
  const int64_t precision = call.integer(0, 0);
  const std::string_view method = call.text(1, "common");
  if (method == "common") {
    if (!call.self.is_integral()) return Value::real(round_decimal(call.self.as_real(), precision));
    if (precision >= 0) return Value::integer(call.self.as_int());
    const double rounded = round_decimal(call.self.as_number(), precision);
    return Value::integer(truncated(rounded).value_or(0));
  }
  if (method != "ceil" && method != "floor") call.rt.fail("round: method must be common, ceil or floor");
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = call.self.as_number() * unit;
  const double whole = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return Value::real((whole + 0.0) / unit);  // + 0.0: Python rounds to an integer here, which has no -0
}

Value filter_string(Call& call) { return to_string(call.rt, call.self); }

Value filter_safe(Call& call) { return Value::string(to_text(call.rt, call.self), true); }

Value filter_escape(Call& call) { return escape(call.rt, call.self); }

Value filter_forceescape(Call& call) { return escape(call.rt, Value::string(to_text(call.rt, call.self))); }

Value filter_length(Call& call) { return Value::integer(static_cast<int64_t>(length(call.rt, call.self))); }

Value filter_attr(Call& call) {
  const Value found = get_attribute(call.rt, call.self, call.text(0, ""));
  if (!call.self.is(Kind::kDict) || found.is(Kind::kCallable)) return found;
  return Value::undefined(call.text(0, ""), Missing::kAttribute, Kind::kDict);  // attributes only, no items
}

constexpr Builtin kTable[] = {
    {"default", "default_value boolean", 0, filter_default},
    {"d", "default_value boolean", 0, filter_default},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, filter_tojson},
    {"from_json", "", 0, filter_from_json},
    {"fromjson", "", 0, filter_from_json},
    {"length", "", 0, filter_length},
    {"count", "", 0, filter_length},
    {"string", "", 0, filter_string},
    {"int", "default base", 0, filter_int},
    {"float", "default", 0, filter_float},
    {"abs", "", 0, filter_abs},
    {"round", "precision method", 0, filter_round},
    {"safe", "", 0, filter_safe},
    {"escape", "", 0, filter_escape},
    {"e", "", 0, filter_escape},
    {"forceescape", "", 0, filter_forceescape},
    {"attr", "name", 1, filter_attr},
};

}  // namespace

std::span<const Builtin> value_filters() { return kTable; }

}  // namespace minnow::jinja
