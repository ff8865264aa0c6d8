#include "text/jinja/value.h"

namespace minnow::jinja {

Value Value::boolean(bool b) {
  Value v(Kind::kBool);
  v.i_ = b ? 1 : 0;
  return v;
}

Value Value::integer(int64_t i) {
  Value v(Kind::kInt);
  v.i_ = i;
  return v;
}

Value Value::real(double f) {
  Value v(Kind::kFloat);
  v.f_ = f;
  return v;
}

Value Value::string(std::string_view text, bool safe) {
  Value v(Kind::kString);
  v.text_ = text.data();
  v.size_ = static_cast<uint32_t>(text.size());
  v.detail_ = safe ? 1 : 0;
  return v;
}

Value Value::list(List* list) {
  Value v(Kind::kList);
  v.list_ = list;
  return v;
}

Value Value::dict(Dict* dict) {
  Value v(Kind::kDict);
  v.dict_ = dict;
  return v;
}

Value Value::space(Namespace* ns) {
  Value v(Kind::kNamespace);
  v.namespace_ = ns;
  return v;
}

Value Value::callable(Callable* callable) {
  Value v(Kind::kCallable);
  v.callable_ = callable;
  return v;
}

Value Value::loop(Loop* loop) {
  Value v(Kind::kLoop);
  v.loop_ = loop;
  return v;
}

Value Value::undefined(std::string_view name, Missing why, Kind owner) {
  Value v(Kind::kUndefined);
  v.text_ = name.data();
  v.size_ = static_cast<uint32_t>(name.size());
  v.detail_ = static_cast<uint8_t>(why);
  v.owner_ = owner;
  return v;
}

bool Value::same_as(const Value& other) const {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kUndefined:
      return false;
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
      return i_ == other.i_;
    case Kind::kFloat:
      return f_ == other.f_;
    case Kind::kString:
      return as_text() == other.as_text();
    default:
      return list_ == other.list_;
  }
}

}  // namespace minnow::jinja
