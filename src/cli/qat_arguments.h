// Training for a quantized file, as the commands offer it that train every weight.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/quantize_types.h"
#include "train/fake_quant.h"

namespace minnow {

struct QatArguments {
  std::string recipe;
  QuantizeTypes types;
  bool rounds_inputs = false;

  void declare(CLI::App& command);  // --qat, --round-inputs, and those of QuantizeTypes
  bool given() const { return !recipe.empty(); }
  // `type`: what was asked of the file's matrices otherwise. Throws kUsage for what does not go together.
  void check(const std::string& output, const std::string& type) const;
  void add_to(Lesson& lesson, const Model& model) const;
  // The file that was trained for.
  void save(const Model& model, const std::string& output, int n_threads) const;

 private:
  FakeQuantOptions options() const;
};

}  // namespace minnow
