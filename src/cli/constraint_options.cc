#include "cli/constraint_options.h"

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

namespace minnow {

void ConstraintArguments::declare(CLI::App& c) {
  const char* group = "Format of the answer";
  c.add_option("--format", format, "\"json\" for an object, or a JSON schema: a file, or the schema itself")->group(group);
  c.add_option("--grammar", grammar_file, "file with a grammar in GBNF, as llama.cpp has it")->group(group);
  c.add_option("--regex", regex, "regular expression for the whole answer")->group(group);
  c.add_option("--choice", choices, "one of these texts; give it again for each")->group(group);
  c.add_flag("--compact", compact, "with --format, no white space between the parts of the JSON")->group(group);
}

ConstraintSpec ConstraintArguments::resolve() const {
  using Kind = ConstraintSpec::Kind;
  if (int{!format.empty()} + int{!grammar_file.empty()} + int{!regex.empty()} + int{!choices.empty()} > 1) {
    fail(ErrorCode::kUsage, "only one of --format, --grammar, --regex and --choice can be given");
  }
  if (compact && format.empty()) fail(ErrorCode::kUsage, "--compact goes with --format");
  if (!grammar_file.empty()) return {.kind = Kind::kGrammar, .text = read_text_file(grammar_file, limits::kMaxGrammarBytes)};
  if (!regex.empty()) return {.kind = Kind::kRegex, .text = regex};
  if (!choices.empty()) return {.kind = Kind::kChoice, .choices = choices};
  if (format.empty()) return {};
  if (format == "json") return {.kind = Kind::kObject, .compact = compact};
  const bool is_schema = format.find_first_not_of(" \t\r\n") != std::string::npos && format[format.find_first_not_of(" \t\r\n")] == '{';
  return {.kind = Kind::kSchema, .text = is_schema ? format : read_text_file(format, limits::kMaxGrammarBytes), .compact = compact};
}

}  // namespace minnow
