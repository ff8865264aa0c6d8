#include "cli/server_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

namespace minnow {
namespace {

constexpr const char* kDefaultServer = "http://127.0.0.1:11434";
constexpr std::string_view kUnix = "unix:";
constexpr long kConnectSeconds = 5, kSeconds = 60;
constexpr uint64_t kMaxKeyFile = 4096;

struct Response {
  std::string body;
  bool too_long = false;
};

std::size_t take(char* data, std::size_t size, std::size_t count, void* to) {
  Response& response = *static_cast<Response*>(to);
  if (response.body.size() + size * count > limits::kMaxServerAnswerBytes) {
    response.too_long = true;
    return 0;
  }
  response.body.append(data, size * count);
  return size * count;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string key_of(const ServerArguments& server) {
  if (server.key_file.empty()) return variable("MINNOW_API_KEY");
  std::string key = read_text_file(server.key_file, kMaxKeyFile);
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) key.pop_back();
  return key;
}

struct Place {
  std::string url, socket;  // the latter empty for TCP
  std::string text;         // for errors
};

Place place_of(const ServerArguments& server) {
  std::string text = !server.server.empty() ? server.server : variable("MINNOW_SERVER");
  if (text.empty()) text = kDefaultServer;
  if (text.starts_with(kUnix)) return {"http://localhost", text.substr(kUnix.size()), text};
  const std::string url = text.find("://") == std::string::npos ? "http://" + text : text;
  return {url.ends_with('/') ? url.substr(0, url.size() - 1) : url, {}, text};
}

// What the server says is wrong, in any dialect.
std::string message_in(const Json& answer, long status) {
  if (answer.is_object() && answer.contains("error")) {
    const Json& error = answer["error"];
    if (error.is_string()) return error.get<std::string>();
    if (error.is_object() && error.contains("message") && error["message"].is_string()) return error["message"].get<std::string>();
  }
  return fmt::format("status {}", status);
}

[[noreturn]] void refuse(const Place& place, long status, const Json& answer) {
  const std::string what = place.text + ": " + message_in(answer, status);
  if (status == 401) throw Error(ErrorCode::kInvalidInput, what, "set MINNOW_API_KEY, or give --key-file");
  throw Error(status == 404 ? ErrorCode::kNotFound : ErrorCode::kInvalidInput, what);
}

[[noreturn]] void refuse_transfer(const Place& place, const ServerArguments& server, CURLcode result) {
  const char* const why = curl_easy_strerror(result);
  if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}: its certificate is not trusted: {}", place.text, why),
                server.ca_file.empty() ? "name the certificate of the authority that it comes from with --ca FILE"
                                       : fmt::format("it is not of {}, or of another host", server.ca_file));
  }
  throw Error(ErrorCode::kNotFound, fmt::format("no server answers at {}: {}", place.text, why), "start one with 'minnow serve'");
}

using Curl = std::unique_ptr<CURL, void (*)(CURL*)>;
using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

void add_header(Headers& headers, const std::string& line) {
  curl_slist* more = curl_slist_append(headers.get(), line.c_str());
  if (more == nullptr) throw std::bad_alloc();
  (void)headers.release();
  headers.reset(more);
}

}  // namespace

void ServerArguments::declare(CLI::App& command) {
  command.add_option("--server", server,
                     "where it listens: http://HOST:PORT or unix:PATH (default: $MINNOW_SERVER, else http://127.0.0.1:11434)");
  command.add_option("--ca", ca_file, "certificate of the authority that an https server's own comes from, PEM (default: those that the system trusts)")
      ->check(CLI::ExistingFile);
  command.add_option("--key-file", key_file, "a file that holds an API key (default: the key in $MINNOW_API_KEY)");
}

Json ask_server(const ServerArguments& server, const std::string& path, const std::optional<Json>& body) {
  const Place place = place_of(server);
  const Curl curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) fail(ErrorCode::kInternal, "libcurl cannot start");
  Headers headers(nullptr, curl_slist_free_all);
  if (const std::string key = key_of(server); !key.empty()) add_header(headers, "authorization: Bearer " + key);
  const std::string url = place.url + path, text = body ? body->dump() : "";
  Response response;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");  // the key is for the server alone
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kSeconds);
  if (!server.ca_file.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, server.ca_file.c_str());
  if (!place.socket.empty()) curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, place.socket.c_str());
  if (body) {
    add_header(headers, "content-type: application/json");
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(text.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, text.c_str());
  }
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, static_cast<void*>(&response));
  const CURLcode result = curl_easy_perform(curl.get());
  if (response.too_long) fail(ErrorCode::kLimit, "{}: its answer is longer than {} bytes", place.text, limits::kMaxServerAnswerBytes);
  if (result != CURLE_OK) refuse_transfer(place, server, result);
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  Json answer;
  try {
    answer = parse_json(response.body, place.text);
  } catch (const Error&) {
    if (status >= 200 && status < 300) fail(ErrorCode::kInvalidInput, "{}: not the answer of a minnow server", place.text);
  }
  if (status < 200 || status >= 300) refuse(place, status, answer);
  if (!answer.is_object()) fail(ErrorCode::kInvalidInput, "{}: not the answer of a minnow server", place.text);
  return answer;
}

}  // namespace minnow
