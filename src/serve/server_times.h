// How long what may take.
#pragma once

#include <chrono>

#include "base/limits.h"

namespace minnow {

struct ServerTimes {
  std::chrono::milliseconds head = std::chrono::seconds(limits::kMaxHeadSeconds);    // from a request's first byte to the end of its head
  std::chrono::milliseconds body = std::chrono::seconds(limits::kMaxBodySeconds);    // likewise to the end of its body
  std::chrono::milliseconds write = std::chrono::seconds(limits::kMaxWriteSeconds);  // until the client has taken 64 KB, or the rest
  std::chrono::milliseconds answer = std::chrono::seconds(limits::kMaxAnswerSeconds);  // from the head to the end of a model's answer
  std::chrono::milliseconds idle = std::chrono::seconds(limits::kMaxIdleSeconds);    // between requests
  std::chrono::milliseconds drain = std::chrono::seconds(limits::kMaxDrainSeconds);  // for what still runs at the end
  std::chrono::milliseconds ping = std::chrono::seconds(15);     // without an event in a stream
  std::chrono::milliseconds linger = std::chrono::seconds(2);    // for bytes of a refused request that are still on their way
  std::chrono::milliseconds first_event = std::chrono::seconds(1);  // a stream's head waits for it: what fails by then has its own status
};

}  // namespace minnow
