// Which types a model's weights get: the arguments that commands share which write quantized models.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "compress/quantize.h"

namespace minnow {

struct QuantizeTypes {
  std::string output_type, embedding_type;
  std::vector<std::string> tensor_types;  // "PATTERN=TYPE"
  bool pure = false;

  void declare(CLI::App& command);  // --output-tensor-type, --token-embedding-type, --tensor-type, --pure
  bool given() const { return pure || !output_type.empty() || !embedding_type.empty() || !tensor_types.empty(); }
  // Changes options, which have a recipe, by what was given. Throws kUsage for types and patterns that are none.
  void apply(QuantizeOptions& options) const;
};

// Tells of tensors that did not get the type that was meant for them, or were quantized before.
void warn_of_types(const QuantizeReport& report);

}  // namespace minnow
