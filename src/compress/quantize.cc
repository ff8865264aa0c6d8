#include "compress/quantize.h"

#include "base/error.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

bool is_matrix(const NamedTensor& t) {
  return t.tensor.shape.rank() >= 2 && t.name.ends_with("weight") && info(t.tensor.dtype).is_weight;
}

bool is_output(const Model& model, const std::string& name) {
  return name == "output.weight" || (name == "token_embd.weight" && model.weights.find("output.weight") == nullptr);
}

}  // namespace

DType recipe_dtype(const Model& model, DType target, const NamedTensor& t) {
  if (!is_matrix(t)) return t.tensor.dtype;
  DType dtype = target;
  if (target == DType::kQ4_0 && is_output(model, t.name)) dtype = DType::kQ8_0;
  if (t.tensor.shape.last() % info(dtype).block_size != 0) dtype = DType::kF16;
  return dtype;
}

QuantizeReport quantize(const Model& model, const std::filesystem::path& path, DType target, const SaveProgress& progress) {
  if (!can_encode(target)) fail(ErrorCode::kUnsupported, "quantizing to {} is not supported; choose Q8_0, Q4_0, F16, BF16 or F32", name(target));
  const auto choose = [&](const NamedTensor& t) { return recipe_dtype(model, target, t); };
  QuantizeReport report;
  for (const NamedTensor& t : model.weights.all()) {
    report.bytes_before += t.tensor.bytes();
    const bool matrix = is_matrix(t);
    report.n_kept += !matrix;
    report.n_quantized += matrix;
    report.n_fallback += matrix && choose(t) == DType::kF16 && target != DType::kF16;
  }
  report.bytes_after = saved_bytes(model, choose);
  report.bits_per_weight = 8.0 * static_cast<double>(report.bytes_after) / static_cast<double>(model.n_parameters());
  save_gguf(model, path, choose, progress);
  return report;
}

}  // namespace minnow
