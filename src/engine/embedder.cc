#include "engine/embedder.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

EngineOptions with_output(EngineOptions o, GraphOutput output) {
  o.output = output;
  return o;
}

// Collects the rows of one prompt as they come from the engine.
class Pool {
 public:
  Pool(Pooling pooling, std::size_t n_tokens) : pooling_(pooling), n_tokens_(n_tokens) {}

  // The first position whose row is wanted.
  int64_t first() const { return pooling_ == Pooling::kLast ? static_cast<int64_t>(n_tokens_) - 1 : 0; }

  void take(int64_t position, std::span<const float> row) {
    if (pooling_ == Pooling::kMean) {
      sum_.resize(row.size());
      for (std::size_t i = 0; i < row.size(); ++i) sum_[i] += row[i];
    } else if (pooling_ == Pooling::kNone || pooling_ == Pooling::kLast || position == 0) {
      sum_.insert(sum_.end(), row.begin(), row.end());
    }
  }

  std::vector<float> result() const {
    std::vector<float> out;
    const double n = pooling_ == Pooling::kMean ? static_cast<double>(n_tokens_) : 1;
    for (const double v : sum_) out.push_back(static_cast<float>(v / n));
    return out;
  }

 private:
  Pooling pooling_;
  std::size_t n_tokens_;
  std::vector<double> sum_;
};

void normalize(std::vector<float>& v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * x;
  const double length = std::max(std::sqrt(squares), 1e-12);
  for (float& x : v) x = static_cast<float>(x / length);
}

// Tokens that a static model leaves out: it has no vector for what it does not know.
void drop_unknown(const ModelConfig& config, const TokenizerSpec& spec, std::vector<TokenId>& ids) {
  if (config.family->bare_words) std::erase(ids, spec.unk);
}

}  // namespace

Embedder::Embedder(std::shared_ptr<const Model> model, EngineOptions options)
    : engine_(std::move(model), with_output(std::move(options), GraphOutput::kEmbeddings)) {}

Pooling Embedder::default_pooling() const {
  const ModelConfig& c = engine_.model().config;
  if (c.pooling != Pooling::kNone && c.pooling != Pooling::kRank) return c.pooling;
  return c.makes_text() ? Pooling::kLast : Pooling::kMean;
}

std::vector<Embedding> Embedder::embed(std::span<const std::string> texts, const EmbedOptions& options) {
  const Tokenizer& tokenizer = engine_.tokenizer();
  const ModelConfig& config = engine_.model().config;
  const auto room = static_cast<std::size_t>(engine_.max_prompt());
  std::vector<std::vector<TokenId>> prompts;
  std::vector<bool> cut;
  for (const std::string& text : texts) {
    std::vector<TokenId> ids = tokenizer.encode(text, {.add_special = !config.family->bare_words});
    drop_unknown(config, tokenizer.spec(), ids);
    cut.push_back(ids.size() > room);
    if (cut.back() && !options.truncate) {
      throw Error(ErrorCode::kLimit, fmt::format("a text has {} tokens, the model takes {}", ids.size(), room), "shorten it, or let it be cut");
    }
    if (cut.back()) {  // what the tokenizer put at the end stays there
      const TokenId last = ids.back();
      const bool keeps_end = tokenizer.is_control(last);
      ids.resize(room);
      if (keeps_end) ids.back() = last;
    }
    prompts.push_back(std::move(ids));
  }
  std::vector<Embedding> all = embed_tokens(prompts, options);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].truncated = cut[i];
  return all;
}

std::vector<Embedding> Embedder::embed_tokens(std::span<const std::vector<TokenId>> prompts, const EmbedOptions& options) {
  const ModelConfig& config = engine_.model().config;
  const int64_t width = config.n_embd;
  if (options.dimensions < 0 || options.dimensions > width) {
    fail(ErrorCode::kInvalidInput, "{} dimensions: the model's vectors have {}", options.dimensions, width);
  }
  const Pooling pooling = options.pooling == Pooling::kNone ? default_pooling() : options.pooling;
  if (pooling == Pooling::kRank) fail(ErrorCode::kInvalidInput, "pooling by rank gives scores, not embeddings; use 'minnow rerank'");
  // Shared with the requests: one of them may still run when another throws.
  std::vector<std::shared_ptr<Pool>> pools;
  for (const auto& ids : prompts) pools.push_back(std::make_shared<Pool>(pooling, ids.size()));
  std::vector<std::unique_ptr<Generation>> running;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (prompts[i].empty()) continue;
    GenerateRequest request{.prompt = prompts[i], .max_tokens = 0};
    request.first_logits = pools[i]->first();
    request.on_prompt_logits = [pool = pools[i]](int64_t position, std::span<const float> row) { pool->take(position, row); };
    running.push_back(engine_.submit(std::move(request)));
  }
  for (auto& generation : running) generation->wait();

  std::vector<Embedding> all;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    Embedding e{pools[i]->result(), static_cast<int64_t>(prompts[i].size()), false};
    if (prompts[i].empty()) e.vector.assign(static_cast<std::size_t>(width), 0.0f);  // no words, no direction
    if (options.dimensions > 0) e.vector.resize(static_cast<std::size_t>(options.dimensions));
    if (options.normalize && config.normalized_embeddings) normalize(e.vector);
    all.push_back(std::move(e));
  }
  return all;
}

namespace {

constexpr std::string_view kJudgePrompt =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    "Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a web search query, "
    "retrieve relevant passages that answer the query\n<Query>: ";
constexpr std::string_view kJudgeDocument = "\n<Document>: ";
constexpr std::string_view kJudgeEnd = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

bool has_classifier(const Model& model) { return model.weights.find("cls.output.weight") != nullptr; }

}  // namespace

Ranker::Ranker(std::shared_ptr<const Model> model, EngineOptions options)
    : engine_(model, with_output(std::move(options), has_classifier(*model) ? GraphOutput::kScores : GraphOutput::kLogits)),
      by_classifier_(has_classifier(*model)) {
  bool judges = true;
  for (const char* word : {"yes", "no", "<|im_start|>"}) judges &= engine_.tokenizer().find(word) != kNoToken;
  const Tensor* labels = model->weights.find("cls.output.weight");
  if (labels != nullptr && labels->shape[0] != 1) {
    fail(ErrorCode::kUnsupported, "{}: a classifier of {} labels does not rank, that takes one", model->path.string(), labels->shape[0]);
  }
  if (!by_classifier_ && !judges) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: not a reranker", model->path.string()),
                "ranking needs a model with a classifier, such as a BERT cross-encoder, or Qwen3-Reranker");
  }
}

std::vector<TokenId> Ranker::pair_tokens(const std::string& query, const std::string& document, bool& truncated) const {
  const Tokenizer& tokenizer = engine_.tokenizer();
  const auto room = static_cast<std::size_t>(engine_.max_prompt());
  std::vector<TokenId> ids, tail;
  const auto append = [&](std::string_view text, EncodeOptions options) {
    const auto more = tokenizer.encode(text, options);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  if (by_classifier_) {
    append(query, {});  // [CLS] query [SEP]
    const bool closed = !ids.empty() && tokenizer.is_control(ids.back());
    if (closed && engine_.model().config.family->two_separators) ids.push_back(ids.back());
    if (closed) tail = {ids.back()};
  } else {
    append(kJudgePrompt, {.parse_special = true});
    append(query, {.add_special = false});
    append(kJudgeDocument, {.add_special = false});
    tail = tokenizer.encode(kJudgeEnd, {.add_special = false, .parse_special = true});
  }
  if (ids.size() + tail.size() > room) {
    fail(ErrorCode::kLimit, "the query alone has {} tokens, the model takes {}", ids.size(), room);
  }
  append(document, {.add_special = false});
  truncated = ids.size() > room - tail.size();
  ids.resize(std::min(ids.size(), room - tail.size()));
  ids.insert(ids.end(), tail.begin(), tail.end());
  if (ids.empty()) fail(ErrorCode::kInvalidInput, "query and document are both empty");
  return ids;
}

std::vector<float> Ranker::score(const std::string& query, std::span<const std::string> documents) {
  std::vector<float> scores;
  for (const RankScore& s : rank(query, documents)) scores.push_back(s.score);
  return scores;
}

std::vector<RankScore> Ranker::rank(const std::string& query, std::span<const std::string> documents) {
  const Tokenizer& tokenizer = engine_.tokenizer();
  const auto yes = static_cast<std::size_t>(std::max(0, tokenizer.find("yes"))), no = static_cast<std::size_t>(std::max(0, tokenizer.find("no")));
  const auto n_query = static_cast<int64_t>(by_classifier_ ? tokenizer.encode(query).size() : 0);
  const auto scores = std::make_shared<std::vector<RankScore>>(documents.size());  // shared with the requests, as above
  std::vector<std::unique_ptr<Generation>> running;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    bool truncated = false;
    GenerateRequest request{.prompt = pair_tokens(query, documents[i], truncated), .max_tokens = 0};
    (*scores)[i].n_tokens = static_cast<int64_t>(request.prompt.size());
    (*scores)[i].truncated = truncated;
    const auto last = static_cast<int64_t>(request.prompt.size()) - 1;
    // A classifier of an encoder sits on the first token, one of a causal model on the last.
    const int64_t at = by_classifier_ && !engine_.model().config.makes_text() ? 0 : last;
    request.first_logits = at;
    if (by_classifier_) request.second_segment = n_query;
    request.on_prompt_logits = [=, classifies = by_classifier_](int64_t position, std::span<const float> row) {
      if (position == at) (*scores)[i].score = classifies ? row[0] : row[yes] - row[no];
    };
    running.push_back(engine_.submit(std::move(request)));
  }
  for (auto& generation : running) generation->wait();
  return *scores;
}

}  // namespace minnow
