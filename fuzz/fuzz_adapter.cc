// Adapters from strangers, for a small model: a GGUF file, or adapter_config.json, a zero byte and adapter_model.safetensors.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "base/error.h"
#include "models/adapter_files.h"
#include "models/family.h"
#include "models/random_model.h"

namespace {

const minnow::Model& base() {
  static const minnow::Model model = minnow::random_model({.family = &minnow::kLlama, .n_layers = 1, .n_embd = 8, .n_ff = 8, .n_heads = 2,
                                                           .n_kv_heads = 1, .head_dim = 4}, 1);
  return model;
}

minnow::Adapter parsed(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("GGUF")) return minnow::parse_gguf_adapter(bytes, base(), "fuzz");
  const std::size_t end = std::min(text.find('\0'), text.size());
  return minnow::parse_peft_adapter(std::string(text.substr(0, end)), bytes.subspan(std::min(end + 1, bytes.size())), base(), "fuzz");
}

}  // namespace

// What was accepted fits the model: its graph can be made, and every number is finite.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  try {
    const minnow::Adapter adapter = parsed(std::as_bytes(std::span(data, size)));
    if (adapter.matrices.empty()) std::abort();
    try {
      minnow::with_adapter(minnow::build_graph(base(), 8), base(), adapter, minnow::AdapterUse::kAnswer);
    } catch (const minnow::Error& e) {
      if (e.code() != minnow::ErrorCode::kUnsupported) std::abort();  // a matrix that is not multiplied
    }
    for (const auto& m : adapter.matrices) {
      for (int64_t i = 0; i < m.b.shape.elements(); ++i) {
        if (!(m.b.f32()[i] == m.b.f32()[i])) std::abort();
      }
    }
  } catch (const minnow::Error&) {
  }
  return 0;
}
