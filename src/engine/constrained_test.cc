// Answers that are held to a grammar, through the engine.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "base/test_refusal.h"
#include "engine/engine.h"
#include "models/family.h"
#include "models/random_model.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

using Kind = ConstraintSpec::Kind;

constexpr const char* kSchema = R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "n": {"type": "integer", "minimum": 3, "maximum": 40},
    "kind": {"enum": ["a", "bc"]}}, "required": ["name", "n", "kind"], "additionalProperties": false})";

class ConstrainedEngine : public testing::Test {
 protected:
  GenerateRequest request(const ConstraintSpec& spec, uint64_t seed, float temperature) {
    GenerateRequest r{.prompt = {1, static_cast<TokenId>(20 + seed)}, .max_tokens = 200};
    r.sampling.seed = seed;
    r.sampling.temperature = temperature;
    r.constraint = compiler_.compile(spec);
    return r;
  }

  Engine engine_{std::make_shared<const Model>(random_model({.family = &kLlama, .n_vocab = 700}, 3)),
                 {.n_ctx = 512, .n_sequences = 8, .kv_type = KvType::kF32, .n_threads = 1}};
  ConstraintCompiler compiler_{engine_.tokenizer()};
};

TEST_F(ConstrainedEngine, AnswersAreWhatTheSchemaAsksForWhateverTheSampler) {
  std::vector<std::unique_ptr<Generation>> running;
  for (uint64_t i = 0; i < 16; ++i) {
    GenerateRequest r = request({.kind = Kind::kSchema, .text = kSchema}, i, i % 4 == 0 ? 0.0f : 1.5f);
    if (i % 4 == 1) r.sampling.repetition_penalty = 1.8f;
    if (i % 4 == 2) r.sampling.mirostat = 2;
    if (i % 4 == 3) r.sampling.dry_multiplier = 2;
    running.push_back(engine_.submit(std::move(r)));
  }
  for (auto& generation : running) {
    const Event end = generation->wait();
    ASSERT_EQ(end.reason, FinishReason::kEndOfText) << end.text;
    const Json json = parse_json(end.text, "answer");
    EXPECT_TRUE(json.at("name").is_string());
    EXPECT_GE(json.at("n").get<int>(), 3);
    EXPECT_LE(json.at("n").get<int>(), 40);
    EXPECT_TRUE(json.at("kind") == "a" || json.at("kind") == "bc");
  }
}

TEST_F(ConstrainedEngine, TokensThatMayComeAreThoseOfBoth) {
  const ConstraintSpec digits{.kind = Kind::kRegex, .text = "[0-9]{4}"};
  GenerateRequest r = request(digits, 1, 1);
  r.sampling.allowed_tokens = {engine_.tokenizer().find("3"), engine_.tokenizer().find("x")};
  EXPECT_EQ(engine_.submit(r)->wait().text, "3333");
  r.sampling.allowed_tokens.erase(r.sampling.allowed_tokens.begin());
  const std::string why = test::refusal([&] { engine_.submit(r)->wait(); });
  EXPECT_NE(why.find("allowed_token_ids"), std::string::npos) << why;
}

TEST_F(ConstrainedEngine, ABatchAnswersAsOneRequestDoes) {
  std::vector<std::string> alone;
  for (uint64_t i = 0; i < 4; ++i) alone.push_back(engine_.submit(request({.kind = Kind::kJson}, i, 1))->wait().text);
  std::vector<std::unique_ptr<Generation>> running;
  for (uint64_t i = 0; i < 4; ++i) running.push_back(engine_.submit(request({.kind = Kind::kJson}, i, 1)));
  for (uint64_t i = 0; i < 4; ++i) EXPECT_EQ(running[i]->wait().text, alone[i]);
}

TEST_F(ConstrainedEngine, AChoiceIsMadeAndEndsTheAnswer) {
  const Event end = engine_.submit(request({.kind = Kind::kChoice, .choices = {"yes", "no"}}, 1, 1))->wait();
  EXPECT_TRUE(end.text == "yes" || end.text == "no") << end.text;
  EXPECT_EQ(end.reason, FinishReason::kEndOfText);
}

TEST_F(ConstrainedEngine, RefusesWhatDoesNotGoTogether) {
  GenerateRequest r = request({.kind = Kind::kJson}, 1, 1);
  r.ignore_end = true;
  EXPECT_THROW(engine_.submit(std::move(r)), Error);
  Engine smaller(std::make_shared<const Model>(random_model({.family = &kLlama, .n_vocab = 300}, 3)), {.n_ctx = 64, .n_threads = 1});
  EXPECT_THROW(smaller.submit(request({.kind = Kind::kJson}, 1, 1)), Error);
}

TEST(ConstrainedEngineAlone, ARequestThatCannotGoOnFailsAndOthersDoNot) {
  Model model = random_model({.family = &kLlama, .n_vocab = 300}, 3);
  for (TokenEntry& token : model.tokenizer->tokens) {  // no byte but 'a' can be said
    if (token.type == TokenType::kByte && token.text != "<0x61>") token.type = TokenType::kUnused;
    if (token.type == TokenType::kNormal) token.type = TokenType::kUnused;
  }
  Engine engine(std::make_shared<const Model>(std::move(model)), {.n_ctx = 64, .n_sequences = 2, .n_threads = 1});
  ConstraintCompiler compiler(engine.tokenizer());
  GenerateRequest stuck{.prompt = {1}, .max_tokens = 8}, fine{.prompt = {1}, .max_tokens = 8};
  stuck.constraint = compiler.compile({.kind = Kind::kRegex, .text = "ab"});
  fine.constraint = compiler.compile({.kind = Kind::kRegex, .text = "aaaa"});
  const auto first = engine.submit(std::move(stuck)), second = engine.submit(std::move(fine));
  try {
    first->wait();
    ADD_FAILURE() << "went on";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("no token"), std::string::npos) << e.what();
  }
  EXPECT_EQ(second->wait().text, "aaaa");
}

}  // namespace
}  // namespace minnow
