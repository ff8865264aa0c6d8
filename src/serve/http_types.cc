#include "serve/http_types.h"

#include <algorithm>

namespace minnow {
namespace {

std::string_view find(const std::vector<std::pair<std::string, std::string>>& list, std::string_view name) {
  const auto it = std::ranges::find(list, name, [](const auto& pair) { return std::string_view(pair.first); });
  return it == list.end() ? std::string_view() : std::string_view(it->second);
}

}  // namespace

bool Caller::may_use(std::string_view model) const { return models.empty() || std::ranges::find(models, model) != models.end(); }

std::string_view HttpRequest::header(std::string_view lower_case_name) const { return find(headers, lower_case_name); }
std::string_view HttpRequest::query_value(std::string_view name) const { return find(query, name); }


Dialect dialect_of(const HttpRequest& request, Dialect dialect) {
  const bool is_anthropic = dialect == Dialect::kOpenAi && !request.header("anthropic-version").empty();
  return is_anthropic ? Dialect::kAnthropic : dialect;
}

}  // namespace minnow
