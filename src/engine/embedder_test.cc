#include "engine/embedder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

EngineOptions small() { return {.n_ctx = 128, .n_sequences = 4, .kv_type = KvType::kF32, .n_threads = 2}; }

std::shared_ptr<const Model> model_of(const Family& family, int64_t n_labels = 0) {
  Model model = random_model({.family = &family}, 11);
  if (n_labels > 0) {
    std::vector<float> weight;
    for (int64_t i = 0; i < n_labels * model.config.n_embd; ++i) weight.push_back(std::sin(static_cast<float>(i)));
    model.weights.set("cls.output.weight", Tensor::from_f32(weight, {n_labels, model.config.n_embd}));
    model.weights.set("cls.output.bias", Tensor::from_f32(std::vector<float>(static_cast<std::size_t>(n_labels), 0.5f), {n_labels}));
  }
  return std::make_shared<const Model>(std::move(model));
}

double length(const std::vector<float>& v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * x;
  return std::sqrt(squares);
}

const std::vector<std::string> kTexts = {"one fish", "two fish", "a much longer line about red fish and blue fish", ""};

TEST(Embedder, GivesEachTextTheSameVectorAloneAndInCompany) {
  for (const Family* family : {&kBertEncoder, &kNomicBert, &kQwen3}) {
    Embedder embedder(model_of(*family), small());
    const auto all = embedder.embed(kTexts, {});
    ASSERT_EQ(all.size(), kTexts.size());
    for (std::size_t i = 0; i < kTexts.size(); ++i) {
      const std::vector<std::string> one = {kTexts[i]};
      EXPECT_EQ(embedder.embed(one, {})[0].vector, all[i].vector) << family->gguf_name << " " << i;
      EXPECT_NEAR(length(all[i].vector), 1, 1e-5);
    }
    EXPECT_NE(all[0].vector, all[1].vector);
  }
}

TEST(Embedder, PoolingIsWhatItSays) {
  Embedder embedder(model_of(kBertEncoder), small());
  const std::vector<std::vector<TokenId>> prompt = {{5, 9, 70, 12}};
  const auto pooled = [&](Pooling pooling) { return embedder.embed_tokens(prompt, {.pooling = pooling, .normalize = false})[0].vector; };
  // The rows themselves, from an engine that is asked for them.
  std::vector<std::vector<float>> rows;
  EngineOptions options = small();
  options.output = GraphOutput::kEmbeddings;
  Engine engine(model_of(kBertEncoder), options);
  GenerateRequest request{.prompt = prompt[0], .max_tokens = 0};
  request.on_prompt_logits = [&](int64_t, std::span<const float> row) { rows.emplace_back(row.begin(), row.end()); };
  engine.submit(std::move(request))->wait();
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(pooled(Pooling::kCls), rows[0]);
  EXPECT_EQ(pooled(Pooling::kLast), rows[3]);
  const auto mean = pooled(Pooling::kMean);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    EXPECT_NEAR(mean[i], (rows[0][i] + rows[1][i] + rows[2][i] + rows[3][i]) / 4, 1e-6);
  }
}

TEST(Embedder, FewerDimensionsAreTheFirstOnesNormalisedAgain) {
  Embedder embedder(model_of(kNomicBert), small());
  const std::vector<std::string> text = {"one fish"};
  const auto whole = embedder.embed(text, {})[0].vector, part = embedder.embed(text, {.dimensions = 16})[0].vector;
  ASSERT_EQ(part.size(), 16u);
  EXPECT_NEAR(length(part), 1, 1e-5);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(part[i] / part[0], whole[i] / whole[0], 1e-3 * std::abs(whole[i] / whole[0]));
  EXPECT_THROW(embedder.embed(text, {.dimensions = 65}), Error);
  EXPECT_THROW(embedder.embed(text, {.dimensions = -1}), Error);
}

TEST(Embedder, CutsTextsThatAreTooLongAndSaysSo) {
  Embedder embedder(model_of(kBertEncoder), small());
  const std::vector<std::string> text = {std::string(1000, 'x') + " y"};
  EXPECT_TRUE(embedder.embed(text, {})[0].truncated);
  EXPECT_EQ(embedder.embed(text, {})[0].n_tokens, 128);
  EXPECT_THROW(embedder.embed(text, {.truncate = false}), Error);
}

TEST(Embedder, AnEncoderMakesNoTextAndATextModelWithoutAClassifierDoesNotRank) {
  EXPECT_THROW(Engine(model_of(kBertEncoder), small()), Error);
  EXPECT_THROW(Ranker(model_of(kLlama), small()), Error);
}

TEST(Ranker, ScoresEachDocumentAsIfItWereAlone) {
  Ranker ranker(model_of(kBertEncoder, 1), small());
  const std::vector<std::string> documents = {"fish swim", "cars drive on roads", "fish"};
  const auto scores = ranker.score("what do fish do", documents);
  ASSERT_EQ(scores.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<std::string> one = {documents[i]};
    EXPECT_EQ(ranker.score("what do fish do", one)[0], scores[i]);
  }
  EXPECT_NE(scores[0], scores[1]);
  EXPECT_THROW(ranker.score(std::string(1000, 'q'), documents), Error);
}

}  // namespace
}  // namespace minnow
