#include "serve/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace minnow {
namespace {

std::string joined(const std::string& path, std::string_view name) {
  if (name.empty()) return path;
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

[[noreturn]] void refuse_at(const std::string& path, std::string_view what, const std::string& hint = {}) {
  throw RequestError(path, fmt::format("{}: {}", path.empty() ? "request" : path, what), hint);
}

[[noreturn]] void refuse_type(const std::string& path, std::string_view wanted, const OrderedJson& value) {
  refuse_at(path, fmt::format("must be {}, is {}", wanted, json_type_name(value)));
}

// nullopt: not a whole number that fits.
std::optional<int64_t> whole(const OrderedJson& value) {
  if (value.is_number_unsigned()) {
    const auto u = value.get<uint64_t>();
    if (u > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(u);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double d = value.get<double>();
  if (!(std::abs(d) < 9e15) || std::floor(d) != d) return std::nullopt;
  return static_cast<int64_t>(d);
}

int64_t read_integer(const OrderedJson& value, const std::string& path, int64_t lo, int64_t hi) {
  if (!value.is_number()) refuse_type(path, "a whole number", value);
  const auto number = whole(value);
  if (!number || *number < lo || *number > hi) refuse_at(path, fmt::format("must be a whole number from {} to {}", lo, hi));
  return *number;
}

std::string read_text(const OrderedJson& value, const std::string& path) {
  if (!value.is_string()) refuse_type(path, "a string", value);
  return value.get<std::string>();
}

}  // namespace

RequestError::RequestError(std::string param, const std::string& what, const std::string& hint, std::string type_code)
    : Error(ErrorCode::kInvalidInput, what, hint), param_(std::move(param)), type_code_(std::move(type_code)) {}

OrderedJson parse_body(const HttpRequest& request) {
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw RequestError({}, "request: the body is empty", "send a JSON object");
  }
  OrderedJson body;
  try {
    body = parse_ordered_json(request.body, "request");
  } catch (const Error& error) {
    throw RequestError({}, error.what());
  }
  if (!body.is_object()) refuse_type({}, "a JSON object", body);
  return body;
}

std::string_view json_type_name(const OrderedJson& value) {
  using Type = nlohmann::json::value_t;
  switch (value.type()) {
    case Type::null: return "null";
    case Type::object: return "an object";
    case Type::array: return "an array";
    case Type::string: return "a string";
    case Type::boolean: return "a boolean";
    default: return "a number";
  }
}

RequestFields::RequestFields(const OrderedJson& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) refuse_type(path_, "an object", object_);
}

std::string RequestFields::path(std::string_view name) const { return joined(path_, name); }

const OrderedJson* RequestFields::find(std::string_view name) const {
  for (const auto& [key, value] : object_.items()) {
    if (key == name) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

const OrderedJson& RequestFields::required(std::string_view name) const {
  const OrderedJson* value = find(name);
  if (!value) refuse(name, "is required");
  return *value;
}

std::optional<std::string> RequestFields::optional_text(std::string_view name) const {
  const OrderedJson* value = find(name);
  if (!value) return std::nullopt;
  return read_text(*value, path(name));
}

std::string RequestFields::text(std::string_view name, std::string_view fallback) const {
  return optional_text(name).value_or(std::string(fallback));
}

std::string RequestFields::required_text(std::string_view name) const { return read_text(required(name), path(name)); }

std::optional<bool> RequestFields::optional_boolean(std::string_view name) const {
  const OrderedJson* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse_type(path(name), "true or false", *value);
  return value->get<bool>();
}

bool RequestFields::boolean(std::string_view name, bool fallback) const { return optional_boolean(name).value_or(fallback); }

std::optional<int64_t> RequestFields::optional_integer(std::string_view name, int64_t lo, int64_t hi) const {
  const OrderedJson* value = find(name);
  if (!value) return std::nullopt;
  return read_integer(*value, path(name), lo, hi);
}

int64_t RequestFields::integer(std::string_view name, int64_t fallback, int64_t lo, int64_t hi) const {
  return optional_integer(name, lo, hi).value_or(fallback);
}

std::optional<double> RequestFields::optional_number(std::string_view name, double lo, double hi) const {
  const OrderedJson* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number()) refuse_type(path(name), "a number", *value);
  const double number = value->get<double>();
  if (!(number >= lo && number <= hi)) refuse(name, fmt::format("must be a number from {} to {}", lo, hi));
  return number;
}

double RequestFields::number(std::string_view name, double fallback, double lo, double hi) const {
  return optional_number(name, lo, hi).value_or(fallback);
}

std::string RequestFields::choice(std::string_view name, std::string_view fallback, std::initializer_list<std::string_view> words) const {
  const auto value = optional_text(name);
  if (!value) return std::string(fallback);
  if (std::find(words.begin(), words.end(), *value) == words.end()) refuse(name, fmt::format("must be one of: {}", fmt::join(words, ", ")));
  return *value;
}

RequestFields RequestFields::object(std::string_view name) const {
  static const OrderedJson kEmpty = OrderedJson::object();
  const OrderedJson* value = find(name);
  return RequestFields(value ? *value : kEmpty, path(name));
}

const OrderedJson& RequestFields::array(std::string_view name, std::size_t max_items) const {
  static const OrderedJson kEmpty = OrderedJson::array();
  const OrderedJson* value = find(name);
  if (!value) return kEmpty;
  if (!value->is_array()) refuse_type(path(name), "an array", *value);
  if (value->size() > max_items) refuse(name, fmt::format("has {} items, allowed: {}", value->size(), max_items));
  return *value;
}

std::vector<std::string> RequestFields::texts(std::string_view name, std::size_t max_items) const {
  const OrderedJson* value = find(name);
  if (!value) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array()) refuse_type(path(name), "a string or an array of strings", *value);
  std::vector<std::string> texts;
  for (const OrderedJson& item : array(name, max_items)) texts.push_back(read_text(item, element_path(path(name), texts.size())));
  return texts;
}

std::vector<TokenId> RequestFields::token_ids(std::string_view name, std::size_t max_items) const {
  const OrderedJson* value = find(name);
  if (!value) return {};
  return read_token_ids(*value, path(name), max_items);
}

void RequestFields::refuse(std::string_view name, std::string_view what, const std::string& hint) const {
  refuse_at(path(name), what, hint);
}

std::string unused_options_text(const std::vector<std::string>& names) {
  constexpr std::size_t kMaxNames = 32, kMaxLength = 64;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMaxNames); ++i) {
    if (!text.empty()) text += ", ";
    for (const char c : names[i].substr(0, kMaxLength)) {
      const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
      text += is_plain ? c : '?';
    }
  }
  return text;
}

std::string element_path(std::string_view path, std::size_t index) { return fmt::format("{}[{}]", path, index); }

std::size_t page_limit(const HttpRequest& request, std::size_t fallback, std::size_t max) {
  const std::string_view text = request.query_value("limit");
  if (text.empty()) return fallback;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > max) {
    refuse_at("limit", fmt::format("must be a whole number from 1 to {}", max));
  }
  return limit;
}

std::vector<TokenId> read_token_ids(const OrderedJson& value, const std::string& path, std::size_t max_items) {
  if (!value.is_array()) refuse_type(path, "an array of token ids", value);
  if (value.size() > max_items) refuse_at(path, fmt::format("has {} items, allowed: {}", value.size(), max_items));
  std::vector<TokenId> ids;
  ids.reserve(value.size());
  for (const OrderedJson& item : value) {
    ids.push_back(static_cast<TokenId>(read_integer(item, element_path(path, ids.size()), 0, std::numeric_limits<TokenId>::max())));
  }
  return ids;
}

}  // namespace minnow
