// Quantization-aware training: forward passes use the weights as they will come out of the file that quantize() writes, and
// gradients change the weights behind them (straight-through: Bengio et al. 2013, Jacob et al. 2018).
#pragma once

#include "compress/plan.h"
#include "models/model.h"
#include "train/lesson.h"

namespace minnow {

struct FakeQuantOptions {
  QuantizeOptions types;  // what quantize() will be given; without importance weights
  // Products with quantized weights see their inputs in 8 bits, in the blocks that inference computes with.
  bool rounds_inputs = false;
};

// A recipe by its name; "ternary" is BitNet b1.58 (Ma et al. 2024): I2_S, whose weights are -1, 0 or 1 times the mean size of
// a matrix's weights, with rounded inputs. Throws kUsage for names that are not known.
FakeQuantOptions fake_quant_options(const std::string& name);

// Adds it to what the lesson does: its graph (after its own `adapt`), its `weights_changed` and its settings. Weights must be f32
// (own_weights); `model`, or at least the memory of its weights, must outlive the lesson. The rounded weights take as much memory
// again. Throws kUsage when the recipe leaves every weight as it is, and what plan_quantization throws.
void add_fake_quant(Lesson& lesson, const Model& model, const FakeQuantOptions& options);

}  // namespace minnow
