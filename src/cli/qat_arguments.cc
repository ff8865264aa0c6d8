#include "cli/qat_arguments.h"

#include <filesystem>

#include "base/error.h"

namespace minnow {

void QatArguments::declare(CLI::App& c) {
  c.add_option("--qat", recipe, "train for a quantized file: a recipe of 'minnow quantize', or ternary (BitNet b1.58)");
  types.declare(c);
  c.add_flag("--round-inputs", rounds_inputs, "with --qat: products see their inputs in 8 bits, as they run on a CPU; ternary does it always");
}

FakeQuantOptions QatArguments::options() const {
  FakeQuantOptions made = fake_quant_options(recipe);
  types.apply(made.types);
  made.rounds_inputs |= rounds_inputs;
  return made;
}

void QatArguments::check(const std::string& output, const std::string& type) const {
  if (!given()) {
    if (types.given() || rounds_inputs) fail(ErrorCode::kUsage, "--tensor-type and its like say what --qat trains for; give --qat RECIPE");
    return;
  }
  if (!type.empty()) fail(ErrorCode::kUsage, "--type {}: the types of the file are those of --qat {}", type, recipe);
  if (std::filesystem::path(output).extension() != ".gguf") {
    fail(ErrorCode::kUsage, "--qat writes a GGUF file; name the --output NAME.gguf, not {}", output);
  }
  options();  // a recipe and types that there are
}

void QatArguments::add_to(Lesson& lesson, const Model& model) const {
  const FakeQuantOptions made = options();
  warn_of_types(quantize_report(model, made.types));
  add_fake_quant(lesson, model, made);
}

void QatArguments::save(const Model& model, const std::string& output, int n_threads) const {
  quantize(model, output, options().types, n_threads);
}

}  // namespace minnow
