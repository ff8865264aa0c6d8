#include "serve/router.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace minnow {
namespace {

Route route(std::string method, std::string path) { return {std::move(method), std::move(path), Dialect::kOpenAi, Scope::kInfer, {}}; }

Routes some_routes() {
  return {route("GET", "/v1/models"),       route("GET", "/v1/models/{model}"), route("DELETE", "/v1/models/{model}"), route("POST", "/v1/chat/completions"),
          route("GET", "/v1/responses/{id}"), route("POST", "/v1/responses/{id}/cancel"), route("GET", "/v1/responses/{id}/input_items"), route("GET", "/")};
}

std::string pattern_of(const Router::Match& match) { return match.route == nullptr ? "none" : match.route->method + " " + match.route->path; }

TEST(Router, FindsRoutesByMethodAndPath) {
  const Router router(some_routes());
  EXPECT_EQ(pattern_of(router.match("GET", "/v1/models")), "GET /v1/models");
  EXPECT_EQ(pattern_of(router.match("POST", "/v1/chat/completions")), "POST /v1/chat/completions");
  EXPECT_EQ(pattern_of(router.match("GET", "/")), "GET /");
}

TEST(Router, HeadFindsTheGet) {
  const Router router(some_routes());
  EXPECT_EQ(pattern_of(router.match("HEAD", "/v1/models")), "GET /v1/models");
  EXPECT_EQ(pattern_of(router.match("HEAD", "/v1/chat/completions")), "none");
}

TEST(Router, LastPlaceholderHoldsSlashes) {
  const Router router(some_routes());
  const auto match = router.match("GET", "/v1/models/some/one/model");
  EXPECT_EQ(pattern_of(match), "GET /v1/models/{model}");
  EXPECT_EQ(match.values, std::vector<std::string>{"some/one/model"});
}

TEST(Router, MoreLiteralPartsWin) {
  const Router router(some_routes());
  const auto match = router.match("GET", "/v1/responses/abc/input_items");
  EXPECT_EQ(pattern_of(match), "GET /v1/responses/{id}/input_items");
  EXPECT_EQ(match.values, std::vector<std::string>{"abc"});
}

TEST(Router, UnknownPathsHaveNoMethods) {
  const Router router(some_routes());
  for (const char* path : {"/v1", "/v2/models", "/V1/models", "/v1/chat/completions/x", "/v1/responses", ""}) {
    const auto match = router.match("GET", path);
    EXPECT_EQ(match.allowed, "") << path;
    EXPECT_EQ(match.same_path, nullptr) << path;
  }
}

TEST(Router, WrongMethodsLearnTheRightOnes) {
  const Router router(some_routes());
  const auto match = router.match("PATCH", "/v1/models/x");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allowed, "DELETE, GET, HEAD, OPTIONS");
  ASSERT_NE(match.same_path, nullptr);
}

TEST(Router, RefusesRoutesThatHideEachOther) {
  Routes twice = some_routes();
  twice.push_back(route("GET", "/"));
  EXPECT_THROW(Router{twice}, Error);
  EXPECT_THROW(Router{Routes{route("GET", "x")}}, Error);
  EXPECT_THROW(Router{Routes{route("GET", "/x{y}")}}, Error);
}

TEST(Router, ErrorsAreInTheDialectOfThePath) {
  EXPECT_EQ(dialect_of_path("/api/nothing"), Dialect::kOllama);
  EXPECT_EQ(dialect_of_path("/"), Dialect::kOllama);
  EXPECT_EQ(dialect_of_path("/v1/messages/x"), Dialect::kAnthropic);
  EXPECT_EQ(dialect_of_path("/v1/messagesx"), Dialect::kOpenAi);
  EXPECT_EQ(dialect_of_path("/v1/x"), Dialect::kOpenAi);
  EXPECT_EQ(dialect_of_path("/apix"), Dialect::kLlamaServer);
}

}  // namespace
}  // namespace minnow
