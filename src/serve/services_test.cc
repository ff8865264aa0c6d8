#include "serve/services.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "serve/metrics.h"
#include "serve/response_store.h"

namespace minnow {
namespace {

class Named final : public LoadedModel {
 public:
  explicit Named(ModelEntry entry) : entry_(std::move(entry)) {}
  const ModelEntry& entry() const override { return entry_; }
  const Model& model() const override { fail(ErrorCode::kUnsupported, "a name only"); }
  Responder& responder() override { fail(ErrorCode::kUnsupported, "a name only"); }
  Engine& engine() override { fail(ErrorCode::kUnsupported, "a name only"); }
  Embedder& embedder() override { fail(ErrorCode::kUnsupported, "a name only"); }
  Ranker& ranker() override { fail(ErrorCode::kUnsupported, "a name only"); }
  double load_seconds() const override { return 0; }

 private:
  ModelEntry entry_;
};

class ServicesTest : public testing::Test {
 protected:
  ServicesTest() : models({}, [](const ModelEntry& entry) { return std::make_shared<Named>(entry); }), services{models, metrics, responses, 0} {
    for (const char* name : {"first", "second"}) models.add(ModelEntry{.name = name, .path = {}});
  }
  std::string name_of(const std::string& wanted) { return model_for(request, wanted, services)->entry().name; }
  std::string refusal_of(const std::string& wanted) {
    try {
      name_of(wanted);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotFound);
      return error.what();
    }
    return "found";
  }

  ModelPool models;
  Metrics metrics;
  ResponseStore responses;
  Services services;
  HttpRequest request;
};

TEST_F(ServicesTest, ModelsAreFoundByName) {
  EXPECT_EQ(name_of("second"), "second");
  EXPECT_EQ(name_of("second:latest"), "second");
}

TEST_F(ServicesTest, NoNameIsTheFirstModel) { EXPECT_EQ(name_of(""), "first"); }

TEST_F(ServicesTest, ForbiddenModelsAreAsIfThereWereNone) {
  request.caller.models = {"second"};
  EXPECT_EQ(name_of("second"), "second");
  EXPECT_EQ(refusal_of("first"), "model 'first' not found");
  EXPECT_EQ(refusal_of("firstt"), "model 'firstt' not found");  // no hint at another name
  EXPECT_EQ(refusal_of(""), "model 'first' not found");
}

}  // namespace
}  // namespace minnow
