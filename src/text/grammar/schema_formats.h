// JSON schema's "format" as regular expressions: what is generated is valid, though not all that is valid is generated.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minnow::grammar {

// nullopt for formats that are not known.
std::optional<std::string> format_pattern(std::string_view name);
std::vector<std::string_view> format_names();

}  // namespace minnow::grammar
