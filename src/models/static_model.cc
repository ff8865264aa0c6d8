#include "models/static_model.h"

#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "formats/safetensors.h"
#include "models/family.h"
#include "tensor/codec.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

constexpr const char* kOwnConfig = "config.json";
constexpr const char* kSentenceConfig = "config_sentence_transformers.json";

Json read_config(const fs::path& path) {
  Json json = parse_json(read_text_file(path, limits::kMaxJsonFileBytes), path.string());
  if (!json.is_object()) fail(ErrorCode::kInvalidInput, "{}: not a JSON object", path.string());
  return json;
}

const Tensor* find(const Safetensors& file, std::initializer_list<std::string_view> names) {
  for (const NamedTensor& t : file.tensors()) {
    for (const std::string_view name : names) {
      if (t.name == name) return &t.tensor;
    }
  }
  return nullptr;
}

template <typename T>
std::vector<T> values_of(const Tensor& t) {
  std::vector<T> values(static_cast<std::size_t>(t.shape.elements()));
  std::memcpy(values.data(), t.data, t.bytes());
  return values;
}

// F32, F16, BF16, I8 or F64.
std::vector<float> floats_of(const std::string& source, const Tensor& t) {
  const auto narrowed = [](const auto& values) { return std::vector<float>(values.begin(), values.end()); };
  if (t.dtype == DType::kI8) return narrowed(values_of<int8_t>(t));
  if (t.dtype == DType::kF64) return narrowed(values_of<double>(t));
  if (!info(t.dtype).is_weight) fail(ErrorCode::kUnsupported, "{}: embeddings of type {}", source, name(t.dtype));
  return to_f32(t);
}

std::vector<int64_t> integers_of(const std::string& source, const Tensor& t) {
  const auto widened = [](const auto& values) { return std::vector<int64_t>(values.begin(), values.end()); };
  if (t.dtype == DType::kI32) return widened(values_of<int32_t>(t));
  if (t.dtype == DType::kI64) return values_of<int64_t>(t);
  fail(ErrorCode::kUnsupported, "{}: a mapping of type {}", source, name(t.dtype));
}

// The vector of every token.
Tensor token_table(const std::string& source, const Safetensors& file) {
  const Tensor* table = find(file, {"embeddings", "embedding.weight", "0"});
  if (table == nullptr || table->shape.rank() != 2) {
    fail(ErrorCode::kInvalidInput, "{}: there must be a tensor \"embeddings\" or \"embedding.weight\" of two dimensions", source);
  }
  const Tensor* mapping = find(file, {"mapping"});
  const Tensor* weights = find(file, {"weights"});
  const std::vector<float> rows = floats_of(source, *table);
  const int64_t n_rows = table->shape[0], width = table->shape[1];
  std::vector<int64_t> row_of = mapping != nullptr ? integers_of(source, *mapping) : std::vector<int64_t>{};
  if (mapping == nullptr) {
    for (int64_t i = 0; i < n_rows; ++i) row_of.push_back(i);
  }
  const std::vector<float> factor = weights != nullptr ? floats_of(source, *weights) : std::vector<float>(row_of.size(), 1.0f);
  if (factor.size() != row_of.size()) {
    fail(ErrorCode::kInvalidInput, "{}: \"weights\" has {} values for {} tokens", source, factor.size(), row_of.size());
  }
  if (row_of.size() * static_cast<uint64_t>(width) > limits::kMaxStaticValues) {
    fail(ErrorCode::kLimit, "{}: vectors of {} values for {} tokens are too many", source, width, row_of.size());
  }
  std::vector<float> out;
  out.reserve(row_of.size() * static_cast<std::size_t>(width));
  for (std::size_t token = 0; token < row_of.size(); ++token) {
    if (row_of[token] < 0 || row_of[token] >= n_rows) {
      fail(ErrorCode::kInvalidInput, "{}: \"mapping\" sends token {} to row {} of {}", source, token, row_of[token], n_rows);
    }
    for (int64_t i = 0; i < width; ++i) out.push_back(factor[token] * rows[static_cast<std::size_t>(row_of[token] * width + i)]);
  }
  return Tensor::from_f32(out, {static_cast<int64_t>(row_of.size()), width});
}

}  // namespace

bool is_static_model(const fs::path& folder) {
  if (!fs::exists(folder / kOwnConfig)) return fs::exists(folder / kSentenceConfig);
  const Json json = read_config(folder / kOwnConfig);
  return JsonFields{json, (folder / kOwnConfig).string()}.text("model_type", "") == kStatic.hf_model_type;
}

void load_static_model(Model& model, const fs::path& folder) {
  const fs::path path = folder / (fs::exists(folder / kOwnConfig) ? kOwnConfig : kSentenceConfig);
  const Json json = read_config(path);
  const Safetensors file = Safetensors::open(model.path);
  const Tensor table = token_table(model.path.string(), file);
  model.weights.set("token_embd.weight", table);
  ModelConfig& c = model.config;
  c.family = &kStatic;
  c.n_embd = table.shape[1];
  c.n_vocab = table.shape[0];
  c.n_ctx_train = 512;  // what the library cuts texts to
  c.pooling = Pooling::kMean;
  c.normalized_embeddings = JsonFields{json, path.string()}.boolean("normalize", true);
  model.file_bytes = file.file_bytes();
}

}  // namespace minnow
