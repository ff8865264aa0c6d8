#include "serve/checks.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace minnow {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

struct HostPort {
  std::string host, port;  // lower case, without brackets and a final dot; the port may be empty
};

std::optional<HostPort> split_host(std::string_view text) {
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = lower(text.substr(1, end - 1));
    rest = text.substr(end + 1);
  } else {
    const std::size_t end = std::min(text.find(':'), text.size());
    out.host = lower(text.substr(0, end));
    rest = text.substr(end);
  }
  if (out.host.ends_with('.')) out.host.pop_back();
  if (out.host.empty() || out.host.find_first_of("/?#@\\ \t") != std::string::npos) return std::nullopt;
  if (rest.empty()) return out;
  if (!rest.starts_with(':') || !all_digits(rest.substr(1))) return std::nullopt;
  out.port = rest.substr(1);
  return out;
}

struct Origin {
  std::string scheme, rest;  // "https", "example.com:8080"
};

std::optional<Origin> split_origin(std::string_view text) {
  const std::size_t at = text.find("://");
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  return Origin{lower(text.substr(0, at)), lower(text.substr(at + 3))};
}

// Of 4 or 16 bytes.
enum class Reach { kLoopback, kLocal, kWide, kNone };

Reach reach_v4(const uint8_t* b) {
  if (b[0] == 127) return Reach::kLoopback;
  const uint32_t address = uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
  if (address == 0 || b[0] == 10 || (b[0] == 172 && b[1] >> 4 == 1) || (b[0] == 192 && b[1] == 168)) return Reach::kLocal;
  return b[0] == 169 && b[1] == 254 ? Reach::kLocal : Reach::kWide;
}

Reach reach_of(std::string_view text) {
  const std::string address(text.substr(0, text.find('%')));  // without a zone
  std::array<uint8_t, 16> b{};
  if (::inet_pton(AF_INET, address.c_str(), b.data()) == 1) return reach_v4(b.data());
  if (::inet_pton(AF_INET6, address.c_str(), b.data()) != 1) return Reach::kNone;
  const auto zeros = [&](std::size_t n) { return std::all_of(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(n), [](uint8_t x) { return x == 0; }); };
  if (zeros(10) && b[10] == 0xff && b[11] == 0xff) return reach_v4(b.data() + 12);
  if (zeros(15) && b[15] <= 1) return b[15] == 1 ? Reach::kLoopback : Reach::kLocal;
  const bool unique_local = (b[0] & 0xfe) == 0xfc, link_local = b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
  return unique_local || link_local ? Reach::kLocal : Reach::kWide;
}

bool is_local_name(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local") || host.ends_with(".internal");
}

// Origins of programs on this machine that show web pages.
constexpr std::string_view kAppSchemes[] = {"app", "file", "tauri", "vscode-webview", "vscode-file"};

bool is_own_origin(const Origin& origin) {
  if (std::ranges::find(kAppSchemes, origin.scheme) != std::end(kAppSchemes)) return true;
  if (origin.scheme != "http" && origin.scheme != "https") return false;
  const auto host = split_host(origin.rest);
  return host && (host->host == "localhost" || host->host.ends_with(".localhost") || host->host == "0.0.0.0" ||
                  is_loopback_address(host->host));
}

// Headers of answers that pages may read besides those that are safe.
constexpr std::string_view kExposedHeaders = "x-request-id, request-id, retry-after, minnow-unused-options, minnow-truncated-inputs";

// Headers that pages may send; the rest of them is safe by itself.
constexpr std::string_view kAllowedHeaders[] = {"authorization", "content-type", "user-agent", "accept", "x-requested-with", "openai-beta",
                                                "openai-organization", "openai-project", "x-api-key", "anthropic-version", "anthropic-beta",
                                                "anthropic-dangerous-direct-browser-access", "x-request-id"};

bool is_allowed_header(std::string_view name) {
  return name.starts_with("x-stainless-") || std::ranges::find(kAllowedHeaders, name) != std::end(kAllowedHeaders);
}

std::string allowed_headers(std::string_view asked) {
  std::string out;
  while (!asked.empty()) {
    const std::size_t end = std::min(asked.find(','), asked.size());
    std::string name = lower(asked.substr(0, end));
    asked.remove_prefix(std::min(end + 1, asked.size()));
    std::erase_if(name, [](char c) { return c == ' ' || c == '\t'; });
    const bool token = std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
    if (!name.empty() && token && is_allowed_header(name)) out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

void check_origin_option(const std::string& text) {
  const auto origin = split_origin(text);
  const std::string rest = origin ? origin->rest : "";
  const std::string host = rest.ends_with(":*") ? rest.substr(0, rest.size() - 2) : rest;
  if (!origin || host.find('*') != std::string::npos || !split_host(host)) {
    throw Error(ErrorCode::kUsage, fmt::format("origin \"{}\" is not one", text), "name each as in https://example.com, or with any port: https://example.com:*");
  }
}

}  // namespace

RequestChecks::RequestChecks(CheckOptions options) : options_(std::move(options)) {
  for (std::string& origin : options_.origins) {
    while (origin.ends_with('/')) origin.pop_back();
    check_origin_option(origin);
    origin = lower(origin);
  }
  for (std::string& host : options_.hosts) {
    if (!split_host(host)) fail(ErrorCode::kUsage, "host name \"{}\" is not one", host);
    host = split_host(host)->host;
  }
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) machine_ = lower(name.data());
}

bool RequestChecks::is_allowed_host(std::string_view text, std::string_view own_address) const {
  const auto split = split_host(text);
  if (!split) return false;
  const std::string& host = split->host;
  if (options_.any_host || is_local_address(host) || is_local_name(host)) return true;
  if (host == lower(own_address) || (!machine_.empty() && host == machine_)) return true;
  return std::ranges::find(options_.hosts, host) != options_.hosts.end();
}

bool RequestChecks::is_allowed_origin(std::string_view text, std::string_view host) const {
  const auto origin = split_origin(text);
  if (!origin) return false;  // "null": a page that hides where it is from
  if (is_own_origin(*origin)) return true;
  const bool web = origin->scheme == "http" || origin->scheme == "https";
  if (web && !host.empty() && origin->rest == lower(host)) return true;  // a page that this server gave
  const std::string whole = origin->scheme + "://" + origin->rest;
  return std::ranges::any_of(options_.origins, [&](const std::string& allowed) {
    if (!allowed.ends_with(":*")) return whole == allowed;
    const std::string_view prefix = std::string_view(allowed).substr(0, allowed.size() - 2);
    if (!whole.starts_with(prefix)) return false;
    const std::string_view rest = std::string_view(whole).substr(prefix.size());
    return rest.empty() || (rest.starts_with(':') && all_digits(rest.substr(1)));
  });
}

std::optional<Refusal> RequestChecks::check(const HttpRequest& request, std::string_view own_address) const {
  const std::string_view host = request.header("host"), origin = request.header("origin");
  const bool unix_socket = own_address.empty();
  if (!unix_socket && !host.empty() && !is_allowed_host(host, own_address)) {
    return Refusal{403, "this server does not answer to that host name; names besides localhost: --allow-host NAME"};
  }
  if (!origin.empty() && !is_allowed_origin(origin, unix_socket ? std::string_view() : host)) {
    return Refusal{403, "pages of that origin may not use this server; allow them with --origin ORIGIN"};
  }
  return std::nullopt;
}

void RequestChecks::add_cors(const HttpRequest& request, std::vector<std::pair<std::string, std::string>>& headers) {
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return;
  headers.emplace_back("access-control-allow-origin", origin);
  headers.emplace_back("access-control-expose-headers", kExposedHeaders);
  headers.emplace_back("vary", "Origin");
}

bool RequestChecks::is_preflight(const HttpRequest& request) {
  return request.method == "OPTIONS" && !request.header("origin").empty() && !request.header("access-control-request-method").empty();
}

HttpResponse RequestChecks::preflight(const HttpRequest& request, const std::string& allowed_methods) {
  HttpResponse out{.status = 204, .content_type = ""};
  out.headers = {{"access-control-allow-methods", allowed_methods}, {"access-control-max-age", "600"}};
  const std::string headers = allowed_headers(request.header("access-control-request-headers"));
  if (!headers.empty()) out.headers.emplace_back("access-control-allow-headers", headers);
  if (request.header("access-control-request-private-network") == "true") {
    out.headers.emplace_back("access-control-allow-private-network", "true");
  }
  return out;
}

bool is_local_address(std::string_view text) {
  const Reach reach = reach_of(text);
  return reach == Reach::kLoopback || reach == Reach::kLocal;
}

bool is_loopback_address(std::string_view text) { return reach_of(text) == Reach::kLoopback; }

}  // namespace minnow
