// For tests: an engine whose model says what it is told to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "models/family.h"
#include "models/random_model.h"

namespace minnow::test {

inline constexpr TokenId kFirstSaid = 600;  // of the pieces that the model says

// Says these pieces one after another whatever the prompt, then ends: no layer adds anything, and the output matrix maps the vector
// of each token to its successor. Pieces in <…> and […] are control tokens. At most 60.
inline std::unique_ptr<Engine> engine_that_says(const std::vector<std::string>& pieces, const std::string& chat_template) {
  Model model = random_model({.family = &kLlama, .n_layers = 1, .n_vocab = 700, .tied = false}, 1);
  model.tokenizer->chat_template = chat_template;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const bool is_mark = (pieces[i].starts_with('<') && pieces[i].ends_with('>')) || (pieces[i].starts_with("[T") && pieces[i].ends_with(']'));
    std::string text;
    for (const char c : pieces[i]) text += c == ' ' && !is_mark ? std::string("\u2581") : std::string(1, c);
    model.tokenizer->tokens[static_cast<std::size_t>(kFirstSaid) + i] = {text, -1e4f, is_mark ? TokenType::kControl : TokenType::kNormal};
  }
  const auto zeros = [&](const std::string& name) {
    const Tensor& t = model.weights.require(name);
    model.weights.set(name, Tensor::from_f32(std::vector<float>(static_cast<std::size_t>(t.shape.elements())), t.shape));
  };
  zeros("blk.0.attn_output.weight");
  zeros("blk.0.ffn_down.weight");
  const auto width = static_cast<std::size_t>(model.config.n_embd), n_vocab = static_cast<std::size_t>(model.config.n_vocab);
  std::vector<float> embedding(n_vocab * width), output(n_vocab * width);
  // Feature 0: any token of the prompt. Feature i + 1: piece i.
  for (std::size_t t = 0; t < n_vocab; ++t) embedding[t * width] = 1;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t token = static_cast<std::size_t>(kFirstSaid) + i;
    embedding[token * width] = 0;
    embedding[token * width + i + 1] = 1;
    output[token * width + i] = 10;
  }
  output[2 * width + pieces.size()] = 10;  // </s> after the last
  const Shape shape{model.config.n_vocab, model.config.n_embd};
  model.weights.set("token_embd.weight", Tensor::from_f32(embedding, shape));
  model.weights.set("output.weight", Tensor::from_f32(output, shape));
  return std::make_unique<Engine>(std::make_shared<const Model>(std::move(model)), EngineOptions{.n_ctx = 512, .n_threads = 1});
}

}  // namespace minnow::test
