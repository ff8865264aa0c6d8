// + - * / // % ** ~ of numbers, texts and lists.
#include <cmath>

#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"

namespace minnow::jinja {
namespace {

std::string_view symbol(Op op) {
  switch (op) {
    case Op::kAdd:
      return "+";
    case Op::kSubtract:
      return "-";
    case Op::kMultiply:
      return "*";
    case Op::kDivide:
      return "/";
    case Op::kFloorDivide:
      return "//";
    case Op::kModulo:
      return "%";
    case Op::kPower:
      return "**";
    default:
      return "~";
  }
}

[[noreturn]] void fail_operands(Runtime& rt, Op op, const Value& a, const Value& b) {
  if (a.is_undefined()) rt.fail_undefined(a);
  if (b.is_undefined()) rt.fail_undefined(b);
  rt.fail("cannot compute {} {} {}", type_name(a), symbol(op), type_name(b));
}

[[noreturn]] void fail_overflow(Runtime& rt) {
  fail_at(rt.line, ErrorCode::kLimit, "an integer does not fit in 64 bits");
}

Value integer_power(Runtime& rt, int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) rt.fail("zero cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) fail_overflow(rt);
    exponent >>= 1;
    if (exponent > 0 && base != 0 && base != 1 && __builtin_mul_overflow(base, base, &base))
      fail_overflow(rt);
  }
  return Value::integer(result);
}

// Rounded towards minus infinity, as Python does.
Value floor_division(Runtime& rt, Op op, int64_t a, int64_t b) {
  if (b == 0) rt.fail("division by zero");
  if (b == -1) {
    if (op == Op::kModulo) return Value::integer(0);
    if (__builtin_sub_overflow(int64_t{0}, a, &a)) fail_overflow(rt);
    return Value::integer(a);
  }
  int64_t quotient = a / b, remainder = a % b;
  if (remainder != 0 && (remainder < 0) != (b < 0)) {
    --quotient;
    remainder += b;
  }
  return Value::integer(op == Op::kModulo ? remainder : quotient);
}

Value integer_arithmetic(Runtime& rt, Op op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case Op::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Op::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Op::kMultiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Op::kDivide:
      if (b == 0) rt.fail("division by zero");
      return Value::real(static_cast<double>(a) / static_cast<double>(b));
    case Op::kPower:
      return integer_power(rt, a, b);
    default:
      return floor_division(rt, op, a, b);
  }
  if (overflow) fail_overflow(rt);
  return Value::integer(result);
}

Value real_arithmetic(Runtime& rt, Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return Value::real(a + b);
    case Op::kSubtract:
      return Value::real(a - b);
    case Op::kMultiply:
      return Value::real(a * b);
    case Op::kPower: {
      if (a == 0 && b < 0) rt.fail("zero cannot be raised to a negative power");
      const double result = std::pow(a, b);
      if (std::isfinite(a) && std::isfinite(b) && !std::isfinite(result))
        rt.fail("the result of ** is not a number");
      return Value::real(result);
    }
    default:
      break;
  }
  if (b == 0) rt.fail("division by zero");
  if (op == Op::kDivide) return Value::real(a / b);
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) remainder += b;
  if (op == Op::kModulo) return Value::real(remainder == 0 ? std::copysign(0.0, b) : remainder);
  return Value::real(std::floor((a - remainder) / b + 0.5));
}

Value repeat(Runtime& rt, const Value& sequence, int64_t times) {
  const bool is_text = sequence.is_string();
  const uint64_t size = is_text ? sequence.as_text().size() : sequence.as_list().items.size();
  const uint64_t n = times < 0 || size == 0 ? 0 : static_cast<uint64_t>(times);
  if (n > limits::kMaxTemplateMemory || n * size > limits::kMaxTemplateMemory) {
    fail_at(rt.line, ErrorCode::kLimit, "the result of * is too large");
  }
  if (is_text) {
    TextBuilder out(rt);
    for (uint64_t i = 0; i < n; ++i) out.append(sequence.as_text());
    return out.finish(sequence.is_safe());
  }
  List* list = rt.new_list(sequence.as_list().kind);
  rt.scan_elements(n * size);
  list->items.reserve(rt.arena, n * size);
  for (uint64_t i = 0; i < n; ++i) {
    for (const Value& item : sequence.as_list().items) list->items.push_back(rt.arena, item);
  }
  return Value::list(list);
}

Value add_texts(Runtime& rt, const Value& a, const Value& b) {
  if (!a.is_safe() && !b.is_safe()) return rt.concatenate(a.as_text(), b.as_text());
  const Value left = escape(rt, a), right = escape(rt, b);
  return Value::string(rt.concatenate(left.as_text(), right.as_text()).as_text(), true);
}

bool is_sequence(const Value& value) {
  return value.is(Kind::kList) && value.as_list().kind <= ListKind::kTuple;
}

Value add_lists(Runtime& rt, const List& a, const List& b) {
  List* sum = rt.new_list(a.kind);
  rt.scan_elements(uint64_t{a.items.size()} + b.items.size());
  sum->items.reserve(rt.arena, uint64_t{a.items.size()} + b.items.size());
  for (const Value& item : a.items) sum->items.push_back(rt.arena, item);
  for (const Value& item : b.items) sum->items.push_back(rt.arena, item);
  return Value::list(sum);
}

}  // namespace

Value arithmetic(Runtime& rt, Op op, const Value& a, const Value& b) {
  if (op == Op::kConcat) return rt.concatenate(to_text(rt, a), to_text(rt, b));
  if (a.is_integral() && b.is_integral()) return integer_arithmetic(rt, op, a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) return real_arithmetic(rt, op, a.as_number(), b.as_number());
  if (op == Op::kModulo && a.is_string()) return format_percent(rt, a.as_text(), b);
  if (op == Op::kAdd) {
    if (a.is_string() && b.is_string()) return add_texts(rt, a, b);
    if (is_sequence(a) && is_sequence(b) && a.as_list().kind == b.as_list().kind) {
      return add_lists(rt, a.as_list(), b.as_list());
    }
  }
  if (op == Op::kMultiply) {
    if ((a.is_string() || is_sequence(a)) && b.is_integral()) return repeat(rt, a, b.as_int());
    if ((b.is_string() || is_sequence(b)) && a.is_integral()) return repeat(rt, b, a.as_int());
  }
  fail_operands(rt, op, a, b);
}

Value negate(Runtime& rt, const Value& value) {
  if (value.is(Kind::kFloat)) return Value::real(-value.as_real());
  if (value.is_integral()) return integer_arithmetic(rt, Op::kSubtract, 0, value.as_int());
  if (value.is_undefined()) rt.fail_undefined(value);
  rt.fail("cannot negate a {}", type_name(value));
}

}  // namespace minnow::jinja
