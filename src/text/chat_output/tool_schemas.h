// What the tools of a request say about their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace minnow::chat_output {

enum class ArgumentType : uint8_t { kUnknown, kString, kOther };

class ToolSchemas {
 public:
  // As in the OpenAI API; entries without "function" (name, parameters or input_schema) are taken too. What
  // is not understood is left out.
  explicit ToolSchemas(const OrderedJson& tools);

  bool empty() const { return tools_.empty(); }
  bool has(std::string_view tool) const { return find(tool) != nullptr; }
  ArgumentType type(std::string_view tool, std::string_view argument) const;
  // The name of the n-th argument, empty when unknown.
  std::string_view argument_name(std::string_view tool, std::size_t n) const;

 private:
  struct Argument {
    std::string name;
    ArgumentType type;
  };
  struct Tool {
    std::string name;
    std::vector<Argument> arguments;
  };
  const Tool* find(std::string_view tool) const;

  std::vector<Tool> tools_;
};

// An argument that is written as plain text, as JSON: text as it is for strings; otherwise JSON, else a
// Python literal, else a string all the same.
std::string argument_to_json(std::string_view text, ArgumentType type);

// A regular expression for all texts that become something else than a string where the type is unknown, and for some that do not.
inline constexpr std::string_view kMayBeNoString =
    R"(\s*(?:[\[({][\s\S]*|[+\-_]*[0-9_]*\.?[0-9_]*(?:[eE][+\-_]*[0-9_]*)?|null|true|false|None|True|False)\s*)";

// Whether all of the text is one JSON value.
bool is_json(std::string_view text);

// A JSON string; bytes that are not UTF-8 become U+FFFD.
std::string quoted_json(std::string_view text);

std::string_view trimmed(std::string_view text);

}  // namespace minnow::chat_output
