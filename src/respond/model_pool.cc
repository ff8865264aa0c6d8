#include "respond/model_pool.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include "base/error.h"
#include "respond/local_model.h"
#include "respond/model_names.h"

namespace minnow {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

// Longer than this is for ever: additions to the clock would not hold it.
constexpr nanoseconds kForever = std::chrono::hours(24 * 365 * 100);

struct Slot {
  ModelEntry entry;
  std::shared_ptr<LoadedModel> model;  // null while it is being loaded
  bool has_room = false;               // is, or may be, in memory
  std::exception_ptr failure;          // why loading came to nothing; the slot is not the pool's any more then
  int uses = 0;
  nanoseconds keep{};                  // negative: for ever
  Clock::time_point idle_since;
  bool leaves = false;                 // goes when its last use ends

  bool is_idle() const { return model != nullptr && uses == 0; }
  bool expires() const { return keep >= nanoseconds(0) && keep < kForever; }
};

// Outlives the pool while there are leases.
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<Slot>> slots;  // under mutex, as what follows; loaded, or about to be
  bool stopping = false;

  std::shared_ptr<Slot> find(const std::string& name) const {
    const auto it = std::find_if(slots.begin(), slots.end(), [&](const auto& s) { return s->entry.name == name; });
    return it == slots.end() ? nullptr : *it;
  }
  // What it held; destroyed by the caller when the mutex is free.
  std::shared_ptr<LoadedModel> take_out(const std::shared_ptr<Slot>& slot) {
    std::erase(slots, slot);
    return std::exchange(slot->model, nullptr);
  }
};

void end_use(Shared& shared, const std::shared_ptr<Slot>& slot) {
  std::shared_ptr<LoadedModel> gone;
  {
    const std::lock_guard lock(shared.mutex);
    slot->idle_since = Clock::now();
    if (--slot->uses == 0 && slot->model && (slot->leaves || slot->keep == nanoseconds(0))) gone = shared.take_out(slot);
  }
  shared.changed.notify_all();
}

// The end of this starts the model's keep-alive.
std::shared_ptr<void> begin_use(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Slot>& slot, KeepAlive keep) {
  if (keep) {
    slot->keep = *keep;
    slot->leaves = false;
  }
  auto use = std::shared_ptr<void>(nullptr, [shared, slot](void*) { end_use(*shared, slot); });
  ++slot->uses;
  return use;
}

}  // namespace

struct ModelPool::Impl {
  Impl(PoolOptions o, Loader l) : options(std::move(o)), loader(std::move(l)), names(options.folders), first_name(options.default_model) {
    reaper = std::thread([this] { reap(); });
  }

  ~Impl() {
    std::vector<std::shared_ptr<Slot>> gone;
    {
      const std::lock_guard lock(shared->mutex);
      shared->stopping = true;
      gone = std::exchange(shared->slots, {});
      for (const auto& slot : gone) slot->leaves = true;
    }
    shared->changed.notify_all();
    reaper.join();
  }

  [[noreturn]] void refuse(const ModelEntry& entry, const std::string& reason) const;
  std::shared_ptr<LoadedModel> loaded(const ModelEntry& entry) const;
  std::shared_ptr<LoadedModel> with_end(std::shared_ptr<LoadedModel> model) const;
  void reap();
  void load(const std::shared_ptr<Slot>& slot);
  void make_room(const std::shared_ptr<Slot>& slot);

  const PoolOptions options;
  const Loader loader;
  const std::shared_ptr<Shared> shared = std::make_shared<Shared>();
  mutable std::mutex names_mutex;
  mutable ModelNames names;  // under names_mutex, as what follows
  std::string first_name;
  std::thread reaper;
};

// Gives back models whose time is over.
void ModelPool::Impl::reap() {
  std::unique_lock lock(shared->mutex);
  while (!shared->stopping) {
    const auto now = Clock::now();
    auto next = now + std::chrono::hours(24);
    std::vector<std::shared_ptr<LoadedModel>> gone;
    for (const auto& slot : std::vector(shared->slots)) {
      if (!slot->is_idle() || !slot->expires()) continue;
      const auto end = slot->idle_since + slot->keep;
      if (end <= now) gone.push_back(shared->take_out(slot));
      else next = std::min(next, end);
    }
    if (gone.empty()) {
      shared->changed.wait_until(lock, next);
      continue;
    }
    lock.unlock();
    gone.clear();
    shared->changed.notify_all();
    lock.lock();
  }
}

// Waits until fewer than max_loaded others are in memory, or about to be; those that were idle longest go.
void ModelPool::Impl::make_room(const std::shared_ptr<Slot>& slot) {
  const auto deadline = Clock::now() + options.room_wait;
  std::unique_lock lock(shared->mutex);
  const auto n_others = [&] { return std::count_if(shared->slots.begin(), shared->slots.end(), [](const auto& s) { return s->has_room; }); };
  while (n_others() >= std::max(1, options.max_loaded)) {
    std::shared_ptr<Slot> oldest;
    for (const auto& s : shared->slots) {
      if (s->is_idle() && (!oldest || s->idle_since < oldest->idle_since)) oldest = s;
    }
    if (oldest) {
      auto gone = shared->take_out(oldest);
      lock.unlock();
      gone.reset();
      lock.lock();
    } else if (shared->changed.wait_until(lock, deadline) == std::cv_status::timeout) {
      throw Error(ErrorCode::kCancelled,
                  fmt::format("{}: cannot be loaded now, all {} models that may be are in use", slot->entry.name, n_others()), "try again later");
    }
  }
  slot->has_room = true;
}

void ModelPool::Impl::refuse(const ModelEntry& entry, const std::string& reason) const {
  if (options.on_failure) options.on_failure(entry, reason);
  throw ModelNotLoaded(entry.name, reason);
}

// May outlive the pool, as leases do.
std::shared_ptr<LoadedModel> ModelPool::Impl::with_end(std::shared_ptr<LoadedModel> model) const {
  if (!options.on_end) return model;
  LoadedModel* const it = model.get();
  return {it, [model = std::move(model), on_end = options.on_end](LoadedModel* m) mutable {
            on_end(*m);
            model.reset();
          }};
}

std::shared_ptr<LoadedModel> ModelPool::Impl::loaded(const ModelEntry& entry) const {
  std::string reason = "the loader gave no model";
  try {
    if (auto model = loader(entry)) return with_end(std::move(model));
  } catch (const std::bad_alloc&) {
    throw;  // later there may be enough
  } catch (const std::exception& error) {
    reason = error.what();
  }
  refuse(entry, reason);
}

void ModelPool::Impl::load(const std::shared_ptr<Slot>& slot) {
  try {
    make_room(slot);
    auto model = loaded(slot->entry);
    const std::lock_guard lock(shared->mutex);
    slot->model = std::move(model);
  } catch (...) {
    {
      const std::lock_guard lock(shared->mutex);
      slot->failure = std::current_exception();
      std::erase(shared->slots, slot);
    }
    shared->changed.notify_all();
    throw;
  }
  shared->changed.notify_all();
}

ModelPool::ModelPool(PoolOptions options)
    : ModelPool(options, [engine = options.engine](const ModelEntry& entry) { return load_local_model(entry, engine); }) {}

ModelPool::ModelPool(PoolOptions options, Loader loader) : impl_(std::make_unique<Impl>(std::move(options), std::move(loader))) {}

ModelPool::~ModelPool() = default;

void ModelPool::add(const std::filesystem::path& path) { add(model_entry(path)); }

void ModelPool::add(ModelEntry entry) {
  const std::lock_guard lock(impl_->names_mutex);
  const std::string name = entry.name;
  impl_->names.add(std::move(entry));
  if (impl_->first_name.empty()) impl_->first_name = name;
}

std::vector<ModelEntry> ModelPool::list() const {
  const std::lock_guard lock(impl_->names_mutex);
  impl_->names.read_folders();
  return impl_->names.all();
}

std::vector<std::string> ModelPool::hidden() const {
  const std::lock_guard lock(impl_->names_mutex);
  impl_->names.read_folders();
  return impl_->names.hidden();
}

ModelEntry ModelPool::find(const std::string& name) const {
  const std::lock_guard lock(impl_->names_mutex);
  for (const bool again : {false, true}) {
    if (again) impl_->names.read_folders();
    if (const ModelEntry* entry = impl_->names.find(name)) return *entry;
  }
  const std::string nearest = impl_->names.nearest(name);
  throw UnknownModel(name, nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest));
}

ModelLease ModelPool::acquire(const std::string& name, KeepAlive keep_alive) {
  const ModelEntry entry = find(name);
  const std::shared_ptr<Shared>& shared = impl_->shared;
  ModelLease lease;
  std::shared_ptr<Slot> mine;
  std::vector<std::shared_ptr<LoadedModel>> gone;  // before the lock, to go after it
  {
    std::unique_lock lock(shared->mutex);
    while (auto slot = shared->find(entry.name)) {
      if (!slot->model) shared->changed.wait(lock, [&] { return slot->model || slot->failure || shared->find(entry.name) != slot; });
      if (slot->failure) std::rethrow_exception(slot->failure);
      if (!slot->model) continue;  // it has gone meanwhile
      if (slot->model->is_damaged()) {
        gone.push_back(shared->take_out(slot));  // those who use it keep it until their answers have failed
        continue;
      }
      lease.model_ = slot->model;
      lease.use_ = begin_use(shared, slot, keep_alive);
      return lease;
    }
    mine = std::make_shared<Slot>();
    mine->entry = entry;
    mine->keep = impl_->options.keep_alive;
    lease.use_ = begin_use(shared, mine, keep_alive);
    shared->slots.push_back(mine);
  }
  gone.clear();
  impl_->load(mine);
  lease.loaded_now_ = true;
  const std::lock_guard lock(shared->mutex);
  lease.model_ = mine->model;
  return lease;
}

Model ModelPool::read(const ModelEntry& entry) const {
  try {
    return load_model(entry.path);
  } catch (const Error& error) {
    impl_->refuse(entry, error.what());
  }
}

std::vector<ModelPool::Loaded> ModelPool::loaded() const {
  std::vector<std::pair<std::shared_ptr<LoadedModel>, Loaded>> found;
  {
    const std::lock_guard lock(impl_->shared->mutex);
    const auto now = Clock::now();
    for (const auto& slot : impl_->shared->slots) {
      if (!slot->model) continue;
      Loaded l{.entry = slot->entry, .uses = slot->uses, .remaining = std::nullopt};
      if (slot->expires()) l.remaining = slot->uses > 0 ? slot->keep : std::max(nanoseconds(0), nanoseconds(slot->idle_since + slot->keep - now));
      found.emplace_back(slot->model, std::move(l));
    }
  }
  std::vector<Loaded> all;
  for (auto& [model, l] : found) {
    l.bytes = model->memory_bytes();
    l.n_ctx = model->n_ctx();
    all.push_back(std::move(l));
  }
  return all;
}

void ModelPool::for_each_loaded(const std::function<void(LoadedModel&)>& visit) const {
  std::vector<std::shared_ptr<LoadedModel>> models;
  {
    const std::lock_guard lock(impl_->shared->mutex);
    for (const auto& slot : impl_->shared->slots) {
      if (slot->model) models.push_back(slot->model);
    }
  }
  for (const auto& model : models) visit(*model);
}

bool ModelPool::unload(const std::string& name) {
  const ModelEntry entry = find(name);
  std::shared_ptr<LoadedModel> gone;
  {
    const std::lock_guard lock(impl_->shared->mutex);
    const auto slot = impl_->shared->find(entry.name);
    if (!slot) return false;
    slot->leaves = true;
    if (slot->is_idle()) gone = impl_->shared->take_out(slot);
  }
  impl_->shared->changed.notify_all();
  return true;
}

int64_t ModelPool::context_of(int64_t n_ctx_train) const {
  const int64_t n_ctx = impl_->options.engine.n_ctx;
  return n_ctx > 0 ? n_ctx : std::min(n_ctx_train, kDefaultContext);
}

const std::string& ModelPool::default_model() const {
  const std::lock_guard lock(impl_->names_mutex);
  return impl_->first_name;
}

}  // namespace minnow
