#include "models/adapter.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "base/file.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "formats/test_bytes.h"
#include "models/adapter_files.h"
#include "models/family.h"
#include "models/random_model.h"
#include "models/save.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

using ::testing::HasSubstr;
using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;

Model model_of(const Family& family, bool tied = true) { return random_model({.family = &family, .tied = tied}, 3); }

Tensor random_tensor(const Shape& shape, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::from_f32(values, shape);
}

// An adapter that has learned something.
Adapter random_adapter(const Model& base, AdapterShape shape = {}) {
  Adapter adapter = new_adapter(base, shape, 5);
  uint64_t seed = 10;
  for (AdapterMatrix& m : adapter.matrices) {
    m.b = random_tensor(m.b.shape, ++seed);
    if (m.magnitude) m.magnitude = random_tensor(m.magnitude.shape, ++seed);
  }
  return adapter;
}

std::string bytes_of(const std::filesystem::path& path) { return read_text_file(path, 1 << 28); }

std::vector<std::string> names(const Adapter& adapter) {
  std::vector<std::string> all;
  for (const AdapterMatrix& m : adapter.matrices) all.push_back(m.name);
  return all;
}

TEST(TargetModules, AListMeansWholeNamesAndEndsAfterADot) {
  const auto t = TargetModules::parse("q_proj,mlp.up_proj");
  EXPECT_TRUE(t.matches("model.layers.0.self_attn.q_proj"));
  EXPECT_TRUE(t.matches("q_proj"));
  EXPECT_TRUE(t.matches("model.layers.11.mlp.up_proj"));
  EXPECT_FALSE(t.matches("model.layers.0.self_attn.xq_proj"));
  EXPECT_FALSE(t.matches("model.layers.0.self_attn.q_proj.0"));
  EXPECT_EQ(t.json(), Json::parse(R"(["q_proj", "mlp.up_proj"])"));
}

TEST(TargetModules, AnExpressionMustMatchTheWholeName) {
  const auto t = TargetModules::parse(R"(.*\.layers\.[01]\..*(q|v)_proj)");
  EXPECT_TRUE(t.matches("model.layers.1.self_attn.v_proj"));
  EXPECT_FALSE(t.matches("model.layers.2.self_attn.v_proj"));
  EXPECT_FALSE(t.matches("model.layers.1.self_attn.v_proj.x"));
  EXPECT_FALSE(TargetModules::from_json("q_proj", "c").matches("model.layers.0.self_attn.q_proj"));
  EXPECT_TRUE(TargetModules::parse("all-linear").matches("anything"));
}

TEST(TargetModules, RefusesWhatIsNeither) {
  expect_refused([] { TargetModules::parse("q_proj,,v_proj"); }, ErrorCode::kUsage, "empty name");
  expect_refused([] { TargetModules::parse("(q_proj"); }, ErrorCode::kUsage, "regular expression");
  expect_refused([] { TargetModules::from_json(Json::parse("[1]"), "c"); }, ErrorCode::kInvalidInput, "target_modules");
  expect_refused([] { TargetModules::from_json(Json::array(), "c"); }, ErrorCode::kInvalidInput, "target_modules");
  expect_refused([] { TargetModules::from_json("(a", "c"); }, ErrorCode::kInvalidInput, "c: target_modules");
}

TEST(ModuleNumbers, TheFirstExpressionCountsThatFitsTheEndOfAName) {
  const ModuleNumbers n(OrderedJson::parse(R"({"layers.1.self_attn.q_proj": 16, "q_proj": 4, ".*up_proj": 2})"), "c");
  EXPECT_EQ(n.of("model.layers.1.self_attn.q_proj", 8), 16);
  EXPECT_EQ(n.of("model.layers.2.self_attn.q_proj", 8), 4);
  EXPECT_EQ(n.of("model.layers.2.self_attn.xq_proj", 8), 8);
  EXPECT_EQ(n.of("up_proj", 8), 2);
  expect_refused([] { ModuleNumbers(OrderedJson::parse(R"({"a": "x"})"), "c"); }, ErrorCode::kInvalidInput, "c: a");
  expect_refused([] { ModuleNumbers(OrderedJson::parse(R"({"a": -1})"), "c"); }, ErrorCode::kInvalidInput, "c: a");
}

TEST(NewAdapter, HasPeftsInitialValuesAndTargets) {
  const Model base = model_of(kQwen2);
  const Adapter adapter = new_adapter(base, {.rank = 4}, 7);
  EXPECT_THAT(names(adapter), ::testing::ElementsAre("blk.0.attn_q.weight", "blk.0.attn_v.weight", "blk.1.attn_q.weight", "blk.1.attn_v.weight"));
  const AdapterMatrix& m = adapter.matrices[0];
  EXPECT_EQ(m.a.shape, (Shape{4, 64}));
  EXPECT_EQ(m.b.shape, (Shape{128, 4}));
  double squares = 0, largest = 0;
  for (int64_t i = 0; i < 256; ++i) {
    squares += static_cast<double>(m.a.f32()[i]) * static_cast<double>(m.a.f32()[i]);
    largest = std::max(largest, std::abs(static_cast<double>(m.a.f32()[i])));
  }
  EXPECT_LE(largest, 0.125);
  EXPECT_NEAR(squares / 256, 0.125 * 0.125 / 3, 0.001);  // of a uniform distribution
  EXPECT_THAT(to_f32(m.b), ::testing::Each(0.0f));
  const Adapter more = new_adapter(base, {.targets = TargetModules::parse("all-linear"), .rank = 4}, 7);
  EXPECT_EQ(more.matrices.size(), 14u);  // seven of each layer, and not the output
  EXPECT_EQ(to_f32(more.find("blk.0.attn_q.weight")->a), to_f32(m.a));
  EXPECT_NE(to_f32(new_adapter(base, {.rank = 4}, 8).matrices[0].a), to_f32(m.a));
}

TEST(NewAdapter, KnowsFusedProjectionsAndNamesWhatThereIs) {
  EXPECT_EQ(default_targets(model_of(kPhi3)).json(), Json::parse(R"(["qkv_proj"])"));
  EXPECT_EQ(default_targets(model_of(kGpt2)).json(), Json::parse(R"(["c_attn"])"));
  EXPECT_EQ(default_targets(model_of(kGptNeoX)).json(), Json::parse(R"(["query_key_value"])"));
  expect_refused([] { new_adapter(model_of(kPhi3), {.targets = TargetModules::parse("q_proj")}, 1); }, ErrorCode::kUsage, "qkv_proj");
  expect_refused([] { new_adapter(model_of(kLlama), {.rank = 0}, 1); }, ErrorCode::kUsage, "rank");
  expect_refused([] { new_adapter(model_of(kLlama), {.dropout = 1}, 1); }, ErrorCode::kUsage, "dropout");
}

TEST(NewAdapter, MagnitudesAreTheNormsOfRows) {
  const Model base = model_of(kLlama);
  const Adapter adapter = new_adapter(base, {.magnitudes = true}, 7);
  const std::vector<float> w = to_f32(base.weights.require("blk.0.attn_q.weight"));
  double squares = 0;
  for (std::size_t c = 0; c < 64; ++c) squares += static_cast<double>(w[5 * 64 + c]) * static_cast<double>(w[5 * 64 + c]);
  EXPECT_NEAR(adapter.matrices[0].magnitude.f32()[5], std::sqrt(squares), 1e-6);
}

class AdapterOfEachFamily : public ::testing::TestWithParam<const Family*> {};

TEST_P(AdapterOfEachFamily, SavedLoadedAndSavedAgainIsTheSameFilesInBothForms) {
  const TemporaryFolder folder;
  const Model base = model_of(*GetParam());
  for (const bool magnitudes : {false, true}) {
    const Adapter adapter = random_adapter(base, {.targets = TargetModules::parse("all-linear"), .rank = 3, .alpha = 6, .magnitudes = magnitudes});
    const auto first = folder.path() / "first", second = folder.path() / "second";
    save_adapter(adapter, base, first);
    const Adapter loaded = load_adapter(first, base);
    EXPECT_EQ(names(loaded), names(adapter));
    for (std::size_t i = 0; i < loaded.matrices.size(); ++i) {
      EXPECT_EQ(to_f32(loaded.matrices[i].b), to_f32(adapter.matrices[i].b));
      EXPECT_EQ(loaded.scale(loaded.matrices[i]), 2);
    }
    EXPECT_THAT(loaded.warnings, ::testing::IsEmpty());
    save_adapter(loaded, base, second);
    for (const char* file : {"adapter_config.json", "adapter_model.safetensors"}) EXPECT_EQ(bytes_of(first / file), bytes_of(second / file)) << file;
    if (magnitudes) continue;
    save_adapter(adapter, base, folder.path() / "first.gguf");
    const Adapter from_gguf = load_adapter(folder.path() / "first.gguf", base);
    EXPECT_EQ(to_f32(from_gguf.matrices.back().b), to_f32(adapter.matrices.back().b));
    EXPECT_EQ(from_gguf.scale(from_gguf.matrices[0]), 2);
    save_adapter(from_gguf, base, folder.path() / "second.gguf");
    EXPECT_EQ(bytes_of(folder.path() / "first.gguf"), bytes_of(folder.path() / "second.gguf"));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, AdapterOfEachFamily, ::testing::Values(&kLlama, &kQwen2, &kQwen3, &kGemma3, &kPhi2, &kPhi3, &kGpt2, &kGptNeoX, &kLfm2),
                         [](const auto& c) { return std::string(c.param->hf_model_type); });

TEST(Adapter, RowsOfQueriesFollowTheModelFromOneFileFormToTheOther) {
  const TemporaryFolder folder;
  const Model gguf = model_of(kLlama);
  save_hf(gguf, folder.path() / "hf", {});
  const Model hf = load_model(folder.path() / "hf");
  ASSERT_NE(hf.config.rope.layout, gguf.config.rope.layout);
  const Adapter adapter = random_adapter(gguf, {.magnitudes = true});
  save_adapter(adapter, gguf, folder.path() / "adapter");
  const Adapter other = load_adapter(folder.path() / "adapter", hf);
  // Row r of W belongs to row r of B in both: pairs of rows keep together.
  const AdapterMatrix &a = adapter.matrices[0], &b = other.matrices[0];
  const std::vector<float> w = to_f32(gguf.weights.require(a.name)), v = to_f32(hf.weights.require(a.name));
  int moved = 0;
  for (int64_t r = 0; r < a.b.shape[0]; ++r) {
    int64_t at = 0;
    while (at < b.b.shape[0] && !std::equal(w.begin() + r * 64, w.begin() + (r + 1) * 64, v.begin() + at * 64)) ++at;
    ASSERT_LT(at, b.b.shape[0]);
    EXPECT_EQ(a.b.f32()[r * 8], b.b.f32()[at * 8]);
    EXPECT_EQ(a.magnitude.f32()[r], b.magnitude.f32()[at]);
    moved += at != r;
  }
  EXPECT_GT(moved, 50);
  EXPECT_EQ(to_f32(adapter.matrices[1].b), to_f32(other.matrices[1].b));  // values stay
  // And through GGUF.
  const Adapter plain = random_adapter(gguf);
  save_adapter(plain, gguf, folder.path() / "a.gguf");
  save_adapter(plain, gguf, folder.path() / "a");
  EXPECT_EQ(to_f32(load_adapter(folder.path() / "a.gguf", hf).matrices[0].b), to_f32(load_adapter(folder.path() / "a", hf).matrices[0].b));
}

TEST(Adapter, TheConfigIsWhatPeftWrites) {
  const TemporaryFolder folder;
  const Model base = model_of(kGpt2);
  save_adapter(new_adapter(base, {.rank = 4, .alpha = 16, .dropout = 0.05, .rank_stabilized = true}, 1), base, folder.path() / "a");
  const std::string text = bytes_of(folder.path() / "a" / "adapter_config.json");
  const Json config = Json::parse(text);
  EXPECT_EQ(text, config.dump(2));  // keys sorted
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 16);
  EXPECT_TRUE(config["lora_alpha"].is_number_integer());
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["use_rslora"], true);
  EXPECT_EQ(config["use_dora"], false);
  EXPECT_EQ(config["fan_in_fan_out"], true);  // Conv1D
  EXPECT_EQ(config["target_modules"], Json::parse(R"(["c_attn"])"));
  const Safetensors file = Safetensors::open(folder.path() / "a" / "adapter_model.safetensors");
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight");
  EXPECT_EQ(file.tensors()[1].tensor.shape, (Shape{3 * 128, 4}));
}

TEST(Adapter, TargetsThatAreNotAllOfTheirNameAreNamedOneByOne) {
  const TemporaryFolder folder;
  const Model base = model_of(kQwen2);
  save_adapter(new_adapter(base, {.targets = TargetModules::parse(".*\\.1\\..*q_proj")}, 1), base, folder.path() / "a");
  const Json config = Json::parse(bytes_of(folder.path() / "a" / "adapter_config.json"));
  EXPECT_EQ(config["target_modules"], Json::parse(R"(["model.layers.1.self_attn.q_proj"])"));
  EXPECT_EQ(names(load_adapter(folder.path() / "a", base)), (std::vector<std::string>{"blk.1.attn_q.weight"}));
}

TEST(Adapter, ScalesAreThoseOfTheConfig) {
  const Model base = model_of(kQwen2);
  Adapter a = new_adapter(base, {.rank = 16, .alpha = 8}, 1);
  EXPECT_EQ(a.scale(a.matrices[0]), 0.5f);
  a.rank_stabilized = true;
  EXPECT_EQ(a.scale(a.matrices[0]), 2);
}

TEST(Adapter, GgufKeepsScalesThatDifferByMatrix) {
  const TemporaryFolder folder;
  const Model base = model_of(kQwen2);
  Adapter adapter = random_adapter(base, {.rank_stabilized = true});
  adapter.matrices[1].a = random_tensor({2, 64}, 3);
  adapter.matrices[1].b = random_tensor({64, 2}, 4);
  save_adapter(adapter, base, folder.path() / "a.gguf");
  const Adapter loaded = load_adapter(folder.path() / "a.gguf", base);
  for (std::size_t i : {0u, 1u, 2u}) {
    const AdapterMatrix &m = adapter.matrices[i], &l = loaded.matrices[i];
    EXPECT_NEAR(adapter.scale(m) * m.b.f32()[3], loaded.scale(l) * l.b.f32()[3], 1e-6);
  }
}

// --- what strangers write

struct PeftFiles {
  Model base = model_of(kQwen2);
  Json config;
  std::string tensors;

  explicit PeftFiles(AdapterShape shape = {}) {
    const TemporaryFolder folder;
    save_adapter(random_adapter(base, shape), base, folder.path());
    config = Json::parse(bytes_of(folder.path() / "adapter_config.json"));
    tensors = bytes_of(folder.path() / "adapter_model.safetensors");
  }
  Adapter parse() const { return parse_peft_adapter(config.dump(), minnow::testing::as_span(tensors), base, "x"); }
  void replace(const std::string& from, const std::string& to) {
    ASSERT_EQ(from.size(), to.size());
    for (auto at = tensors.find(from); at != std::string::npos; at = tensors.find(from, at + 1)) tensors.replace(at, from.size(), to);
  }
};

TEST(PeftAdapter, ReadsTheConfigThatPeftWritesToday) {
  PeftFiles files({.rank = 8, .alpha = 16});
  // Keys of PEFT 0.19 for Qwen2.5-0.5B-Instruct.
  files.config = Json::parse(R"({"alora_invocation_tokens": null, "alpha_pattern": {}, "arrow_config": null, "auto_mapping": null,
      "base_model_name_or_path": "Qwen/Qwen2.5-0.5B-Instruct", "bias": "none", "corda_config": null, "ensure_weight_tying": false,
      "eva_config": null, "exclude_modules": null, "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true,
      "layer_replication": null, "layers_pattern": null, "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 16, "lora_bias": false,
      "lora_dropout": 0.05, "lora_ga_config": null, "megatron_config": null, "megatron_core": "megatron.core", "modules_to_save": null,
      "peft_type": "LORA", "peft_version": "0.19.1", "qalora_group_size": 16, "r": 8, "rank_pattern": {}, "revision": null,
      "target_modules": ["q_proj", "v_proj"], "target_parameters": null, "task_type": "CAUSAL_LM", "trainable_token_indices": null,
      "use_bdlora": null, "use_dora": false, "use_qalora": false, "use_rslora": false})");
  const Adapter adapter = files.parse();
  EXPECT_THAT(adapter.warnings, ::testing::IsEmpty());
  EXPECT_EQ(adapter.scale(adapter.matrices[0]), 2);
  EXPECT_EQ(adapter.dropout, 0.05);
  const TemporaryFolder folder;
  save_adapter(adapter, files.base, folder.path() / "again");
  EXPECT_EQ(bytes_of(folder.path() / "again" / "adapter_config.json"), files.config.dump(2));
}

TEST(PeftAdapter, WarnsOfKeysThatAreNotKnownAndKeepsThem) {
  PeftFiles files;
  files.config["tomorrow"] = {{"a", 1}};
  const Adapter adapter = files.parse();
  EXPECT_THAT(adapter.warnings, ::testing::ElementsAre(HasSubstr("tomorrow")));
  EXPECT_EQ(adapter.config["tomorrow"]["a"], 1);
}

TEST(PeftAdapter, HonoursPatternsOfRankAndAlpha) {
  PeftFiles files({.rank = 4, .alpha = 8});
  files.config["r"] = 2;
  files.config["rank_pattern"] = {{"q_proj", 4}, {"v_proj", 4}};
  files.config["alpha_pattern"] = {{"layers.1.self_attn.v_proj", 2}};
  const Adapter adapter = files.parse();
  EXPECT_EQ(adapter.scale(adapter.matrices[0]), 2);
  EXPECT_EQ(adapter.scale(*adapter.find("blk.1.attn_v.weight")), 0.5f);
  files.config["rank_pattern"] = {{"q_proj", 4}};
  expect_refused([&] { files.parse(); }, ErrorCode::kInvalidInput, "rank 2");
}

TEST(PeftAdapter, RefusesWhatChangesTheResultAndIsNotDoneHere) {
  const PeftFiles good;
  const auto refused = [&](const char* key, const Json& value, const char* what) {
    PeftFiles files = good;
    files.config[key] = value;
    expect_refused([&] { files.parse(); }, ErrorCode::kUnsupported, what);
  };
  refused("peft_type", "LOHA", "LOHA");
  refused("peft_type", nullptr, "peft_type");
  refused("bias", "all", "bias");
  refused("lora_bias", true, "lora_bias");
  refused("layer_replication", Json::parse("[[0, 2]]"), "layer_replication");
  refused("modules_to_save", Json::parse(R"(["lm_head"])"), "modules_to_save");
  refused("trainable_token_indices", Json::parse("[1]"), "trainable_token_indices");
  refused("use_qalora", true, "use_qalora");
  refused("alora_invocation_tokens", Json::parse("[5]"), "alora_invocation_tokens");
  refused("init_lora_weights", "pissa_niter_16", "pissa");
}

TEST(PeftAdapter, RefusesFilesThatContradictThemselvesOrTheModel) {
  const PeftFiles good;
  const auto refused = [&](const std::function<void(PeftFiles&)>& spoil, ErrorCode code, const char* what) {
    PeftFiles files = good;
    spoil(files);
    expect_refused([&] { files.parse(); }, code, what);
  };
  refused([](PeftFiles& f) { f.config["r"] = 0; }, ErrorCode::kInvalidInput, "r");
  refused([](PeftFiles& f) { f.config["r"] = 9; }, ErrorCode::kInvalidInput, "rank 9");
  refused([](PeftFiles& f) { f.config["lora_alpha"] = 1e200; }, ErrorCode::kInvalidInput, "alpha");
  refused([](PeftFiles& f) { f.config["lora_alpha"] = "x"; }, ErrorCode::kInvalidInput, "lora_alpha");
  refused([](PeftFiles& f) { f.config["use_dora"] = true; }, ErrorCode::kInvalidInput, "magnitudes");
  refused([](PeftFiles& f) { f.config["target_modules"] = Json::parse(R"(["q_proj"])"); }, ErrorCode::kInvalidInput, "v_proj");
  refused([](PeftFiles& f) { f.config.erase("target_modules"); }, ErrorCode::kInvalidInput, "target_modules");
  refused([](PeftFiles& f) { f.config = Json::array(); }, ErrorCode::kInvalidInput, "object");
  refused([](PeftFiles& f) { f.replace("base_model.model", "base_model.modex"); }, ErrorCode::kInvalidInput, "begin with");
  refused([](PeftFiles& f) { f.replace("layers.1.self_attn.v", "layers.7.self_attn.v"); }, ErrorCode::kInvalidInput, "blk.7");
  refused([](PeftFiles& f) { f.replace("layers.1.self_attn", "layers.1.self_axxn"); }, ErrorCode::kInvalidInput, "no module");
  refused([](PeftFiles& f) { f.replace("layers.1.self_attn.v_proj.lora_B", "layers.1.self_attn.q_proj.lora_C"); }, ErrorCode::kUnsupported, "as a whole");
  refused([](PeftFiles& f) { f.replace("0.self_attn.v_proj.lora_A", "0.self_attn.k_proj.lora_A"); }, ErrorCode::kInvalidInput, "missing");
  refused([](PeftFiles& f) { f.base = model_of(kPhi3); }, ErrorCode::kInvalidInput, "attn_q");
  refused([](PeftFiles& f) { f.base = random_model({.family = &kQwen2, .n_embd = 32}, 3); }, ErrorCode::kInvalidInput, "do not fit");
  refused([](PeftFiles& f) { f.base.weights.set("blk.0.attn_q.scale", random_tensor({1}, 1)); }, ErrorCode::kUnsupported, "scale of its own");
  refused([](PeftFiles& f) { std::fill(f.tensors.end() - 8, f.tensors.end(), '\xff'); }, ErrorCode::kInvalidInput, "not finite");
}

TEST(PeftAdapter, CutAnywhereIsRefusedInOneLine) {
  const PeftFiles good({.rank = 1});
  for (std::size_t n = 0; n < good.tensors.size(); n += 37) {
    PeftFiles cut = good;
    cut.tensors.resize(n);
    EXPECT_THROW(cut.parse(), Error) << n;
  }
}

TEST(PeftAdapter, APickleIsRefusedAndFilesThatAreMissingAreNamed) {
  const TemporaryFolder folder;
  const Model base = model_of(kQwen2);
  expect_refused([&] { load_adapter(folder.path() / "none", base); }, ErrorCode::kNotFound, "none");
  expect_refused([&] { load_adapter(folder.path(), base); }, ErrorCode::kNotFound, "adapter_config.json");
  folder.write("adapter_config.json", "{}");
  expect_refused([&] { load_adapter(folder.path(), base); }, ErrorCode::kNotFound, "adapter_model.safetensors");
  folder.write("adapter_model.bin", "x");
  expect_refused([&] { load_adapter(folder.path(), base); }, ErrorCode::kUnsupported, "pickle");
  expect_refused([&] { load_adapter(folder.path() / "adapter_model.bin", base); }, ErrorCode::kInvalidInput, "not an adapter");
}

TEST(GgufAdapter, RefusesFilesThatAreNotAdaptersOfThisModel) {
  const TemporaryFolder folder;
  const Model base = model_of(kQwen2);
  const auto path = folder.path() / "a.gguf";
  save_gguf(base, path);
  expect_refused([&] { load_adapter(path, base); }, ErrorCode::kInvalidInput, "general.type");
  save_adapter(random_adapter(base), base, path);
  expect_refused([&] { load_adapter(path, model_of(kLlama)); }, ErrorCode::kInvalidInput, "qwen2");
  std::string bytes = bytes_of(path);
  for (std::size_t n = 0; n < bytes.size(); n += 101) {
    EXPECT_THROW(parse_gguf_adapter(minnow::testing::as_span(std::string_view(bytes).substr(0, n)), base, "cut"), Error) << n;
  }
  bytes.replace(bytes.find("blk.0.attn_q.weight.lora_b"), 26, "blk.0.attn_q.weight.lora_c");
  expect_refused([&] { parse_gguf_adapter(minnow::testing::as_span(bytes), base, "x"); }, ErrorCode::kInvalidInput, "lora_b");
  expect_refused([&] { save_adapter(random_adapter(base, {.magnitudes = true}), base, path); }, ErrorCode::kUnsupported, "DoRA");
}

TEST(GgufAdapter, WithoutAnAlphaCountsOnce) {
  const TemporaryFolder folder;
  const Model base = model_of(kQwen2);
  Adapter adapter = random_adapter(base);
  for (AdapterMatrix& m : adapter.matrices) m.alpha = 0;
  save_adapter(adapter, base, folder.path() / "a.gguf");
  const Adapter loaded = load_adapter(folder.path() / "a.gguf", base);
  EXPECT_EQ(loaded.scale(loaded.matrices[0]), 1);
}

}  // namespace
}  // namespace minnow
