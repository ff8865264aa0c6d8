// Who wants to know what was served: metrics, token limits, logs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "respond/chat_answer.h"
#include "serve/http_types.h"

namespace minnow {

// What is known of a request; more of it the later one asks. Never prompts, answers or keys.
struct RequestFacts {
  uint64_t number = 0;                // of the request in this server's life: no other has it
  std::string id;                     // for logs; clients may choose it, so that several requests may have the same
  std::string method;
  std::string route;                  // the pattern in the route table; empty when there is none
  Dialect dialect = Dialect::kLlamaServer;
  std::string peer;                   // address, without a port; empty for a Unix socket
  Caller caller;
  uint64_t request_bytes = 0;         // of the body

  std::string model;                  // its API name; empty when none was asked
  bool stream = false;
  int choices = 0;                    // answers of a model; 0 for everything else
  int64_t max_tokens = -1;            // that each of them may have; -1: as the context holds

  // Set at the end.
  int status = 0;                     // 0: the client went away before it got one
  uint64_t response_bytes = 0;        // of the body
  bool client_gone = false;           // before it had all
  double seconds = 0;                 // since the head was read
  std::optional<double> first_token_seconds;  // likewise
  // Over all choices; for whole responses as the handler says.
  int64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
  int64_t longest_tokens = 0;          // generated, of the choice with most of them
  double queue_seconds = 0, prompt_seconds = 0, generation_seconds = 0;  // of the choice that took longest
  std::optional<FinishReason> reason;  // of the first choice, once it ended
  std::string error;                   // the message of what was refused or failed, one line
};

// All functions are called on the thread of all connections: they must not block, nor throw.
class Observer {
 public:
  virtual ~Observer() = default;
  // The head was read and has a route; nothing is known of the caller yet.
  virtual void request_started(const RequestFacts&) {}
  // Of an answer.
  virtual void first_token(const RequestFacts&, double seconds_since_start) { (void)seconds_since_start; }
  // `count` more tokens became ready, so long after those before them.
  virtual void next_tokens(const RequestFacts&, int64_t count, double seconds_since_last) { (void)count, (void)seconds_since_last; }
  // Once for each request, those without a route or even without a readable head (then request_started was not called).
  virtual void request_ended(const RequestFacts&) {}
};

}  // namespace minnow
