#include "models/model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
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
