#include "cli/quantize_types.h"

#include <fmt/core.h>

#include "base/error.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

DType parse_type(const std::string& text) {
  const auto dtype = dtype_from_name(text);
  const auto can_be_written = [](DType type) { return can_encode(type) && is_in_gguf(type); };
  if (!dtype || !can_be_written(*dtype)) {
    std::string names;
    for (int i = 0; i < kNumDTypes; ++i) {
      const auto known = static_cast<DType>(i);
      if (can_be_written(known)) names += fmt::format("{}{}", names.empty() ? "" : ", ", name(known));
    }
    fail(ErrorCode::kUsage, "{}: not a type that weights can be written in; choose one of {}", text, names);
  }
  return *dtype;
}

}  // namespace

void QuantizeTypes::declare(CLI::App& c) {
  c.add_option("--output-tensor-type", output_type, "type of the output projection (and of a tied embedding)");
  c.add_option("--token-embedding-type", embedding_type, "type of the token embedding");
  c.add_option("--tensor-type", tensor_types,
               "PATTERN=TYPE for tensors whose name the regular expression finds; repeatable, the first counts")
      ->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  c.add_flag("--pure", pure, "the recipe's main type for every matrix");
}

void QuantizeTypes::apply(QuantizeOptions& options) const {
  options.pure = pure;
  if (!output_type.empty()) options.output_type = parse_type(output_type);
  if (!embedding_type.empty()) options.embedding_type = parse_type(embedding_type);
  for (const std::string& text : tensor_types) {
    const std::size_t at = text.rfind('=');
    if (at == std::string::npos || at == 0) fail(ErrorCode::kUsage, "--tensor-type {}: give PATTERN=TYPE", text);
    options.overrides.emplace_back(NamePattern(text.substr(0, at)), parse_type(text.substr(at + 1)));
  }
}

void warn_of_types(const QuantizeReport& report) {
  if (report.n_fallback > 0) {
    fmt::print(stderr,
               "warning: the rows of {} tensors are not whole blocks of their type, they got another; 'minnow quantize --dry-run' shows which\n",
               report.n_fallback);
  }
  if (report.n_requantized > 0) {
    fmt::print(stderr,
               "warning: {} of the tensors were quantized already and errors add up; start from F16, BF16 or F32 if you can\n",
               report.n_requantized);
  }
}

}  // namespace minnow
