#include "models/digest.h"

#include <gtest/gtest.h>

#include "models/random_model.h"

namespace minnow {
namespace {

TEST(ModelDigest, ChangesWithAWeightANumberAndAToken) {
  const auto make = [] { return random_model({.family = &kLlama, .n_vocab = 300}, 1); };
  const Model model = make();
  EXPECT_EQ(model_digest(model), model_digest(make()));
  EXPECT_EQ(model_digest(model).size(), 32u);
  Model other = make();
  const NamedTensor& t = other.weights.all().front();
  std::byte* data = nullptr;
  Tensor changed = Tensor::allocate(t.tensor.dtype, t.tensor.shape, &data);
  std::copy(t.tensor.span().begin(), t.tensor.span().end(), data);
  data[t.tensor.bytes() - 1] ^= std::byte{1};
  other.weights.set(t.name, changed);
  EXPECT_NE(model_digest(other), model_digest(model));
  other = make();
  other.config.rope.base += 1;
  EXPECT_NE(model_digest(other), model_digest(model));
  other = make();
  other.tokenizer->tokens.back().text += "x";
  EXPECT_NE(model_digest(other), model_digest(model));
  EXPECT_NE(vocabulary_digest(*other.tokenizer), vocabulary_digest(*model.tokenizer));
}

}  // namespace
}  // namespace minnow
