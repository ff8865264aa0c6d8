#include "serve/server_core.h"

#include <fmt/core.h>

#include <chrono>
#include <random>

#include "base/table.h"
#include "serve/answer_format.h"
#include "serve/response_head.h"

namespace minnow {
namespace {

constexpr std::size_t kScratchBytes = 64u << 10;
constexpr int kWorkers = 16, kQueryWorkers = 2;

uint64_t seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

ServerCore::ServerCore(ServerOptions o, ServerParts parts)
    : options(std::move(o)),
      router(std::move(parts.routes)),
      checks({.hosts = options.hosts, .origins = options.origins}),
      services(parts.services),
      auth(parts.auth),
      observer(parts.observer),
      scratch(kScratchBytes),
      workers(kWorkers, options.max_requests),
      queries(kQueryWorkers, limits::kMaxWaitingQueries),
      random_(seed()) {}

std::string ServerCore::new_id() {
  static constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string id = "req_";
  for (int i = 0; i < 20; ++i) id += kLetters[random_.below(kLetters.size())];
  return id;
}

const std::string& ServerCore::date() {
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (now != date_second_) date_ = http_date(date_second_ = now);
  return date_;
}

void ServerCore::log(std::string_view line) const {
  if (options.log) return options.log(line);
  fmt::print(stderr, "serve: {}\n", printable(line));
}

void ServerCore::discard(std::unique_ptr<PreparedAnswer> answer) {
  if (!answer) return;
  for (const auto& a : answer->answers) a->cancel();  // at once, whoever is busy
  queries.submit_first([held = std::shared_ptr<PreparedAnswer>(std::move(answer))]() mutable { held.reset(); });
}

}  // namespace minnow
