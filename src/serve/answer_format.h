// How a dialect writes an answer down. Pure: events in, bytes out; one object for each request.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "respond/chat_answer.h"
#include "respond/model_pool.h"
#include "serve/http_types.h"

namespace minnow {

class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  // --- streamed: each call adds bytes to `out`, which are sent at once when not empty
  virtual void begin(std::string& out) { (void)out; }
  // An event of choice `index`; event.done is set in its last one, which is never an error's.
  virtual void event(int index, const ChatEvent& event, std::string& out) = 0;
  // All choices are done.
  virtual void end(std::string& out) = 0;
  // Something failed after the first byte. Ends the stream; end() is not called.
  virtual void error(const Error& error, std::string& out) = 0;
  virtual std::string_view stream_content_type() const { return "text/event-stream"; }
  // Sent while nothing else is: ":\n\n" where the framing has comments, else nothing.
  virtual std::string_view ping() const { return ":\n\n"; }

  // --- whole: all choices, in order
  virtual HttpResponse whole(const std::vector<ChatReply>& replies) = 0;
};

// What a handler gives when models are to answer.
class PreparedAnswer {
 public:
  ModelLease model;                                   // keeps the model loaded
  std::vector<std::unique_ptr<ChatAnswer>> answers;   // one for each choice; running, or started by `start`
  std::unique_ptr<AnswerFormat> format;
  bool stream = false;
  int64_t max_tokens = -1;                            // of a choice; -1: until the context is full
  std::vector<std::pair<std::string, std::string>> headers;  // besides content type

  // Submits choice after choice; `on_event` is to be called, from any thread, when an answer has a new event.
  // Called once, on a worker thread, before the first byte is sent: what it throws is still an error document.
  std::function<void(std::function<void()> on_event)> start;
};

}  // namespace minnow
