// Any method and path against the server's own route table: what is found has the path that it stands for, and every spelling of a
// path finds the same. Input: METHOD SP TARGET.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "serve/router.h"
#include "serve/routes.h"
#include "serve/target.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// The pattern with its values put in.
std::string filled(const minnow::Router::Match& match) {
  std::string out;
  std::size_t value = 0;
  std::string_view pattern = match.route->path;
  while (!pattern.empty()) {
    const std::size_t open = std::min(pattern.find('{'), pattern.size());
    out += pattern.substr(0, open);
    pattern.remove_prefix(open);
    if (pattern.empty()) break;
    out += match.values.at(value++);
    pattern.remove_prefix(pattern.find('}') + 1);
  }
  require(value == match.values.size());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const minnow::Router kRouter(minnow::all_routes());
  const std::string_view text(reinterpret_cast<const char*>(data), std::min<size_t>(size, 8192));
  const std::size_t space = std::min(text.find(' '), text.size());
  const std::string_view method = text.substr(0, space), raw = text.substr(std::min(space + 1, text.size()));
  const auto target = minnow::parse_target(raw);
  if (!target) return 0;
  const auto match = kRouter.match(method, target->path);
  require((match.same_path != nullptr) == !match.allowed.empty());
  if (match.route != nullptr) {
    require(filled(match) == target->path);
    require(match.route->method == method || (method == "HEAD" && match.route->method == "GET"));
  }
  // Normalizing twice changes nothing, unless what is left reads as an encoding again.
  if (target->path.find_first_of("%?#") == std::string::npos && target->path != "*") {
    const auto again = minnow::parse_target("//." + target->path + "/");
    require(again && again->path == target->path);
  }
  (void)minnow::dialect_of_path(target->path);
  return 0;
}
