#include "base/json.h"

#include <cmath>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

template <typename T>
T parse(std::string_view text, const std::string& source) {
  bool too_deep = false;
  const auto check_depth = [&](int depth, typename T::parse_event_t event, T&) {
    const bool opens = event == T::parse_event_t::object_start || event == T::parse_event_t::array_start;
    if (opens && depth >= limits::kMaxJsonDepth) {
      too_deep = true;
      fail(ErrorCode::kLimit, "{}: JSON nested deeper than {} levels", source, limits::kMaxJsonDepth);
    }
    return true;
  };
  try {
    return T::parse(text.begin(), text.end(), check_depth);
  } catch (const typename T::parse_error& e) {
    fail(ErrorCode::kInvalidInput, "{}: not valid JSON near byte {}", source, e.byte);
  } catch (const typename T::exception& e) {
    fail(ErrorCode::kInvalidInput, "{}: not valid JSON (number out of range or bad text, library error {})", source, e.id);
  }
}

[[noreturn]] void fail_field(const JsonFields& fields, const char* key, std::string_view wanted) {
  fail(ErrorCode::kInvalidInput, "{}: field \"{}\" must be {}", fields.source, key, wanted);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source) { return parse<Json>(text, source); }

OrderedJson parse_ordered_json(std::string_view text, const std::string& source) {
  return parse<OrderedJson>(text, source);
}

bool JsonFields::has(const char* key) const {
  return object.is_object() && object.contains(key) && !object.at(key).is_null();
}

int64_t JsonFields::integer(const char* key, int64_t fallback, int64_t lo, int64_t hi) const {
  if (!has(key)) return fallback;
  const Json& value = object.at(key);
  int64_t result = 0;
  if (value.is_number_unsigned()) {
    const auto u = value.get<uint64_t>();
    if (u > static_cast<uint64_t>(INT64_MAX)) fail_field(*this, key, fmt::format("an integer from {} to {}", lo, hi));
    result = static_cast<int64_t>(u);
  } else if (value.is_number_integer()) {
    result = value.get<int64_t>();
  } else if (value.is_number_float() && std::abs(value.get<double>()) < 9e15 &&
             std::floor(value.get<double>()) == value.get<double>()) {
    result = static_cast<int64_t>(value.get<double>());
  } else {
    fail_field(*this, key, "an integer");
  }
  if (result < lo || result > hi) fail_field(*this, key, fmt::format("an integer from {} to {}", lo, hi));
  return result;
}

double JsonFields::number(const char* key, double fallback) const {
  if (!has(key)) return fallback;
  if (!object.at(key).is_number()) fail_field(*this, key, "a number");
  return object.at(key).get<double>();
}

bool JsonFields::boolean(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!object.at(key).is_boolean()) fail_field(*this, key, "true or false");
  return object.at(key).get<bool>();
}

std::string JsonFields::text(const char* key, const std::string& fallback) const {
  if (!has(key)) return fallback;
  if (!object.at(key).is_string()) fail_field(*this, key, "a string");
  return object.at(key).get<std::string>();
}

}  // namespace minnow
