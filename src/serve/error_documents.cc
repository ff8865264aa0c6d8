// What each dialect says when something went wrong.
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "respond/model_pool.h"
#include "serve/fields.h"
#include "serve/http_types.h"

namespace minnow {
namespace {

constexpr int kOverloaded = 529;  // Anthropic's own

struct Names {
  int status;
  std::string_view open_ai, llama_server, anthropic;
};

constexpr Names kNames[] = {
    {400, "invalid_request_error", "invalid_request_error", "invalid_request_error"},
    {401, "authentication_error", "authentication_error", "authentication_error"},
    {403, "permission_error", "permission_error", "permission_error"},
    {404, "not_found_error", "not_found_error", "not_found_error"},
    {413, "invalid_request_error", "invalid_request_error", "request_too_large"},
    {429, "rate_limit_error", "rate_limit_error", "rate_limit_error"},
    {501, "not_supported_error", "not_supported_error", "api_error"},
    {503, "api_error", "unavailable_error", "overloaded_error"},
    {kOverloaded, "api_error", "unavailable_error", "overloaded_error"},
};

OrderedJson open_ai_code(int status) {
  if (status == 401) return "invalid_api_key";
  if (status == 429) return "rate_limit_exceeded";
  return nullptr;
}

OrderedJson document(Dialect dialect, int status, const std::string& message, std::string_view request_id) {
  const std::string type(error_type(dialect, status));
  switch (dialect) {
    case Dialect::kOllama: return {{"error", message}};
    case Dialect::kAnthropic: {
      OrderedJson out = {{"type", "error"}, {"error", {{"type", type}, {"message", message}}}};
      if (!request_id.empty()) out["request_id"] = std::string(request_id);
      return out;
    }
    case Dialect::kLlamaServer: return {{"error", {{"code", status}, {"message", message}, {"type", type}}}};
    case Dialect::kOpenAi: break;
  }
  return {{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", open_ai_code(status)}}}};
}

HttpResponse response(Dialect dialect, int status, const OrderedJson& body, std::string_view request_id) {
  HttpResponse out{.status = status, .body = body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)};
  if (dialect == Dialect::kOllama) out.content_type = "application/json; charset=utf-8";
  if (dialect == Dialect::kAnthropic && !request_id.empty()) out.headers.emplace_back("request-id", request_id);
  return out;
}

}  // namespace

std::string_view error_type(Dialect dialect, int status) {
  Names names = status >= 500 ? Names{status, "api_error", "server_error", "api_error"} : kNames[0];
  for (const Names& n : kNames) {
    if (n.status == status) names = n;
  }
  switch (dialect) {
    case Dialect::kAnthropic: return names.anthropic;
    case Dialect::kLlamaServer: return names.llama_server;
    default: return names.open_ai;
  }
}

HttpResponse error_response(Dialect dialect, int status, std::string_view message, std::string_view request_id) {
  return response(dialect, status, document(dialect, status, to_valid_utf8(message), request_id), request_id);
}

HttpResponse error_response(Dialect dialect, const Error& error, std::string_view request_id) {
  const int status = status_of(error);
  OrderedJson body = document(dialect, status, to_valid_utf8(error.what()), request_id);
  if (dialect == Dialect::kOpenAi && dynamic_cast<const UnknownModel*>(&error) != nullptr) body["error"]["code"] = "model_not_found";
  const auto* named = dynamic_cast<const RequestError*>(&error);
  if (named != nullptr && dialect == Dialect::kOpenAi) {
    if (!named->param().empty()) body["error"]["param"] = to_valid_utf8(named->param());
    if (!named->type_code().empty()) body["error"]["code"] = named->type_code();
  }
  return response(dialect, status, body, request_id);
}

int status_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidInput:
    case ErrorCode::kUnsupported:
    case ErrorCode::kLimit:
    case ErrorCode::kUsage: return 400;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kCancelled: return 503;
    case ErrorCode::kIo:
    case ErrorCode::kInternal: break;
  }
  return 500;
}

}  // namespace minnow
