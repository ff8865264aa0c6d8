// Tests: what may follow `is`.
#include "text/jinja/builtin.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

Value is_upper_case(Call& call) {
  const std::string_view text = to_text(call.rt, call.self);
  call.rt.scan_bytes(text.size() * 2);
  return Value::boolean(all_upper(text));
}

Value is_lower_case(Call& call) {
  const std::string_view text = to_text(call.rt, call.self);
  call.rt.scan_bytes(text.size() * 2);
  return Value::boolean(all_lower(text));
}

Value is_integer_that(Call& call, int64_t divisor, int64_t remainder) {
  const Value left = arithmetic(call.rt, Op::kModulo, call.self, Value::integer(divisor));
  return Value::boolean(equals(call.rt, left, Value::integer(remainder)));
}

template <Op op>
Value compare_to(Call& call) {
  return Value::boolean(compare(call.rt, op, call.self, *call.argument(0)));
}

Value is_divisibleby(Call& call) {
  const Value left = arithmetic(call.rt, Op::kModulo, call.self, *call.argument(0));
  return Value::boolean(equals(call.rt, left, Value::integer(0)));
}

Value is_sequence(Call& call) {
  const Value& v = call.self;
  const bool listed = v.is(Kind::kList) && v.as_list().kind <= ListKind::kRange;
  return Value::boolean(listed || v.is_string() || v.is(Kind::kDict) || v.is_undefined());
}

Value is_callable(Call& call) {
  return Value::boolean(call.self.is(Kind::kCallable) || call.self.is(Kind::kLoop) ||
                        call.self.is_undefined());
}

Value is_filter(Call& call) {
  need_hashable(call.rt, call.self);
  return Value::boolean(call.self.is_string() && find_filter(call.self.as_text()) != nullptr);
}

Value is_test(Call& call) {
  need_hashable(call.rt, call.self);
  return Value::boolean(call.self.is_string() && find_test(call.self.as_text()) != nullptr);
}

constexpr Builtin kTable[] = {
    {"defined", "", 0, [](Call& c) { return Value::boolean(!c.self.is_undefined()); }},
    {"undefined", "", 0, [](Call& c) { return Value::boolean(c.self.is_undefined()); }},
    {"none", "", 0, [](Call& c) { return Value::boolean(c.self.is_none()); }},
    {"boolean", "", 0, [](Call& c) { return Value::boolean(c.self.is(Kind::kBool)); }},
    {"true", "", 0, [](Call& c) { return Value::boolean(c.self.is(Kind::kBool) && c.self.as_bool()); }},
    {"false", "", 0, [](Call& c) { return Value::boolean(c.self.is(Kind::kBool) && !c.self.as_bool()); }},
    {"integer", "", 0, [](Call& c) { return Value::boolean(c.self.is(Kind::kInt)); }},
    {"float", "", 0, [](Call& c) { return Value::boolean(c.self.is(Kind::kFloat)); }},
    {"number", "", 0, [](Call& c) { return Value::boolean(c.self.is_number()); }},
    {"string", "", 0, [](Call& c) { return Value::boolean(c.self.is_string()); }},
    {"mapping", "", 0, [](Call& c) { return Value::boolean(c.self.is(Kind::kDict)); }},
    {"iterable", "", 0, [](Call& c) { return Value::boolean(is_iterable(c.self)); }},
    {"sequence", "", 0, is_sequence},
    {"callable", "", 0, is_callable},
    {"escaped", "", 0, [](Call& c) { return Value::boolean(c.self.is_safe()); }},
    {"sameas", "other", 1, [](Call& c) { return Value::boolean(c.self.same_as(*c.argument(0))); }},
    {"odd", "", 0, [](Call& c) { return is_integer_that(c, 2, 1); }},
    {"even", "", 0, [](Call& c) { return is_integer_that(c, 2, 0); }},
    {"divisibleby", "num", 1, is_divisibleby},
    {"upper", "", 0, is_upper_case},
    {"lower", "", 0, is_lower_case},
    {"in", "seq", 1, compare_to<Op::kIn>},
    {"eq", "other", 1, compare_to<Op::kEqual>},
    {"equalto", "other", 1, compare_to<Op::kEqual>},
    {"==", "other", 1, compare_to<Op::kEqual>},
    {"ne", "other", 1, compare_to<Op::kNotEqual>},
    {"!=", "other", 1, compare_to<Op::kNotEqual>},
    {"lt", "other", 1, compare_to<Op::kLess>},
    {"lessthan", "other", 1, compare_to<Op::kLess>},
    {"<", "other", 1, compare_to<Op::kLess>},
    {"le", "other", 1, compare_to<Op::kLessEqual>},
    {"<=", "other", 1, compare_to<Op::kLessEqual>},
    {"gt", "other", 1, compare_to<Op::kGreater>},
    {"greaterthan", "other", 1, compare_to<Op::kGreater>},
    {">", "other", 1, compare_to<Op::kGreater>},
    {"ge", "other", 1, compare_to<Op::kGreaterEqual>},
    {">=", "other", 1, compare_to<Op::kGreaterEqual>},
    {"filter", "", 0, is_filter},
    {"test", "", 0, is_test},
};

}  // namespace

std::span<const Builtin> test_table() { return kTable; }

}  // namespace minnow::jinja
