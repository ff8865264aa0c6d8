#include "serve/ollama_environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "serve/ollama_fields.h"

namespace minnow {
namespace {

constexpr int kHttpPort = 80, kHttpsPort = 443, kMaxPort = 65535;

[[noreturn]] void refuse_host(std::string_view text) {
  throw Error(ErrorCode::kUsage, fmt::format("OLLAMA_HOST \"{}\" is no address to listen on", text),
              "set it to HOST, HOST:PORT or :PORT, or unset it and give --host and --port");
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kAround = " \t\"'";
  const std::size_t begin = std::min(text.find_first_not_of(kAround), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kAround) + 1);
}

}  // namespace

void set_ollama_host(std::string_view text, ServeConfig& config) {
  std::string_view rest = trimmed(text);
  int port = config.server.port;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    const std::string_view name = rest.substr(0, scheme);
    if (name != "http" && name != "https") refuse_host(text);
    port = name == "http" ? kHttpPort : kHttpsPort;
    rest.remove_prefix(scheme + 3);
  }
  rest = rest.substr(0, rest.find('/'));
  const bool is_bracketed = rest.starts_with('[');
  const bool is_bare_v6 = !is_bracketed && std::ranges::count(rest, ':') > 1;
  const std::size_t end = is_bracketed ? rest.find(']') : is_bare_v6 ? rest.size() : std::min(rest.find(':'), rest.size());
  if (end == std::string_view::npos) refuse_host(text);
  const std::string_view host = is_bracketed ? rest.substr(1, end - 1) : rest.substr(0, end);
  std::string_view number = rest.substr(is_bracketed ? end + 1 : end);
  if (!number.empty()) {
    if (!number.starts_with(':')) refuse_host(text);
    number.remove_prefix(1);
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), port);
    if (error != std::errc() || stop != number.data() + number.size() || port < 0 || port > kMaxPort) refuse_host(text);
  }
  if (!host.empty()) config.server.host = host;
  config.server.port = port;
}

void set_ollama_keep_alive(std::string_view text, ServeConfig& config) {
  const auto kept = parse_ollama_keep_alive(trimmed(text));
  if (!kept) {
    throw Error(ErrorCode::kUsage, fmt::format("OLLAMA_KEEP_ALIVE \"{}\" is not a duration", text),
                "set it to seconds or to one such as 5m, 1h30m or -1, or unset it and give --keep-alive");
  }
  config.models.keep_alive = *kept;
}

std::string ollama_host_hint(const char* text, const ServeConfig& config) {
  if (text == nullptr || *text == '\0') return {};
  const ServeConfig defaults;
  ServeConfig said;
  set_ollama_host(text, said);
  const bool same_host = said.server.host == config.server.host, same_port = said.server.port == config.server.port;
  const bool own_host = said.server.host != defaults.server.host, own_port = said.server.port != defaults.server.port;
  if (!(same_host && same_port) && !(same_host && own_host) && !(same_port && own_port)) return {};
  return fmt::format("OLLAMA_HOST \"{}\" of the environment says this address: unset it, or give --host and --port, which win", text);
}

ServeConfig environment_config() {
  ServeConfig config;
  if (const char* host = std::getenv("OLLAMA_HOST"); host != nullptr && *host != '\0') set_ollama_host(host, config);
  if (const char* kept = std::getenv("OLLAMA_KEEP_ALIVE"); kept != nullptr && *kept != '\0') set_ollama_keep_alive(kept, config);
  return config;
}

}  // namespace minnow
