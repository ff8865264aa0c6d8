// What another converter writes for five published models: our metadata has every key of theirs with its value, and our
// tensors have their names.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "base/limits.h"
#include "formats/safetensors.h"
#include "models/family.h"
#include "models/random_model.h"
#include "models/save.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

const fs::path kExpected = MINNOW_SOURCE_DIR "/../shared/data/conformance/gguf/ollama-convert";

struct Published {
  const char* name;
  const Family* family;
  const char* config;  // the facts of its config.json
  int pooling;         // 1_Pooling's, as GGUF counts
  bool tied;
};

const Published kPublished[] = {
    {"Mistral-7B-Instruct-v0.2", &kMistral,
     R"({"architectures": ["MistralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
         "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 32768, "rms_norm_eps": 1e-05,
         "rope_theta": 1000000.0, "sliding_window": null, "vocab_size": 32000, "hidden_act": "silu"})", 0, false},
    {"Phi-3-mini-128k-instruct", &kPhi3,
     R"({"architectures": ["Phi3ForCausalLM"], "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
         "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05,
         "original_max_position_embeddings": 4096, "rope_theta": 10000.0, "sliding_window": 262144, "vocab_size": 32064,
         "hidden_act": "silu", "rope_scaling": {"type": "longrope", "short_factor": [], "long_factor": []}})", 0, false},
    {"Qwen2.5-0.5B-Instruct", &kQwen2,
     R"({"architectures": ["Qwen2ForCausalLM"], "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
         "num_attention_heads": 14, "num_key_value_heads": 2, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06,
         "rope_theta": 1000000.0, "sliding_window": 32768, "use_sliding_window": false, "max_window_layers": 21,
         "vocab_size": 151936, "hidden_act": "silu"})", 0, true},
    {"all-MiniLM-L6-v2", &kBertEncoder,
     R"({"architectures": ["BertModel"], "hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6,
         "num_attention_heads": 12, "max_position_embeddings": 512, "layer_norm_eps": 1e-12, "vocab_size": 30522,
         "hidden_act": "gelu", "position_embedding_type": "absolute"})", 1, true},
    {"gemma-2b-it", &kGemma,
     R"({"architectures": ["GemmaForCausalLM"], "hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 18,
         "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256, "max_position_embeddings": 8192,
         "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "vocab_size": 256000, "hidden_act": "gelu"})", 0, true},
};

// A value of either side as text that compares: numbers by value.
struct AsText {
  template <typename T>
  std::string operator()(const T& v) const {
    if constexpr (std::is_same_v<T, std::string>) {
      return v;
    } else if constexpr (std::is_same_v<T, bool>) {
      return v ? "true" : "false";
    } else if constexpr (std::is_arithmetic_v<T>) {
      return fmt::format("{:.5g}", static_cast<double>(v));
    } else {
      return "an array";
    }
  }
};

std::string wanted_text(const Json& v) {
  const std::string text = v.is_string() ? v.get<std::string>() : v.dump();
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return *end == '\0' && !text.empty() ? fmt::format("{:.5g}", number) : text;
}

bool is_tensor(const std::string& key) { return key.ends_with(".weight") || key.ends_with(".bias"); }

// The tokenizer's keys are its own tests' business; the counts and types of the file as a whole follow from the weights.
bool is_ours_to_check(const std::string& key) { return !key.starts_with("tokenizer.") && !key.starts_with("general.") && !is_tensor(key); }

class Ecosystem : public testing::TestWithParam<Published> {
 protected:
  void SetUp() override {
    if (!fs::exists(kExpected)) GTEST_SKIP() << "the expected conversions are not here";
    expected_ = parse_json(read_text_file(kExpected / (std::string(GetParam().name) + ".json"), limits::kMaxJsonFileBytes), "expected");
  }
  Json expected_;
};

TEST_P(Ecosystem, MetadataHasEveryKeyWithItsValue) {
  ModelConfig config = config_from_hf(parse_json(GetParam().config, "config.json"), "config.json");
  config.pooling = static_cast<Pooling>(GetParam().pooling);
  GgufMetadata written("made");
  config_to_gguf(config, written);
  EXPECT_EQ(written.text("general.architecture", ""), expected_["general.architecture"].get<std::string>());
  int checked = 0;
  for (const auto& [key, value] : expected_.items()) {
    if (!is_ours_to_check(key)) continue;
    ++checked;
    const GgufValue* ours = written.find(key);
    ASSERT_NE(ours, nullptr) << key;
    EXPECT_EQ(std::visit(AsText{}, *ours), wanted_text(value)) << key;
  }
  EXPECT_GE(checked, 7);
}

TEST_P(Ecosystem, TensorsHaveTheirNames) {
  const int64_t n_layers = parse_json(GetParam().config, "config.json")["num_hidden_layers"].get<int64_t>();
  Model model = random_model({.family = GetParam().family, .n_layers = n_layers, .n_embd = 32, .n_ff = 32, .n_heads = 2,
                              .n_kv_heads = 2, .head_dim = 16, .tied = GetParam().tied}, 1);
  if (GetParam().family == &kQwen2) {  // biases are facts of the file, not of the family
    for (int64_t l = 0; l < n_layers; ++l) {
      for (const char* part : {"attn_q", "attn_k", "attn_v"}) model.weights.set(fmt::format("blk.{}.{}.bias", l, part), Tensor::from_f32(std::vector<float>(32), {32}));
    }
  }
  if (GetParam().family == &kBertEncoder) {
    for (int64_t l = 0; l < n_layers; ++l) {
      for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"}) {
        model.weights.set(fmt::format("blk.{}.{}.bias", l, part), Tensor::from_f32(std::vector<float>(32), {32}));
      }
    }
  }
  // Through the other tools' form and back, so that both directions of the names take part.
  const fs::path folder = fs::path(testing::TempDir()) / ("minnow_names_" + std::string(GetParam().name));
  fs::remove_all(folder);
  if (GetParam().family == &kPhi3) {  // its fused projections have no biases
    for (int64_t l = 0; l < n_layers; ++l) model.weights.remove(fmt::format("blk.{}.attn_qkv.bias", l));
  }
  save_hf(model, folder, {});
  const Model again = load_model(folder);
  fs::remove_all(folder);
  std::set<std::string> ours, theirs;
  for (const NamedTensor& t : again.weights.all()) ours.insert(t.name);
  for (const auto& [key, value] : expected_.items()) {
    if (is_tensor(key)) theirs.insert(key);
  }
  EXPECT_EQ(ours, theirs);
}

INSTANTIATE_TEST_SUITE_P(, Ecosystem, testing::ValuesIn(kPublished), [](const auto& p) {
  std::string name = p.param.name;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
});

}  // namespace
}  // namespace minnow
