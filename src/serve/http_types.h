// What a handler sees of HTTP: no sockets, no threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace minnow {

// Whose words an answer and its errors are in.
enum class Dialect : uint8_t { kOpenAi, kOllama, kAnthropic, kLlamaServer };

// What a key must allow for a route.
enum class Scope : uint8_t {
  kOpen,    // anybody: liveness only
  kInfer,   // use models
  kManage,  // load, unload, and see models and the state of the server
  kAdmin,   // keys and limits
};

// Who asks. Without keys everybody is the same one, who may do everything.
struct Caller {
  std::string key_id;                 // public part of the key; empty without keys
  std::string tenant;                 // shares caches with nobody else
  std::vector<std::string> models;    // allowed ones; empty: all
  bool manages = true;                // allowed what Scope::kManage is for: to say how long models stay in memory
  bool may_use(std::string_view model) const;
};

struct HttpRequest {
  std::string method;                                        // as sent: GET, POST, ...
  std::string path;                                          // decoded, normalized, without the query
  std::vector<std::pair<std::string, std::string>> query;    // decoded
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::vector<std::string> path_values;                      // what stood for {…} in the route, in order
  std::string body;
  std::string id;                                            // of this request, for logs and answers
  Caller caller;

  // Empty when there is none.
  std::string_view header(std::string_view lower_case_name) const;
  std::string_view query_value(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
  // For metrics and token limits: what answers that are no PreparedAnswer cost (embeddings, ranking).
  std::string model = {};
  int64_t prompt_tokens = 0;
  double prompt_seconds = 0;  // that reading them took
};

class PreparedAnswer;  // answer_format.h
struct Services;       // services.h

// Either all there is to say, or an answer that models are about to give.
using Outcome = std::variant<HttpResponse, std::unique_ptr<PreparedAnswer>>;

// Runs on a worker thread and may block. Throws Error, which becomes an error document of the route's dialect.
// Those of GET routes with Scope::kOpen run on the thread of all connections instead, so that a server whose workers are busy is
// still seen to be alive: they must not block.
using Handler = std::function<Outcome(const HttpRequest&, Services&)>;

struct Route {
  std::string method;  // a GET answers HEAD as well
  std::string path;    // "/v1/models/{model}"; the last {…} may hold slashes
  Dialect dialect;
  Scope scope;
  Handler handler;
};
using Routes = std::vector<Route>;

// Whose words an answer of a route of `dialect` is in: Anthropic's clients ask for some of OpenAI's paths, and say who they are.
Dialect dialect_of(const HttpRequest& request, Dialect dialect);

// The error document of a dialect.
HttpResponse error_response(Dialect dialect, int status, std::string_view message, std::string_view request_id = {});
// The same for what was thrown: with its status, and the field that it names (RequestError) where the dialect has room for it.
HttpResponse error_response(Dialect dialect, const class Error& error, std::string_view request_id = {});
// The status of an Error by its code. What a request asks for and cannot get is 400 (kUnsupported and kLimit too: clients try
// again what is 5xx), 404 for kNotFound, 503 for kCancelled (the server is stopping), else 500.
int status_of(const class Error& error);
// What the dialect calls an error of this status: "invalid_request_error" and the like. Ollama's documents have no place for it.
std::string_view error_type(Dialect dialect, int status);

}  // namespace minnow
