// Events of a prepared answer into the bytes of its dialect. Pure: nothing here waits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "serve/answer_format.h"
#include "serve/observer.h"

namespace minnow {

class AnswerPump {
 public:
  explicit AnswerPump(PreparedAnswer& answer);

  struct Taken {
    std::size_t events = 0;
    int64_t tokens = 0;
    bool more = false;  // `max_bytes` were reached before there were no more events
  };
  // Takes events that are ready, of all choices. Of a stream they go through the format to `out`; else they are kept for whole().
  Taken take(std::string& out, std::size_t max_bytes);

  bool is_done() const { return n_done_ == answer_.answers.size() && !error_; }
  // An answer ended with an error, or was cancelled by somebody else. Nothing is taken after it.
  const std::optional<Error>& error() const { return error_; }
  // After is_done(), once.
  HttpResponse whole() { return answer_.format->whole(replies_); }
  void cancel();
  // After cancel(): takes what is left and throws it away, but for what it cost. True: all choices have ended.
  bool settle();

  // Adds what the choices cost so far; how much of their prompts was read they tell at their end.
  void add_facts(RequestFacts& facts) const;

 private:
  void take_event(std::size_t choice, const ChatEvent& event, std::string& out);
  void note(std::size_t choice, const ChatEvent& event);

  PreparedAnswer& answer_;
  std::vector<ChatReply> replies_;  // of a stream: ends only
  std::vector<bool> done_;
  std::vector<int64_t> generated_;
  std::size_t n_done_ = 0;
  std::optional<Error> error_;
};

}  // namespace minnow
