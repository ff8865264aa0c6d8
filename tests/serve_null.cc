// The whole server over a model that computes nothing: what is left is what serving costs. For tests/serve_overhead.py.
//
//     serve_null TOKENS INTERVAL_MICROSECONDS
//
// Answers of TOKENS tokens, INTERVAL_MICROSECONDS between a token and the next; prints the port it listens on.
#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/error.h"
#include "respond/null_model.h"
#include "serve/operations.h"
#include "serve/response_store.h"
#include "serve/routes.h"
#include "serve/server.h"

namespace {

int64_t number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) minnow::fail(minnow::ErrorCode::kUsage, "{}: not a number", text);
  return value;
}

void serve(int64_t n_tokens, int64_t interval) {
  using namespace minnow;
  ServeConfig config;
  config.log.requests = "off";
  Operations operations(config, {}, {});
  ModelPool models({}, [&](const ModelEntry& entry) {
    return null_model(entry, {.n_tokens = n_tokens, .interval = std::chrono::microseconds(interval)});
  });
  models.add(ModelEntry{.name = "null", .path = {}});
  ResponseStore responses;
  Services services{models, operations.metrics(), responses, 0};
  ServerOptions options;
  options.port = 0;
  options.max_requests = 4096;
  options.times.drain = std::chrono::milliseconds(100);
  options.log = [](std::string_view) {};
  Server server(std::move(options), {all_routes(), services, operations.authenticator(), operations.observer()});
  server.listen();
  fmt::print("{}\n", server.port());
  std::fflush(stdout);
  server.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) minnow::fail(minnow::ErrorCode::kUsage, "serve_null TOKENS INTERVAL_MICROSECONDS");
    serve(number(argv[1]), number(argv[2]));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
