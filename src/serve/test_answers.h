// Answers that tests make up, without an engine.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "engine/engine.h"
#include "respond/chat_answer.h"
#include "serve/answer_format.h"

namespace minnow::testing_answers {

// Events as the test says them. Shared by the test and the answer.
struct Script {
  void say(const std::string& text) { push({.text = text, .tokens = {1}}); }
  void end(FinishReason reason = FinishReason::kEndOfText, const std::string& error = {}) {
    Event event{.done = true, .reason = reason, .error = error};
    event.stats.prompt_tokens = 3;
    event.stats.generated_tokens = 2;
    push(std::move(event));
  }
  void push(Event event) {
    std::function<void()> tell;
    {
      const std::lock_guard lock(mutex);
      events.push_back(std::move(event));
      tell = on_event;
    }
    if (tell) tell();
  }

  std::mutex mutex;
  std::deque<Event> events;
  std::function<void()> on_event;
  std::atomic<bool> cancelled = false;
};

class ScriptedSource final : public AnswerSource {
 public:
  explicit ScriptedSource(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  ~ScriptedSource() override { cancel(); }

  Event next() override { return try_next().value(); }
  std::optional<Event> next_for(std::chrono::milliseconds) override { return try_next(); }
  std::optional<Event> try_next() override {
    const std::lock_guard lock(script_->mutex);
    if (script_->events.empty()) return std::nullopt;
    Event event = std::move(script_->events.front());
    script_->events.pop_front();
    return event;
  }
  void cancel() override {
    if (!script_->cancelled.exchange(true)) script_->end(FinishReason::kCancelled);
  }

 private:
  std::shared_ptr<Script> script_;
};

// "<begin>", "0:text;" for each piece of choice 0, "0.;" for its end, "<end>", "<error: …>".
class PlainFormat final : public AnswerFormat {
 public:
  void begin(std::string& out) override { out += "<begin>"; }
  void event(int index, const ChatEvent& event, std::string& out) override {
    for (const ChatOutputEvent& e : event.output) out += std::to_string(index) + ":" + e.text + ";";
    if (event.done) out += std::to_string(index) + ".;";
  }
  void end(std::string& out) override { out += "<end>"; }
  void error(const Error& error, std::string& out) override { out += std::string("<error: ") + error.what() + ">"; }
  std::string_view ping() const override { return "<ping>"; }
  HttpResponse whole(const std::vector<ChatReply>& replies) override {
    HttpResponse out{.content_type = "text/plain"};
    for (const ChatReply& reply : replies) out.body += reply.content + "|";
    return out;
  }
};

inline std::unique_ptr<PreparedAnswer> answer_of(const std::vector<std::shared_ptr<Script>>& scripts, bool stream) {
  auto out = std::make_unique<PreparedAnswer>();
  out->format = std::make_unique<PlainFormat>();
  out->stream = stream;
  auto* raw = out.get();
  out->start = [scripts, raw](const std::function<void()>& on_event) {
    for (const auto& script : scripts) {
      {
        const std::lock_guard lock(script->mutex);
        script->on_event = on_event;
      }
      raw->answers.push_back(std::make_unique<ChatAnswer>(std::make_unique<ScriptedSource>(script), std::optional<ChatOutputParser>()));
    }
  };
  return out;
}

}  // namespace minnow::testing_answers
