// GGUF adapters as llama.cpp has them: "<weight>.lora_a" and ".lora_b", scale alpha / rank.
#include <cmath>

#include "base/error.h"
#include "formats/gguf.h"
#include "models/adapter_files.h"
#include "models/family.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

constexpr const char* kAlpha = "adapter.lora.alpha";

void check_metadata(const GgufMetadata& m, const Model& base, const std::string& source) {
  if (m.text("general.type", "model") != "adapter") {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}: general.type is not \"adapter\"", source), "is it a model?");
  }
  const std::string kind = m.text("adapter.type", "lora");
  if (kind != "lora") fail(ErrorCode::kUnsupported, "{}: an adapter of type \"{}\"; only LoRA is supported", source, kind);
  const std::string family = m.require_text("general.architecture");
  const auto own = base.config.family->gguf_name;
  if (family != own) fail(ErrorCode::kInvalidInput, "{}: an adapter of a {} model, but this one is {}", source, family, own);
  if (m.has("adapter.alora.invocation_tokens")) fail(ErrorCode::kUnsupported, "{}: adapters that wait for a word (aLoRA) are not supported", source);
}

Adapter adapter_of(const GgufFile& file, const Model& base, const std::string& source) {
  check_metadata(file.metadata(), base, source);
  const double alpha = file.metadata().number(kAlpha, 0);
  Adapter adapter;
  for (const NamedTensor& t : file.tensors()) {
    if (t.name.ends_with(".lora_b")) {
      const std::string a = t.name.substr(0, t.name.size() - 1) + "a";
      if (file.find(a) == nullptr) fail(ErrorCode::kInvalidInput, "{}: {} is there, but not {}", source, t.name, a);
      continue;
    }
    if (!t.name.ends_with(".lora_a")) fail(ErrorCode::kUnsupported, "{}: {} is neither a lora_a nor a lora_b", source, t.name);
    const std::string weight = t.name.substr(0, t.name.size() - 7);
    const Tensor* b = file.find(weight + ".lora_b");
    if (b == nullptr) fail(ErrorCode::kInvalidInput, "{}: {} is there, but not {}.lora_b", source, t.name, weight);
    for (const Tensor* part : {&t.tensor, b}) {
      if (!info(part->dtype).is_weight || part->shape.rank() != 2) fail(ErrorCode::kInvalidInput, "{}: {} is no matrix of numbers", source, t.name);
    }
    AdapterMatrix m{weight, Tensor::from_f32(to_f32(t.tensor), t.tensor.shape), Tensor::from_f32(to_f32(*b), b->shape)};
    m.alpha = alpha == 0 ? static_cast<double>(m.rank()) : alpha;
    adapter.matrices.push_back(std::move(m));
  }
  finish_adapter(adapter, base, source);
  for (AdapterMatrix& m : adapter.matrices) m.b = adapter_rows_from_gguf(base, m.name, m.b);
  return adapter;
}

}  // namespace

Adapter load_gguf_adapter(const std::filesystem::path& path, const Model& base) {
  return adapter_of(GgufFile::open(path), base, path.string());
}

Adapter parse_gguf_adapter(std::span<const std::byte> bytes, const Model& base, const std::string& name) {
  return adapter_of(GgufFile::parse(bytes, name), base, name);
}

void save_gguf_adapter(const Adapter& adapter, const Model& base, const std::filesystem::path& path) {
  if (adapter.has_magnitudes()) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: GGUF has no adapters with magnitudes (DoRA)", path.string()),
                "write a folder, or merge it into the model");
  }
  // One alpha for all: what a matrix would need beside it goes into its B. With one rank and one alpha nothing does.
  const AdapterMatrix& first = adapter.matrices.front();
  const auto alpha = static_cast<float>(adapter.rank_stabilized ? first.alpha * std::sqrt(static_cast<double>(first.rank())) : first.alpha);
  GgufMetadata metadata(path.string());
  metadata.set("general.type", std::string("adapter"));
  metadata.set("general.architecture", std::string(base.config.family->gguf_name));
  metadata.set("adapter.type", std::string("lora"));
  metadata.set(kAlpha, alpha);
  GgufWriter writer(std::move(metadata));
  for (const AdapterMatrix& m : adapter.matrices) {
    const double own = adapter.rank_stabilized ? m.alpha * std::sqrt(static_cast<double>(m.rank())) : m.alpha;
    Tensor b = adapter_rows_to_gguf(base, m.name, m.b);
    if (const double ratio = own / static_cast<double>(alpha); static_cast<float>(own) != alpha) {
      std::vector<float> values = to_f32(b);
      for (float& v : values) v = static_cast<float>(v * ratio);
      b = Tensor::from_f32(values, b.shape);
    }
    writer.add(m.name + ".lora_a", m.a);
    writer.add(m.name + ".lora_b", b);
  }
  writer.write(path);
}

}  // namespace minnow
