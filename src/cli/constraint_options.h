// What an answer is held to: --format, --grammar, --regex, --choice.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "text/grammar/constraint_spec.h"

namespace minnow {

struct ConstraintArguments {
  std::string format;  // "json", a file with a JSON schema, or the schema itself
  std::string grammar_file, regex;
  std::vector<std::string> choices;
  bool compact = false;

  void declare(CLI::App& command);
  bool given() const { return !format.empty() || !grammar_file.empty() || !regex.empty() || !choices.empty(); }
  // Throws kUsage when more than one is given, and what reading a file throws.
  ConstraintSpec resolve() const;
};

}  // namespace minnow
