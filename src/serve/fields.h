// Typed, bounded reads of the JSON body of a request. Missing and null are the same; what is there must have its type and range,
// else RequestError names the field. Unknown fields are nobody's business.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "serve/http_types.h"
#include "text/tokenizer.h"

namespace minnow {

// What a request asks for cannot be given as it is asked: status 400.
class RequestError : public Error {
 public:
  // `param` is the path of the field, such as "messages[0].role", or empty; `type_code` is what OpenAI's error documents call `code`.
  RequestError(std::string param, const std::string& what, const std::string& hint = {}, std::string type_code = {});

  const std::string& param() const noexcept { return param_; }
  const std::string& type_code() const noexcept { return type_code_; }

 private:
  std::string param_, type_code_;
};

// The body, which must be an object. Throws RequestError for anything else, an empty body included.
OrderedJson parse_body(const HttpRequest& request);

// "a string", "an array" and so on, for messages: values themselves are never repeated, they may be private.
std::string_view json_type_name(const OrderedJson& value);

// An object within a request. Holds a reference to it.
class RequestFields {
 public:
  // `path` is how errors name the object: empty for the body itself. Throws when it is not an object.
  explicit RequestFields(const OrderedJson& object, std::string path = {});
  explicit RequestFields(OrderedJson&&, std::string = {}) = delete;

  const OrderedJson& json() const { return object_; }
  // Of a field ("messages[0].role"); without a name, of this object.
  std::string path(std::string_view name = {}) const;

  bool has(std::string_view name) const { return find(name) != nullptr; }
  const OrderedJson* find(std::string_view name) const;      // nullptr: missing or null
  const OrderedJson& required(std::string_view name) const;  // throws when missing or null

  std::string text(std::string_view name, std::string_view fallback = {}) const;
  std::string required_text(std::string_view name) const;
  std::optional<std::string> optional_text(std::string_view name) const;
  bool boolean(std::string_view name, bool fallback) const;
  std::optional<bool> optional_boolean(std::string_view name) const;
  // Whole numbers; 3.0 is one.
  int64_t integer(std::string_view name, int64_t fallback, int64_t lo, int64_t hi) const;
  std::optional<int64_t> optional_integer(std::string_view name, int64_t lo, int64_t hi) const;
  double number(std::string_view name, double fallback, double lo, double hi) const;
  std::optional<double> optional_number(std::string_view name, double lo, double hi) const;
  // One of some words.
  std::string choice(std::string_view name, std::string_view fallback, std::initializer_list<std::string_view> words) const;

  // A missing one is empty.
  RequestFields object(std::string_view name) const;
  const OrderedJson& array(std::string_view name, std::size_t max_items) const;
  // A string or an array of strings.
  std::vector<std::string> texts(std::string_view name, std::size_t max_items) const;
  std::vector<TokenId> token_ids(std::string_view name, std::size_t max_items) const;

  // "<path of the field>: <what>".
  [[noreturn]] void refuse(std::string_view name, std::string_view what, const std::string& hint = {}) const;

 private:
  const OrderedJson& object_;
  std::string path_;
};

// "messages" and 2: "messages[2]".
std::string element_path(std::string_view path, std::size_t index);
// How many items a page of a list has: the query's "limit", from 1 to `max`.
std::size_t page_limit(const HttpRequest& request, std::size_t fallback, std::size_t max);
// An array of token ids: whole numbers from 0 to 2^31 - 1. Whether the vocabulary has them is the engine's to say.
std::vector<TokenId> read_token_ids(const OrderedJson& value, const std::string& path, std::size_t max_items);

// What a request gave without an effect on its answer is named in this header of the response.
inline constexpr std::string_view kUnusedOptionsHeader = "minnow-unused-options";
// Its value; empty when there is nothing to say.
std::string unused_options_text(const std::vector<std::string>& names);

}  // namespace minnow
