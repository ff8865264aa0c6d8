#include "respond/local_model.h"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/error.h"
#include "base/file.h"

namespace minnow {
namespace {

class LocalModel final : public LoadedModel {
 public:
  LocalModel(const ModelEntry& entry, const EngineOptions& options)
      : begun_(Clock::now()), entry_(entry), options_(options), model_(std::make_shared<const Model>(load_model(entry.path))), files_(model_->weights.files()) {
    if (model_->config.makes_text()) {
      engine_ = std::make_unique<Engine>(model_, options_);
      // Without a tokenizer there are no chats and no texts, but token ids can still be gone on from through the engine.
      if (engine_->has_tokenizer()) responder_ = std::make_unique<LocalResponder>(*engine_, std::string(), ChatTemplateNeed::kOptional);
    } else {
      embedder();
    }
    load_seconds_ = std::chrono::duration<double>(Clock::now() - begun_).count();
  }

  const ModelEntry& entry() const override { return entry_; }
  const Model& model() const override { return *model_; }
  double load_seconds() const override { return load_seconds_; }

  Responder& responder() override {
    engine();
    if (!responder_) throw Error(ErrorCode::kUnsupported, fmt::format("{}: this model came without a tokenizer", entry_.name), "it cannot take text");
    return *responder_;
  }

  Engine& engine() override {
    if (!engine_) {
      throw Error(ErrorCode::kUnsupported, fmt::format("{}: this model makes no text", entry_.name), "it is for embeddings or ranking");
    }
    return *engine_;
  }

  Embedder& embedder() override {
    const std::lock_guard lock(mutex_);
    if (!embedder_) embedder_ = made<Embedder>();
    return *embedder_;
  }

  Ranker& ranker() override {
    const std::lock_guard lock(mutex_);
    if (!ranker_) ranker_ = made<Ranker>();
    return *ranker_;
  }

  uint64_t memory_bytes() const override {
    uint64_t bytes = model_->file_bytes;
    if (engine_) bytes += engine_->packed_bytes() + engine_->kv_bytes();
    const std::lock_guard lock(mutex_);
    if (embedder_) bytes += embedder_->engine().packed_bytes() + embedder_->engine().kv_bytes();
    return bytes;
  }

  bool is_damaged() const override {
    return std::any_of(files_.begin(), files_.end(), [](const auto& file) { return file->is_damaged(); });
  }

  int64_t n_ctx() const override {
    if (engine_) return engine_->n_ctx();
    const std::lock_guard lock(mutex_);
    return embedder_ ? embedder_->engine().n_ctx() : model_->config.n_ctx_train;
  }

 private:
  // Errors name the model and not its path, which is no client's business.
  template <typename T>
  std::unique_ptr<T> made() const {
    try {
      return std::make_unique<T>(model_, options_);
    } catch (const Error& error) {
      std::string text = error.what();
      const std::string path = model_->path.string();
      for (std::size_t at = 0; !path.empty() && (at = text.find(path, at)) != std::string::npos; at += entry_.name.size()) {
        text.replace(at, path.size(), entry_.name);
      }
      throw Error(error.code(), text);
    }
  }

  using Clock = std::chrono::steady_clock;

  Clock::time_point begun_;
  ModelEntry entry_;
  EngineOptions options_;
  std::shared_ptr<const Model> model_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LocalResponder> responder_;
  mutable std::mutex mutex_;
  std::unique_ptr<Embedder> embedder_;  // under mutex_, as what follows
  std::unique_ptr<Ranker> ranker_;
  double load_seconds_ = 0;
};

}  // namespace

std::shared_ptr<LoadedModel> load_local_model(const ModelEntry& entry, const EngineOptions& options) {
  return std::make_shared<LocalModel>(entry, options);
}

}  // namespace minnow
