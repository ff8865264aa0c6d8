#include "models/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "models/family.h"
#include "models/random_model.h"
#include "models/save.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

class ModelFiles : public testing::Test {
 protected:
  ModelFiles() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ModelFiles() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::path(testing::TempDir()) / ("minnow_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};

RandomModelShape shape_of(const Family& family) {
  RandomModelShape s{.family = &family, .dtype = DType::kF16};
  if (family.window_pattern > 0) {
    s.n_layers = 7;
    s.sliding_window = 16;
  }
  return s;
}

void expect_same_weights(const Model& a, const Model& b) {
  ASSERT_EQ(a.weights.all().size(), b.weights.all().size());
  for (const NamedTensor& t : a.weights.all()) {
    const Tensor* other = b.weights.find(t.name);
    ASSERT_NE(other, nullptr) << t.name;
    EXPECT_EQ(t.tensor.dtype, other->dtype) << t.name;
    EXPECT_EQ(t.tensor.shape, other->shape) << t.name;
    const auto x = to_f32(t.tensor), y = to_f32(*other);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], 1e-6) << t.name << " " << i;
  }
}

TEST_F(ModelFiles, EveryFamilySurvivesGgufAndSafetensorsAndBack) {
  for (const Family* family : kFamilies) {
    if (!family->converts) continue;
    SCOPED_TRACE(family->hf_architectures[0]);
    const Model original = random_model(shape_of(*family), 5);
    const fs::path gguf = folder_ / "a.gguf", hf = folder_ / "hf", again = folder_ / "b.gguf";
    save_gguf(original, gguf);
    const Model first = load_model(gguf);
    expect_same_weights(original, first);
    EXPECT_EQ(first.tokenizer->tokens.size(), original.tokenizer->tokens.size());
    save_hf(first, hf, {.max_shard_bytes = 20000});
    const Model second = load_model(hf);
    EXPECT_EQ(second.config.rope.layout, RopeLayout::kHalves);
    EXPECT_EQ(second.config.sliding_window, original.config.sliding_window);
    save_gguf(second, again);
    expect_same_weights(original, load_model(again));
    fs::remove_all(hf);
  }
}

TEST_F(ModelFiles, AMissingWeightIsNamed) {
  Model model = random_model(shape_of(kQwen3), 5);
  Model broken = model;
  broken.weights = {};
  for (const NamedTensor& t : model.weights.all()) {
    if (t.name != "blk.1.attn_k_norm.weight") broken.weights.set(t.name, t.tensor);
  }
  try {
    build_graph(broken, 64);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("blk.1.attn_k_norm.weight"), std::string::npos) << e.what();
  }
}

TEST_F(ModelFiles, AWeightOfAnotherShapeIsNamed) {
  Model model = random_model(shape_of(kLlama), 5);
  model.weights.set("blk.0.ffn_up.weight", Tensor::allocate(DType::kF32, {97, 64}, nullptr));
  EXPECT_THROW(build_graph(model, 64), Error);
}

TEST_F(ModelFiles, OutputRowsOfAnotherCountThanTokensAreRefused) {
  Model model = random_model({.family = &kLlama}, 5);
  model.weights.set("output.weight", Tensor::allocate(DType::kF32, {301, 64}, nullptr));
  EXPECT_THROW(build_graph(model, 64), Error);
}

TEST_F(ModelFiles, ExpertsOfAnotherShapeThanTheConfigSaysAreRefused) {
  Model model = random_model({.family = &kQwen3Moe}, 5);
  model.weights.set("blk.0.ffn_down_exps.weight", Tensor::allocate(DType::kF32, {4, 63, 96}, nullptr));
  EXPECT_THROW(build_graph(model, 64), Error);
}

TEST_F(ModelFiles, AScaleIsOneFiniteNumber) {
  Model model = random_model({.family = &kBitnet}, 5);
  model.weights.set("blk.0.attn_q.scale", Tensor::from_f32(std::vector<float>{2}, {1}));
  EXPECT_NO_THROW(build_graph(model, 64));
  model.weights.set("blk.0.attn_q.scale", Tensor::from_f32(std::vector<float>{2, 3}, {2}));
  EXPECT_THROW(build_graph(model, 64), Error);
}

TEST_F(ModelFiles, BiasesThatAreNotComputedAreRefused) {
  Model model = random_model({.family = &kQwen3Moe}, 5);
  model.weights.set("blk.0.ffn_gate_inp.bias", Tensor::from_f32(std::vector<float>(4), {4}));
  EXPECT_THROW(build_graph(model, 64), Error);
}

TEST_F(ModelFiles, TensorsThatHoldNothingAreRefusedByName) {
  save_hf(random_model(shape_of(kLlama), 5), folder_, {});
  // A header of one empty tensor more: "lm_head.weight" of no rows.
  std::string file = read_text_file(folder_ / "model.safetensors", 1 << 24);
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  std::string header = file.substr(8, length);
  header.insert(1, R"("lm_head.weight":{"dtype":"F16","shape":[0,64],"data_offsets":[0,0]},)");
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t longer = header.size();
  std::ofstream out(folder_ / "model.safetensors", std::ios::binary);
  out.write(reinterpret_cast<const char*>(&longer), 8) << header << file.substr(8 + length);
  out.close();
  Json config = parse_json(read_text_file(folder_ / "config.json", 1 << 20), "config.json");
  config.erase("tie_word_embeddings");
  std::ofstream(folder_ / "config.json") << config;
  try {
    load_model(folder_);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("output.weight"), std::string::npos) << e.what();
  }
}

TEST_F(ModelFiles, WhetherTheOutputIsTiedIsTheConfigsWord) {
  Model untied = random_model({.family = &kLlama, .tied = false}, 5);
  save_hf(untied, folder_, {});
  EXPECT_NE(load_model(folder_).weights.find("output.weight"), nullptr);
  Json config = parse_json(read_text_file(folder_ / "config.json", 1 << 20), "config.json");
  config["tie_word_embeddings"] = true;
  std::ofstream(folder_ / "config.json") << config;
  EXPECT_EQ(load_model(folder_).weights.find("output.weight"), nullptr) << "a stale head is not used";
  save_hf(random_model({.family = &kLlama}, 5), folder_, {});
  config["tie_word_embeddings"] = false;
  std::ofstream(folder_ / "config.json") << config;
  EXPECT_THROW(load_model(folder_), Error) << "the head is missing";
}

TEST(BuildGraph, ATableThatIsBothEmbeddingAndOutputProjectionIsOneNode) {
  const Graph graph = build_graph(random_model({.family = &kLlama, .tied = true}, 5), 64);
  const auto is_table = [](const Node& n) { return n.op == Op::kWeight && n.name == "token_embd.weight"; };
  EXPECT_EQ(std::count_if(graph.nodes().begin(), graph.nodes().end(), is_table), 1);
}

TEST_F(ModelFiles, ValuesThatAreNotFiniteAreNotQuantizedAndNothingIsLeftBehind) {
  Model model = random_model({.family = &kLlama}, 5);
  std::vector<float> bad(96 * 64, 1.0f);
  bad[1000] = std::numeric_limits<float>::infinity();
  model.weights.set("blk.0.ffn_up.weight", Tensor::from_f32(bad, {96, 64}));
  EXPECT_THROW(save_gguf(model, folder_ / "x.gguf", [](const NamedTensor& t) { return t.tensor.shape.rank() > 1 ? DType::kQ8_0 : DType::kF32; }), Error);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ModelFiles, SaysWhatAPathShouldHaveBeen) {
  EXPECT_THROW(detect_format(folder_ / "nothing.gguf"), Error);
  EXPECT_THROW(detect_format(folder_), Error);
  std::ofstream(folder_ / "notes.txt") << "hello";
  EXPECT_THROW(detect_format(folder_ / "notes.txt"), Error);
}

}  // namespace
}  // namespace minnow
