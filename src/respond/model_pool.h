// Models by name: loaded when first asked for, kept for a while, given back when nobody uses them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/embedder.h"
#include "respond/responder.h"

namespace minnow {

// How long a model stays after its last use: nullopt: as was last said for it, at first by the pool; negative: for ever; zero: not
// at all.
using KeepAlive = std::optional<std::chrono::nanoseconds>;

struct ModelEntry {
  std::string name;            // the file's stem
  std::filesystem::path path;
  uint64_t bytes = 0;
  int64_t modified_unix = 0;
};

// One loaded model and everything that answers with it. All functions may be called from any thread.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;
  virtual const ModelEntry& entry() const = 0;
  virtual const Model& model() const = 0;
  virtual Responder& responder() = 0;  // throws kUnsupported for a model that makes no text
  virtual Engine& engine() = 0;        // of the responder
  virtual Embedder& embedder() = 0;    // made when first asked for; throws kUnsupported
  virtual Ranker& ranker() = 0;        // likewise
  virtual double load_seconds() const = 0;
  virtual uint64_t memory_bytes() const { return entry().bytes; }  // weights and cache
  virtual int64_t n_ctx() const { return 0; }
  // Its file became shorter while it was in use: nothing that it makes is right any more. Cheap.
  virtual bool is_damaged() const { return false; }
};

// kNotFound: no model has this name.
class UnknownModel : public Error {
 public:
  explicit UnknownModel(std::string_view name, const std::string& hint = {})
      : Error(ErrorCode::kNotFound, fmt::format("model '{}' not found", name), hint) {}
};

// kIo: a model that there is cannot be loaded. Clients learn its name; the reason, with paths and all, is the operator's.
class ModelNotLoaded : public Error {
 public:
  ModelNotLoaded(std::string_view name, std::string reason)
      : Error(ErrorCode::kIo, fmt::format("model '{}' cannot be loaded", name), "the server's log says why"), reason_(std::move(reason)) {}
  const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

class ModelPool;

// Keeps a model in memory while it lives.
class ModelLease {
 public:
  ModelLease() = default;
  LoadedModel* operator->() const { return model_.get(); }
  LoadedModel& operator*() const { return *model_; }
  explicit operator bool() const { return model_ != nullptr; }
  bool was_loaded_now() const { return loaded_now_; }

 private:
  friend class ModelPool;
  std::shared_ptr<LoadedModel> model_;
  std::shared_ptr<void> use_;  // its end starts the model's keep-alive
  bool loaded_now_ = false;
};

struct PoolOptions {
  EngineOptions engine;                              // for models that generate
  std::chrono::nanoseconds keep_alive = std::chrono::minutes(5);
  int max_loaded = 3;                                // the one that was idle longest makes room
  std::vector<std::filesystem::path> folders = {};   // every *.gguf in them has a name
  std::string default_model = {};                    // empty: the first that is added
  std::chrono::milliseconds room_wait = std::chrono::seconds(10);  // for one to be idle when max_loaded are in use
  // Just before a loaded model goes, with nobody using it any more; any thread. It must not throw, nor use the pool.
  std::function<void(LoadedModel&)> on_end = {};
  std::function<void(const ModelEntry&, const std::string& reason)> on_failure = {};  // a load that came to nothing; any thread
};

class ModelPool {
 public:
  using Loader = std::function<std::shared_ptr<LoadedModel>(const ModelEntry&)>;

  explicit ModelPool(PoolOptions options);
  // For tests: another way to load, and models that have no file.
  ModelPool(PoolOptions options, Loader loader);
  ~ModelPool();

  // Names a file. Throws kNotFound, or kInvalidInput for a name that is taken by another file.
  void add(const std::filesystem::path& path);
  void add(ModelEntry entry);

  // All that have a name, sorted; folders are read again.
  std::vector<ModelEntry> list() const;
  // Files in folders, read again, that have no name of their own; a line for each.
  std::vector<std::string> hidden() const;
  // NAME, NAME:latest or NAME.gguf, in any case. Throws kNotFound, with the nearest name.
  ModelEntry find(const std::string& name) const;
  // Loads it if it is not loaded, and anew if it is damaged; waits for somebody else's load. Throws
  // ModelNotLoaded, and kCancelled when there is no room.
  ModelLease acquire(const std::string& name, KeepAlive keep_alive = {});

  // What its file holds, without making it ready. Throws ModelNotLoaded.
  Model read(const ModelEntry& entry) const;

  struct Loaded {
    ModelEntry entry;
    uint64_t bytes = 0;                                     // weights and cache in memory
    int64_t n_ctx = 0;
    int uses = 0;
    std::optional<std::chrono::nanoseconds> remaining;      // nullopt: for ever
  };
  std::vector<Loaded> loaded() const;
  // Of those that are loaded; for metrics. The function must not block.
  void for_each_loaded(const std::function<void(LoadedModel&)>& visit) const;
  // False: it is not loaded. One in use goes when its last lease ends.
  bool unload(const std::string& name);
  const std::string& default_model() const;
  // The context that a model which was trained on `n_ctx_train` positions is loaded with.
  int64_t context_of(int64_t n_ctx_train) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minnow
