#include "respond/null_model.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

// What an answer and the one that makes it share.
struct Stream {
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<Event> waiting;  // under mutex, as what follows; a slow reader gets one larger event
  bool cancelled = false;
  std::mutex callback;
  std::function<void()> on_event;  // under callback
  int64_t n_prompt = 0, n_tokens = 0, n_made = 0;  // the maker's own
  bool is_over = false;                            // the maker's own: the last event was sent

  void push(Event event) {
    {
      const std::lock_guard lock(mutex);
      if (waiting) {
        event.text.insert(0, waiting->text);
        event.tokens.insert(event.tokens.begin(), waiting->tokens.begin(), waiting->tokens.end());
      }
      waiting = std::move(event);
    }
    arrived.notify_all();
    const std::lock_guard lock(callback);
    if (on_event) on_event();
  }
};

class NullSource final : public AnswerSource {
 public:
  explicit NullSource(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~NullSource() override {
    cancel();
    std::function<void()> gone;
    const std::lock_guard lock(stream_->callback);
    gone.swap(stream_->on_event);
  }

  Event next() override {
    std::unique_lock lock(stream_->mutex);
    stream_->arrived.wait(lock, [&] { return stream_->waiting.has_value(); });
    return *std::exchange(stream_->waiting, std::nullopt);
  }
  std::optional<Event> next_for(std::chrono::milliseconds timeout) override {
    std::unique_lock lock(stream_->mutex);
    stream_->arrived.wait_for(lock, timeout, [&] { return stream_->waiting.has_value(); });
    return std::exchange(stream_->waiting, std::nullopt);
  }
  std::optional<Event> try_next() override { return next_for(std::chrono::milliseconds(0)); }
  void cancel() override {
    const std::lock_guard lock(stream_->mutex);
    stream_->cancelled = true;
  }

 private:
  std::shared_ptr<Stream> stream_;
};

// Makes the tokens of all answers, on a thread of its own.
class Maker {
 public:
  explicit Maker(const NullModelOptions& options) : options_(options), thread_([this] { run(); }) {}
  ~Maker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void add(std::shared_ptr<Stream> stream) {
    {
      const std::lock_guard lock(mutex_);
      streams_.push_back(std::move(stream));
    }
    wake_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      wake_.wait(lock, [&] { return stopping_ || !streams_.empty(); });
      const auto streams = streams_;
      lock.unlock();
      for (const auto& s : streams) step(*s);
      lock.lock();
      std::erase_if(streams_, [](const auto& s) { return s->is_over; });
      if (options_.interval.count() > 0) wake_.wait_for(lock, options_.interval, [&] { return stopping_; });
    }
    for (const auto& s : streams_) finish(*s, {}, FinishReason::kCancelled);
  }

  void step(Stream& s) {
    bool cancelled;
    {
      const std::lock_guard lock(s.mutex);
      cancelled = s.cancelled;
    }
    if (cancelled) return finish(s, {}, FinishReason::kCancelled);
    Event event;
    const int64_t n = options_.interval.count() > 0 ? std::min<int64_t>(1, s.n_tokens - s.n_made) : s.n_tokens - s.n_made;
    for (int64_t i = 0; i < n; ++i) {
      event.text += options_.token_text;
      event.tokens.push_back(static_cast<TokenId>('w'));
    }
    s.n_made += n;
    if (s.n_made >= s.n_tokens) return finish(s, std::move(event), s.n_tokens < options_.n_tokens ? FinishReason::kMaxTokens : FinishReason::kEndOfText);
    s.push(std::move(event));
  }

  void finish(Stream& s, Event event, FinishReason reason) {
    event.done = true;
    event.reason = reason;
    event.stats = {.prompt_tokens = s.n_prompt, .generated_tokens = s.n_made};
    s.is_over = true;
    s.push(std::move(event));
  }

  const NullModelOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Stream>> streams_;  // under mutex_
  bool stopping_ = false;                         // under mutex_
  std::thread thread_;
};

std::vector<TokenId> bytes_as_tokens(std::string_view text) {
  std::vector<TokenId> tokens;
  for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
  return tokens;
}

class NullResponder final : public Responder {
 public:
  explicit NullResponder(const NullModelOptions& options) : options_(options), maker_(options) {}

  std::unique_ptr<ChatAnswer> respond(ChatRequest request) override {
    return start(prompt(request).size(), request.max_tokens, std::move(request.on_event));
  }
  std::unique_ptr<ChatAnswer> complete(TextRequest request) override {
    return start(prompt(request).size(), request.max_tokens, std::move(request.on_event));
  }
  std::vector<TokenId> prompt(const ChatRequest& request) const override { return bytes_as_tokens(render(request)); }
  std::vector<TokenId> prompt(const TextRequest& request) const override {
    const std::string* text = std::get_if<std::string>(&request.prompt);
    return text != nullptr ? bytes_as_tokens(*text) : std::get<std::vector<TokenId>>(request.prompt);
  }
  std::string render(const ChatRequest& request) const override { return request.messages.dump(); }
  ResponderCapabilities capabilities() const override { return {.chat = true, .tools = true, .thinking = true, .insert = true}; }

 private:
  std::unique_ptr<ChatAnswer> start(std::size_t n_prompt, int64_t max_tokens, std::function<void()> on_event) {
    auto stream = std::make_shared<Stream>();
    stream->on_event = std::move(on_event);
    stream->n_prompt = static_cast<int64_t>(n_prompt);
    stream->n_tokens = max_tokens >= 0 ? std::min(max_tokens, options_.n_tokens) : options_.n_tokens;
    auto answer = std::make_unique<ChatAnswer>(std::make_unique<NullSource>(stream), plain_reader());
    maker_.add(std::move(stream));
    return answer;
  }

  const NullModelOptions options_;
  Maker maker_;
};

class NullModel final : public LoadedModel {
 public:
  NullModel(const ModelEntry& entry, const NullModelOptions& options)
      : entry_(entry), model_(random_model({.family = &kLlama}, 1)), responder_(options) {
    model_.path = entry.path;
  }

  const ModelEntry& entry() const override { return entry_; }
  const Model& model() const override { return model_; }
  Responder& responder() override { return responder_; }
  Engine& engine() override { refuse(); }
  Embedder& embedder() override { refuse(); }
  Ranker& ranker() override { refuse(); }
  double load_seconds() const override { return 0; }

 private:
  [[noreturn]] void refuse() const { fail(ErrorCode::kUnsupported, "{}: computes nothing", entry_.name); }

  ModelEntry entry_;
  Model model_;
  NullResponder responder_;
};

}  // namespace

std::shared_ptr<LoadedModel> null_model(const ModelEntry& entry, const NullModelOptions& options) {
  return std::make_shared<NullModel>(entry, options);
}

}  // namespace minnow
