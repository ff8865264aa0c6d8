// A request that is not let through, before any handler saw it.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace minnow {

struct Refusal {
  int status = 400;
  std::string message;
  int retry_after_seconds = 0;  // 0: the answer does not say when to try again
  std::vector<std::pair<std::string, std::string>> headers = {};
};

}  // namespace minnow
