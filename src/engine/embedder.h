// Texts to vectors, and pairs of texts to scores, by way of the engine.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace minnow {

struct EmbedOptions {
  Pooling pooling = Pooling::kNone;  // kNone: as the model says
  bool normalize = true;             // to length 1; a model may say that its vectors are not (model2vec)
  int64_t dimensions = 0;            // keep the first so many and normalise again (Matryoshka); 0: all
  bool truncate = true;              // texts longer than the model's context are cut; else they are refused
};

struct Embedding {
  std::vector<float> vector;
  int64_t n_tokens = 0;
  bool truncated = false;
};

class Embedder {
 public:
  // `options.output` is set by the embedder. Throws what Engine throws.
  Embedder(std::shared_ptr<const Model> model, EngineOptions options);

  // In the order of the texts; computed together. Throws kNotFound without a tokenizer, kLimit for a text that is too
  // long, kInvalidInput for dimensions that the model does not have.
  std::vector<Embedding> embed(std::span<const std::string> texts, const EmbedOptions& options);
  // The same of token ids, which get no special tokens.
  std::vector<Embedding> embed_tokens(std::span<const std::vector<TokenId>> prompts, const EmbedOptions& options);

  // What embed pools with when options say nothing.
  Pooling default_pooling() const;
  const Engine& engine() const { return engine_; }

 private:
  Engine engine_;
};

struct RankScore {
  float score = 0;         // larger is more relevant
  int64_t n_tokens = 0;    // of query and document
  bool truncated = false;  // the document was longer than the model's context and was cut
};

// A query beside each document to one score, by a model with a classifier (BERT cross-encoder) or, for causal models
// without one, by the logits of "yes" against "no" after an instruction (Qwen3-Reranker).
class Ranker {
 public:
  Ranker(std::shared_ptr<const Model> model, EngineOptions options);
  // Raw scores: the classifier's first label, or the log-odds of "yes".
  std::vector<RankScore> rank(const std::string& query, std::span<const std::string> documents);
  std::vector<float> score(const std::string& query, std::span<const std::string> documents);

 private:
  std::vector<TokenId> pair_tokens(const std::string& query, const std::string& document, bool& truncated) const;
  Engine engine_;
  bool by_classifier_;
};

}  // namespace minnow
