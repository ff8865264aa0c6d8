// From a method and a path to who answers it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "serve/http_types.h"

namespace minnow {

class Router {
 public:
  // Throws kInternal for two routes of the same method and path, and for patterns that are malformed.
  explicit Router(Routes routes);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  struct Match {
    const Route* route = nullptr;      // nullptr: 404 when allowed is empty, else 405
    std::vector<std::string> values;   // of the {…} in the pattern
    std::string allowed;               // methods that the path has: "GET, HEAD, OPTIONS"; empty: there is no such path
    const Route* same_path = nullptr;  // any route of the path, whose key is asked for before anything is said about it
  };
  // `path` as parse_target gives it. A HEAD finds the GET.
  Match match(std::string_view method, std::string_view path) const;

  const Routes& routes() const { return routes_; }

 private:
  struct Pattern {
    const Route* route;
    std::vector<std::string> parts;  // "{" for a {…}
    int literals = 0;
  };
  using Candidates = std::vector<std::pair<const Route*, std::vector<std::string>>>;
  Candidates candidates(std::string_view path) const;

  Routes routes_;
  std::unordered_map<std::string, std::vector<const Route*>> exact_;
  std::vector<Pattern> patterns_;  // those with the most literal parts first
};

// Whose words an error is in when there is no route to tell.
Dialect dialect_of_path(std::string_view path);

}  // namespace minnow
