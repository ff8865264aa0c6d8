#include "models/adapter_files.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "models/family.h"
#include "models/hf_layout.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

Tensor reordered(const Tensor& t, const std::vector<int64_t>& order) {
  if (order.empty()) return t;
  const int64_t width = t.shape.rank() == 1 ? 1 : t.shape.last();
  std::byte* data = nullptr;
  const Tensor out = Tensor::allocate(DType::kF32, t.shape, &data);
  for (std::size_t r = 0; r < order.size(); ++r) {
    std::memcpy(data + r * static_cast<std::size_t>(width) * sizeof(float), t.f32() + order[r] * width, static_cast<std::size_t>(width) * sizeof(float));
  }
  return out;
}

std::vector<int64_t> order_between(const Model& base, const std::string& weight, int64_t n_rows, RopeLayout from, RopeLayout to) {
  if (from == to) return {};
  return rope_row_order(base.config, weight, n_rows, to);
}

// How rows that belong to heads lie in a checkpoint; columns, which Conv1D has first, are none of B's business.
bool has_heads_of_its_own_order(const Model& base, const std::string& weight) {
  return hf_layout(*base.config.family, weight) == HfLayout::kHeadsInterleaved;
}

}  // namespace

Tensor adapter_rows_from_hf(const Model& base, const std::string& weight, const Tensor& t) {
  const Tensor rows = has_heads_of_its_own_order(base, weight) ? from_hf_layout(base.config, weight, t) : t;
  return reordered(rows, order_between(base, weight, t.shape[0], RopeLayout::kHalves, base.config.rope.layout));
}

Tensor adapter_rows_to_hf(const Model& base, const std::string& weight, const Tensor& t) {
  const Tensor rows = reordered(t, order_between(base, weight, t.shape[0], base.config.rope.layout, RopeLayout::kHalves));
  return has_heads_of_its_own_order(base, weight) ? to_hf_layout(base.config, weight, rows) : rows;
}

Tensor adapter_rows_from_gguf(const Model& base, const std::string& weight, const Tensor& t) {
  return reordered(t, order_between(base, weight, t.shape[0], base.config.family->gguf_rope_layout, base.config.rope.layout));
}

Tensor adapter_rows_to_gguf(const Model& base, const std::string& weight, const Tensor& t) {
  return reordered(t, order_between(base, weight, t.shape[0], base.config.rope.layout, base.config.family->gguf_rope_layout));
}

void finish_adapter(Adapter& adapter, const Model& base, const std::string& source) {
  std::map<std::string, std::size_t> places;
  for (const NamedTensor& t : base.weights.all()) places.emplace(t.name, places.size());
  const auto place = [&](const AdapterMatrix& m) {
    const auto at = places.find(m.name);
    return at == places.end() ? places.size() : at->second;
  };
  std::stable_sort(adapter.matrices.begin(), adapter.matrices.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  for (std::size_t i = 1; i < adapter.matrices.size(); ++i) {
    if (adapter.matrices[i].name == adapter.matrices[i - 1].name) {
      fail(ErrorCode::kInvalidInput, "{}: there are two adapters of {}", source, adapter.matrices[i].name);
    }
  }
  check_adapter(adapter, base, source);
}

Adapter load_adapter(const fs::path& path, const Model& base) {
  if (!fs::exists(path)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file or folder", path.string()),
                "give a folder with adapter_config.json, or a GGUF adapter");
  }
  if (fs::is_directory(path)) return load_peft_adapter(path, base);
  if (path.filename() == "adapter_model.safetensors") return load_peft_adapter(path.parent_path().empty() ? "." : path.parent_path(), base);
  if (path.extension() == ".gguf" || looks_like_gguf(path)) return load_gguf_adapter(path, base);
  throw Error(ErrorCode::kInvalidInput, fmt::format("{}: not an adapter that minnow knows", path.string()),
              "give a folder with adapter_config.json and adapter_model.safetensors, or a GGUF adapter");
}

void save_adapter(const Adapter& adapter, const Model& base, const fs::path& path) {
  if (path.extension() == ".gguf") return save_gguf_adapter(adapter, base, path);
  save_peft_adapter(adapter, base, path);
}

}  // namespace minnow
