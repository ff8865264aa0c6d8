#include "text/jinja/loop.h"

namespace minnow::jinja {

Value loop_attribute(const Loop& loop, std::string_view name) {
  const auto index0 = static_cast<int64_t>(loop.index0);
  const auto length = static_cast<int64_t>(loop.items.size());
  if (name == "index") return Value::integer(index0 + 1);
  if (name == "index0") return Value::integer(index0);
  if (name == "revindex") return Value::integer(length - index0);
  if (name == "revindex0") return Value::integer(length - index0 - 1);
  if (name == "first") return Value::boolean(index0 == 0);
  if (name == "last") return Value::boolean(index0 + 1 == length);
  if (name == "length") return Value::integer(length);
  if (name == "depth") return Value::integer(loop.depth0 + 1);
  if (name == "depth0") return Value::integer(loop.depth0);
  if (name == "previtem") {
    return index0 > 0 ? loop.items[loop.index0 - 1] : Value::undefined("previous", Missing::kNeighbour);
  }
  if (name == "nextitem") {
    return index0 + 1 < length ? loop.items[loop.index0 + 1] : Value::undefined("next", Missing::kNeighbour);
  }
  return Value::undefined(name, Missing::kAttribute, Kind::kLoop);
}

}  // namespace minnow::jinja
