// Typed access to GGUF metadata.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>
#include <type_traits>

#include "base/error.h"
#include "base/limits.h"
#include "formats/gguf.h"
#include "formats/gguf_layout.h"
#include "formats/quote_name.h"

namespace minnow {
namespace {

template <typename T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

[[noreturn]] void fail_key(const GgufMetadata& metadata, std::string_view key, std::string_view wanted) {
  fail(ErrorCode::kInvalidInput, "{}: metadata key {} must be {}", metadata.source(), quote_name(key),
       wanted);
}

[[noreturn]] void fail_missing(const GgufMetadata& metadata, std::string_view key) {
  fail(ErrorCode::kInvalidInput, "{}: metadata key {} is missing", metadata.source(), quote_name(key));
}

// An integer of any width from -2^63 to 2^64 - 1.
struct WideInteger {
  uint64_t bits;
  bool negative;
};

std::optional<WideInteger> wide_integer(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> std::optional<WideInteger> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsInteger<T>) {
          return WideInteger{static_cast<uint64_t>(v), std::is_signed_v<T> && v < T{}};
        } else {
          return std::nullopt;
        }
      },
      value);
}

uint64_t integer_in(const GgufMetadata& metadata, std::string_view key, const GgufValue& value, uint64_t lo,
                    uint64_t hi) {
  const auto integer = wide_integer(value);
  if (!integer || integer->negative || integer->bits < lo || integer->bits > hi) {
    fail_key(metadata, key, fmt::format("an integer from {} to {}", lo, hi));
  }
  return integer->bits;
}

// nullptr when absent; throws when the value is not a T.
template <typename T>
const T* typed(const GgufMetadata& metadata, std::string_view key, std::string_view wanted) {
  const GgufValue* value = metadata.find(key);
  if (value == nullptr) return nullptr;
  const T* result = std::get_if<T>(value);
  if (result == nullptr) fail_key(metadata, key, wanted);
  return result;
}

template <typename T>
std::vector<int64_t> integers_in(const std::vector<T>& values, int64_t lo, int64_t hi, bool& in_range) {
  std::vector<int64_t> result;
  result.reserve(values.size());
  for (const T v : values) {
    in_range = in_range && std::in_range<int64_t>(v) && static_cast<int64_t>(v) >= lo &&
               static_cast<int64_t>(v) <= hi;
    result.push_back(static_cast<int64_t>(v));
  }
  return result;
}

}  // namespace

GgufMetadata::GgufMetadata(std::string source, std::vector<Entry> entries)
    : source_(std::move(source)), entries_(std::move(entries)) {
  std::vector<uint32_t> order(entries_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return entries_[a].first < entries_[b].first; });
  const auto twin = std::adjacent_find(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return entries_[a].first == entries_[b].first;
  });
  if (twin != order.end()) {
    fail(ErrorCode::kInvalidInput, "{}: metadata key {} occurs twice", source_,
         quote_name(entries_[*twin].first));
  }
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto it =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.first == key; });
  return it == entries_.end() ? nullptr : &it->second;
}

uint64_t GgufMetadata::integer(std::string_view key, uint64_t fallback, uint64_t lo, uint64_t hi) const {
  const GgufValue* value = find(key);
  return value == nullptr ? fallback : integer_in(*this, key, *value, lo, hi);
}

uint64_t GgufMetadata::require_integer(std::string_view key, uint64_t lo, uint64_t hi) const {
  const GgufValue* value = find(key);
  if (value == nullptr) fail_missing(*this, key);
  return integer_in(*this, key, *value, lo, hi);
}

double GgufMetadata::number(std::string_view key, double fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return fallback;
  const auto result = std::visit(
      [](const auto& v) -> std::optional<double> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_floating_point_v<T> || kIsInteger<T>) {
          return static_cast<double>(v);
        } else {
          return std::nullopt;
        }
      },
      *value);
  if (!result || !std::isfinite(*result)) fail_key(*this, key, "a finite number");
  return *result;
}

bool GgufMetadata::boolean(std::string_view key, bool fallback) const {
  const bool* value = typed<bool>(*this, key, "a bool");
  return value == nullptr ? fallback : *value;
}

std::string GgufMetadata::text(std::string_view key, const std::string& fallback) const {
  const auto* value = typed<std::string>(*this, key, "a string");
  return value == nullptr ? fallback : *value;
}

std::string GgufMetadata::require_text(std::string_view key) const {
  const auto* value = typed<std::string>(*this, key, "a string");
  if (value == nullptr) fail_missing(*this, key);
  return *value;
}

const std::vector<std::string>* GgufMetadata::strings(std::string_view key) const {
  return typed<std::vector<std::string>>(*this, key, "an array of strings");
}

const std::vector<float>* GgufMetadata::floats(std::string_view key) const {
  return typed<std::vector<float>>(*this, key, "an array of f32");
}

std::vector<int64_t> GgufMetadata::integers(std::string_view key, int64_t lo, int64_t hi) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return {};
  bool good = true;
  auto result = std::visit(
      [&](const auto& v) -> std::vector<int64_t> {
        if constexpr (requires { typename std::decay_t<decltype(v)>::value_type; }) {
          using Element = typename std::decay_t<decltype(v)>::value_type;
          if constexpr (kIsInteger<Element> && !std::is_same_v<Element, char>)
            return integers_in(v, lo, hi, good);
        }
        good = false;
        return {};
      },
      *value);
  if (!good) fail_key(*this, key, fmt::format("an array of integers from {} to {}", lo, hi));
  return result;
}

void GgufMetadata::set(std::string key, GgufValue value) {
  const auto it =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.first == key; });
  if (it != entries_.end()) {
    it->second = std::move(value);
  } else {
    entries_.emplace_back(std::move(key), std::move(value));
  }
}

void GgufMetadata::erase(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& e) { return e.first == key; });
}

uint64_t gguf::alignment(const GgufMetadata& metadata) {
  const GgufValue* value = metadata.find(kAlignmentKey);
  if (value == nullptr) return kDefaultAlignment;
  const uint32_t* bytes = std::get_if<uint32_t>(value);
  if (bytes == nullptr || *bytes < 8 || *bytes > limits::kMaxAlignment || !std::has_single_bit(*bytes)) {
    fail_key(metadata, kAlignmentKey,
             fmt::format("a u32 and a power of two from 8 to {}", limits::kMaxAlignment));
  }
  return *bytes;
}

}  // namespace minnow
