#include "serve/model_summary.h"

#include <sodium.h>

#include <array>
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "compress/recipe.h"

namespace minnow {
namespace {

// llama.cpp's numbers of mixes that no recipe of ours makes.
struct MixName {
  uint64_t file_type;
  std::string_view name;
};
constexpr std::array<MixName, 11> kOtherMixes = {{
    {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"}, {24, "IQ1_S"},
    {26, "IQ3_S"},   {27, "IQ3_M"},  {28, "IQ2_S"},  {29, "IQ2_M"},  {31, "IQ1_M"},
}};

std::string quantization_of(const Model& model) {
  const DType most = model.main_dtype();
  if (model.format != ModelFormat::kGguf || !model.metadata.has("general.file_type")) return std::string(name(most));
  const uint64_t type = model.metadata.integer("general.file_type", 0, 0, UINT32_MAX);
  // Numbers mean what they say where the weights agree: forks give some of them to other types.
  for (const Recipe& recipe : recipes()) {
    if (recipe.file_type == type && recipe.base == most) return std::string(recipe.name);
  }
  for (const MixName& mix : kOtherMixes) {
    if (mix.file_type == type) return std::string(mix.name);
  }
  return std::string(name(most));
}

std::vector<std::string> capabilities_texts(const Model& model) {
  if (!model.config.makes_text()) return {"embedding"};
  const ResponderCapabilities can = capabilities_of(model);
  std::vector<std::string> texts = {"completion"};
  if (can.tools) texts.emplace_back("tools");
  if (can.insert) texts.emplace_back("insert");
  if (can.thinking) texts.emplace_back("thinking");
  if (model.config.pooling != Pooling::kNone) texts.emplace_back("embedding");
  return texts;
}

// There is no manifest whose digest this could be, and hashing the weights would take minutes.
std::string digest_of(const ModelEntry& entry) {
  const std::string text = fmt::format("{}\n{}\n{}", entry.name, entry.bytes, entry.modified_unix);
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::string hex;
  for (const unsigned char byte : hash) hex += fmt::format("{:02x}", byte);
  return hex;
}

std::string decimals(double number, int n, char unit) {
  return number == std::floor(number) ? fmt::format("{:.0f}{}", number, unit) : fmt::format("{:.{}f}{}", number, n, unit);
}

}  // namespace

ModelSummary summarize(const ModelEntry& entry, const Model& model) {
  ModelSummary s;
  s.format = model.format == ModelFormat::kGguf ? "gguf" : model.format == ModelFormat::kSafetensors ? "safetensors" : "llama2c";
  s.family = std::string(model.config.family->gguf_name);
  s.quantization = quantization_of(model);
  s.n_parameters = model.n_parameters();
  s.n_ctx_train = model.config.n_ctx_train;
  s.n_embd = model.config.n_embd;
  s.capabilities = capabilities_texts(model);
  s.digest = digest_of(entry);
  return s;
}

std::shared_ptr<const ModelSummary> ModelSummaries::of(const ModelEntry& entry) {
  const std::string path = entry.path.string();
  {
    const std::scoped_lock lock(mutex_);
    const auto kept = kept_.find(path);
    if (kept != kept_.end() && kept->second.bytes == entry.bytes && kept->second.modified_unix == entry.modified_unix) {
      return kept->second.summary;
    }
  }
  auto summary = std::make_shared<ModelSummary>();
  try {
    *summary = summarize(entry, load_model(entry.path));
  } catch (const Error&) {
    summary->digest = digest_of(entry);  // a broken file is still one of the list; whoever loads it is told
  }
  const std::scoped_lock lock(mutex_);
  if (kept_.size() >= limits::kMaxModelSummaries) kept_.clear();
  kept_.insert_or_assign(path, Kept{entry.bytes, entry.modified_unix, summary});
  return summary;
}

std::string short_count(int64_t count) {
  const auto number = static_cast<double>(count);
  if (number >= 1e9) return decimals(number / 1e9, 1, 'B');
  if (number >= 1e6) return decimals(number / 1e6, 2, 'M');
  if (number >= 1e3) return fmt::format("{:.0f}K", number / 1e3);
  return fmt::format("{}", count);
}

}  // namespace minnow
