#include "compress/quantize.h"

#include <map>

namespace minnow {

QuantizeReport quantize_report(const Model& model, const QuantizeOptions& options) {
  QuantizeReport report;
  report.tensors = plan_quantization(model.weights.all(), model.config, options);
  for (const PlannedTensor& t : report.tensors) {
    report.bytes_before += t.bytes_before();
    report.bytes_after += t.bytes_after();
    report.n_fallback += t.fell_back();
    report.n_requantized += t.from != t.to && is_quantized(t.from);
  }
  report.bits_per_weight = 8.0 * static_cast<double>(report.bytes_after) / static_cast<double>(model.n_parameters());
  return report;
}

QuantizeReport quantize(const Model& model, const std::filesystem::path& path, const QuantizeOptions& options, int n_threads,
                        const SaveProgress& progress) {
  QuantizeReport report = quantize_report(model, options);
  std::map<std::string, DType> types;
  for (const PlannedTensor& t : report.tensors) types[t.name] = t.to;
  SaveGgufOptions save;
  save.choose = [&](const NamedTensor& t) { return types.at(t.name); };
  save.file_type = options.recipe->file_type;
  save.importance = options.importance;
  save.metadata = options.metadata;
  save.n_threads = n_threads;
  save.progress = progress;
  save_gguf(model, path, save);
  return report;
}

}  // namespace minnow
