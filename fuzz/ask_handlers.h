// The server's own routes, asked as a connection asks them, of one model that is called "m".
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "check_request.h"
#include "respond/model_pool.h"
#include "respond/null_model.h"
#include "serve/answer_format.h"
#include "serve/metrics.h"
#include "serve/response_store.h"
#include "serve/routes.h"
#include "serve/services.h"

namespace minnow::fuzzing {

class Handlers {
 public:
  // `gives_answers`: what is accepted is also answered; else only prepared.
  Handlers(ModelPool::Loader loader, bool gives_answers) : routes_(all_routes()), pool_({}, std::move(loader)), gives_answers_(gives_answers) {
    pool_.add(ModelEntry{.name = "m", .path = "/models/m.gguf", .bytes = 1, .modified_unix = 1});
  }

  // A model that computes nothing. What needs its engine is refused.
  static Handlers of_null_model() {
    return Handlers([](const ModelEntry& entry) { return null_model(entry, {.n_tokens = 2}); }, true);
  }

  // The body of a request to each path is refused, or its answer is JSON: all of it, or each event or line of a stream.
  void post(std::initializer_list<const char*> paths, const uint8_t* data, std::size_t size) {
    for (const char* path : paths) {
      HttpRequest http{.method = "POST", .path = path, .id = "req_1"};
      http.body.assign(reinterpret_cast<const char*>(data), size);
      const auto route = std::ranges::find_if(routes_, [&](const Route& r) { return r.method == "POST" && r.path == path; });
      require(route != routes_.end());
      read_or_refuse(route->dialect, [&] { take(route->handler(http, services_)); });
    }
  }

 private:
  void take(Outcome outcome) const {
    if (const auto* response = std::get_if<HttpResponse>(&outcome)) return check_whole(*response);
    PreparedAnswer& prepared = *std::get<std::unique_ptr<PreparedAnswer>>(outcome);
    if (!gives_answers_) return;
    prepared.start([] {});
    require(static_cast<int64_t>(prepared.answers.size()) <= limits::kMaxChoices);
    std::vector<ChatReply> replies(prepared.answers.size());
    std::string stream;
    if (prepared.stream) prepared.format->begin(stream);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      for (bool done = false; !done;) {
        const ChatEvent event = prepared.answers[i]->next();
        done = event.done;
        if (prepared.stream) prepared.format->event(static_cast<int>(i), event, stream);
        replies[i].append(event);
      }
    }
    if (!prepared.stream) return check_whole(prepared.format->whole(replies));
    prepared.format->end(stream);
    check_stream(stream);
  }

  static void check_whole(const HttpResponse& response) {
    require(response.status == 200 && is_json(response.body));
    for (const auto& [name, value] : response.headers) require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }

  static void check_stream(std::string_view stream) {
    while (!stream.empty()) {
      const std::size_t end = stream.find('\n');
      require(end != std::string_view::npos);
      std::string_view line = stream.substr(0, end);
      stream.remove_prefix(end + 1);
      if (line.empty() || line.starts_with("event: ") || line == "data: [DONE]") continue;
      if (line.starts_with("data: ")) line.remove_prefix(6);
      require(is_json(line));
    }
  }

  Routes routes_;
  ModelPool pool_;
  bool gives_answers_;
  Metrics metrics_;
  ResponseStore responses_;
  Services services_{.models = pool_, .metrics = metrics_, .responses = responses_, .started_unix = 0};
};

}  // namespace minnow::fuzzing
