#include "base/json.h"

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

// Builds a document from the library's parser events, with bounds. The library's own way to watch a parse (a
// callback) looks at all elements of the surrounding container at the end of every object: quadratic time.
template <typename T>
class Builder final : public nlohmann::json_sax<T> {
 public:
  // max_keys: of one object. An ordered object is searched from its front for every key that is added, so
  // that many keys would take quadratic time there.
  Builder(const std::string& source, std::size_t max_keys) : source_(source), max_keys_(max_keys) {}

  T take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(typename T::number_integer_t value) override { return add(value); }
  bool number_unsigned(typename T::number_unsigned_t value) override { return add(value); }
  bool number_float(typename T::number_float_t value, const typename T::string_t&) override {
    return add(value);
  }
  bool string(typename T::string_t& value) override { return add(std::move(value)); }
  bool binary(typename T::binary_t& value) override { return add(std::move(value)); }

  bool start_object(std::size_t) override { return open(T::object()); }
  bool start_array(std::size_t) override { return open(T::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(typename T::string_t& key) override {
    if (open_.back()->size() >= max_keys_) {
      fail(ErrorCode::kLimit, "{}: a JSON object of more than {} keys", source_, max_keys_);
    }
    key_ = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const typename T::exception& e) override {
    constexpr int kNumberOutOfRange = 406;
    if (e.id == kNumberOutOfRange) {
      fail(ErrorCode::kInvalidInput, "{}: not valid JSON: number out of range near byte {}", source_,
           position);
    }
    fail(ErrorCode::kInvalidInput, "{}: not valid JSON near byte {}", source_, position);
  }

 private:
  bool add(T value) {
    place(std::move(value));
    return true;
  }
  // The containers that are open stay where they are: each is the last element of the one before.
  T* place(T value) {
    if (open_.empty()) return &(root_ = std::move(value));
    T& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }
  bool open(T container) {
    if (open_.size() >= limits::kMaxJsonDepth) {
      fail(ErrorCode::kLimit, "{}: JSON nested deeper than {} levels", source_, limits::kMaxJsonDepth);
    }
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& source_;
  std::size_t max_keys_;
  T root_;
  std::vector<T*> open_;
  typename T::string_t key_;
};

template <typename T>
T parse(std::string_view text, const std::string& source, std::size_t max_keys) {
  // The library takes a zero byte for the end of the text and would not look at what follows.
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) {
    fail(ErrorCode::kInvalidInput, "{}: not valid JSON near byte {}", source, zero + 1);
  }
  Builder<T> builder(source, max_keys);
  T::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

[[noreturn]] void fail_field(const JsonFields& fields, const char* key, std::string_view wanted) {
  fail(ErrorCode::kInvalidInput, "{}: field \"{}\" must be {}", fields.source, key, wanted);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source) {
  return parse<Json>(text, source, SIZE_MAX);
}

OrderedJson parse_ordered_json(std::string_view text, const std::string& source) {
  return parse<OrderedJson>(text, source, limits::kMaxOrderedJsonKeys);
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
    if (u > static_cast<uint64_t>(INT64_MAX))
      fail_field(*this, key, fmt::format("an integer from {} to {}", lo, hi));
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
