#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "respond/model_pool.h"
#include "serve/fields.h"
#include "serve/http_types.h"

namespace minnow {
namespace {

Json body(const HttpResponse& r) { return Json::parse(r.body); }

TEST(ErrorDocuments, EachDialectHasItsOwn) {
  EXPECT_EQ(body(error_response(Dialect::kOpenAi, 400, "no", "req_1")),
            Json::parse(R"({"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}})"));
  EXPECT_EQ(body(error_response(Dialect::kOllama, 400, "no", "req_1")), Json::parse(R"({"error":"no"})"));
  EXPECT_EQ(body(error_response(Dialect::kAnthropic, 404, "no", "req_1")),
            Json::parse(R"({"type":"error","error":{"type":"not_found_error","message":"no"},"request_id":"req_1"})"));
  EXPECT_EQ(body(error_response(Dialect::kLlamaServer, 503, "no", "req_1")), Json::parse(R"({"error":{"code":503,"message":"no","type":"unavailable_error"}})"));
}

TEST(ErrorDocuments, OfAnthropicHaveTheRequestsIdInTheirHead) {
  const std::vector<std::pair<std::string, std::string>> id = {{"request-id", "req_1"}};
  EXPECT_EQ(error_response(Dialect::kAnthropic, 404, "no", "req_1").headers, id);
  EXPECT_EQ(error_response(Dialect::kAnthropic, Error(ErrorCode::kInternal, "no"), "req_1").headers, id);
  EXPECT_TRUE(error_response(Dialect::kOpenAi, 404, "no", "req_1").headers.empty());
}

TEST(ErrorDocuments, TypesFollowTheStatus) {
  EXPECT_EQ(error_type(Dialect::kAnthropic, 413), "request_too_large");
  EXPECT_EQ(error_type(Dialect::kAnthropic, 503), "overloaded_error");
  EXPECT_EQ(error_type(Dialect::kAnthropic, 500), "api_error");
  EXPECT_EQ(error_type(Dialect::kOpenAi, 401), "authentication_error");
  EXPECT_EQ(error_type(Dialect::kOpenAi, 405), "invalid_request_error");
  EXPECT_EQ(error_type(Dialect::kOpenAi, 500), "api_error");
  EXPECT_EQ(error_type(Dialect::kLlamaServer, 500), "server_error");
  EXPECT_EQ(error_type(Dialect::kLlamaServer, 501), "not_supported_error");
}

TEST(ErrorDocuments, NamedFieldsAreToldToOpenAiClients) {
  const RequestError error("messages[0].role", "messages[0].role: must be a string", "", "some_code");
  const Json out = body(error_response(Dialect::kOpenAi, error, "req_1"));
  EXPECT_EQ(out["error"]["param"], "messages[0].role");
  EXPECT_EQ(out["error"]["code"], "some_code");
  EXPECT_EQ(error_response(Dialect::kOpenAi, error, "").status, 400);
}

TEST(ErrorDocuments, ClientsAreNotToldToTryAgainWhatCannotWork) {
  EXPECT_EQ(status_of(Error(ErrorCode::kInvalidInput, "")), 400);
  EXPECT_EQ(status_of(Error(ErrorCode::kUnsupported, "")), 400);
  EXPECT_EQ(status_of(Error(ErrorCode::kLimit, "")), 400);
  EXPECT_EQ(status_of(Error(ErrorCode::kNotFound, "")), 404);
  EXPECT_EQ(status_of(Error(ErrorCode::kCancelled, "")), 503);
  EXPECT_EQ(status_of(Error(ErrorCode::kInternal, "")), 500);
}

TEST(ErrorDocuments, AModelThatCannotBeLoadedIsTheServersFaultAndItsPathItsOwn) {
  const ModelNotLoaded error("tiny", "/srv/models/tiny.gguf: tensor 'x' leaves the file");
  for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kOllama, Dialect::kAnthropic, Dialect::kLlamaServer}) {
    const HttpResponse response = error_response(dialect, error, "");
    EXPECT_EQ(response.status, 500);
    EXPECT_NE(response.body.find("model 'tiny' cannot be loaded"), std::string::npos);
    EXPECT_EQ(response.body.find("/srv"), std::string::npos);
  }
}

TEST(ErrorDocuments, HoldAnyText) {
  EXPECT_NO_THROW(body(error_response(Dialect::kOllama, 400, "\xff\"\n")));
}

TEST(ErrorDocuments, OpenAiClientsKnowAnUnknownModelByItsCode) {
  EXPECT_EQ(body(error_response(Dialect::kOpenAi, UnknownModel("x"), ""))["error"]["code"], "model_not_found");
  EXPECT_EQ(error_response(Dialect::kOpenAi, UnknownModel("x"), "").status, 404);
  EXPECT_TRUE(body(error_response(Dialect::kOpenAi, Error(ErrorCode::kNotFound, "no"), ""))["error"]["code"].is_null());
}

}  // namespace
}  // namespace minnow
