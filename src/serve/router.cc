#include "serve/router.h"

#include <algorithm>
#include <functional>

#include "base/error.h"

namespace minnow {
namespace {

constexpr const char* kPlaceholder = "{";

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  path.remove_prefix(std::min<std::size_t>(1, path.size()));
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

std::string joined(const std::vector<std::string_view>& parts, std::size_t begin, std::size_t end) {
  std::string out(parts[begin]);
  for (std::size_t i = begin + 1; i < end; ++i) out.append("/").append(parts[i]);
  return out;
}

// The last placeholder takes as many parts as there are too many of.
bool fits(const std::vector<std::string>& pattern, const std::vector<std::string_view>& parts, std::vector<std::string>& values) {
  if (parts.size() < pattern.size()) return false;
  const std::size_t extra = parts.size() - pattern.size();
  std::size_t last = pattern.size();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == kPlaceholder) last = i;
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::size_t taken = i == last ? extra + 1 : 1;
    if (pattern[i] == kPlaceholder) {
      values.push_back(joined(parts, at, at + taken));
    } else if (pattern[i] != parts[at]) {
      return false;
    }
    at += taken;
  }
  return true;
}

bool answers(const Route& route, std::string_view method) {
  return route.method == method || (method == "HEAD" && route.method == "GET");
}

}  // namespace

Router::Router(Routes routes) : routes_(std::move(routes)) {
  for (const Route& route : routes_) {
    if (!route.path.starts_with('/')) fail(ErrorCode::kInternal, "route {}: must begin with a slash", route.path);
    const bool same = std::ranges::count_if(routes_, [&](const Route& r) { return r.method == route.method && r.path == route.path; }) > 1;
    if (same) fail(ErrorCode::kInternal, "route {} {} is there twice", route.method, route.path);
    if (route.path.find('{') == std::string::npos) {
      exact_[route.path].push_back(&route);
      continue;
    }
    Pattern pattern{&route, {}, 0};
    for (const std::string_view part : parts_of(route.path)) {
      const bool placeholder = part.starts_with('{') && part.ends_with('}');
      if (!placeholder && part.find_first_of("{}") != std::string_view::npos) {
        fail(ErrorCode::kInternal, "route {}: a {{…}} must be a whole part of the path", route.path);
      }
      pattern.parts.emplace_back(placeholder ? kPlaceholder : part);
      pattern.literals += placeholder ? 0 : 1;
    }
    patterns_.push_back(std::move(pattern));
  }
  std::ranges::stable_sort(patterns_, std::greater<>(), &Pattern::literals);
}

Router::Candidates Router::candidates(std::string_view path) const {
  Candidates found;
  if (const auto it = exact_.find(std::string(path)); it != exact_.end()) {
    for (const Route* route : it->second) found.emplace_back(route, std::vector<std::string>());
  }
  const auto parts = parts_of(path);
  for (const Pattern& pattern : patterns_) {
    std::vector<std::string> values;
    if (fits(pattern.parts, parts, values)) found.emplace_back(pattern.route, std::move(values));
  }
  return found;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match out;
  std::vector<std::string> methods;
  for (auto& [route, values] : candidates(path)) {
    if (out.same_path == nullptr) out.same_path = route;
    if (out.route == nullptr && answers(*route, method)) {
      out.route = route;
      out.values = std::move(values);
    }
    methods.push_back(route->method);
    if (route->method == "GET") methods.emplace_back("HEAD");
  }
  if (methods.empty()) return out;
  methods.emplace_back("OPTIONS");
  std::ranges::sort(methods);
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  for (const std::string& m : methods) out.allowed += (out.allowed.empty() ? "" : ", ") + m;
  return out;
}

Dialect dialect_of_path(std::string_view path) {
  const auto below = [&](std::string_view prefix) {
    return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
  };
  if (path == "/" || below("/api")) return Dialect::kOllama;
  if (below("/v1/messages")) return Dialect::kAnthropic;
  if (below("/v1")) return Dialect::kOpenAi;
  return Dialect::kLlamaServer;
}

}  // namespace minnow
