#include "respond/chat_answer.h"

#include <gtest/gtest.h>

#include "models/family.h"
#include "models/random_model.h"
#include "respond/responder.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

// Qwen's marks, in a template that knows tools.
constexpr const char* kTemplate =
    "{% if tools %}<tool_call>{{ tools | tojson }}</tool_call><|im_start|>{% endif %}"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:";

constexpr TokenId kFirst = 280;  // of the pieces that the model says

// A model that says these pieces one after another, then ends: no layer adds anything, and the output matrix maps the
// vector of each token to its successor.
std::unique_ptr<Engine> engine_that_says(const std::vector<std::string>& pieces) {
  Model model = random_model({.family = &kLlama, .n_layers = 1, .n_vocab = 400, .tied = false}, 1);
  model.tokenizer->chat_template = kTemplate;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    auto& token = model.tokenizer->tokens[static_cast<std::size_t>(kFirst) + i];
    token = {pieces[i], 0, TokenType::kControl};
  }
  const auto zeros = [&](const std::string& name) {
    const Tensor& t = model.weights.require(name);
    model.weights.set(name, Tensor::from_f32(std::vector<float>(static_cast<std::size_t>(t.shape.elements())), t.shape));
  };
  zeros("blk.0.attn_output.weight");
  zeros("blk.0.ffn_down.weight");
  const auto width = static_cast<std::size_t>(model.config.n_embd), n_vocab = static_cast<std::size_t>(model.config.n_vocab);
  std::vector<float> embedding(n_vocab * width), output(n_vocab * width);
  // Feature 0: any token of the prompt. Feature i + 1: piece i.
  for (std::size_t t = 0; t < n_vocab; ++t) embedding[t * width] = 1;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t token = static_cast<std::size_t>(kFirst) + i;
    embedding[token * width] = 0;
    embedding[token * width + i + 1] = 1;
    output[token * width + i] = 10;
  }
  output[2 * width + pieces.size()] = 10;  // </s> after the last
  const Shape shape{model.config.n_vocab, model.config.n_embd};
  model.weights.set("token_embd.weight", Tensor::from_f32(embedding, shape));
  model.weights.set("output.weight", Tensor::from_f32(output, shape));
  return std::make_unique<Engine>(std::make_shared<const Model>(std::move(model)), EngineOptions{.n_ctx = 512, .n_threads = 1});
}

ChatRequest request_with(const OrderedJson& tools) {
  ChatRequest request;
  request.messages.push_back({{"role", "user"}, {"content", "how many fish?"}});
  request.tools = tools;
  request.sampling.temperature = 0;
  request.max_tokens = 50;
  return request;
}

const OrderedJson kTools = {{{"type", "function"},
                             {"function", {{"name", "count"}, {"parameters", {{"type", "object"}, {"properties", {{"of", {{"type", "string"}}}}}}}}}}};

const std::vector<std::string> kSays = {"<think>", "They must be counted.", "</think>", "I will count. ", "<tool_call>",
                                        R"({"name": "count", "arguments": {"of": )", R"("fish"}})", "</tool_call>"};

TEST(ChatAnswer, ComesApartIntoThinkingContentAndCalls) {
  const auto engine = engine_that_says(kSays);
  LocalResponder responder(*engine);
  const ChatReply reply = responder.respond(request_with(kTools))->wait();
  EXPECT_EQ(reply.reason, FinishReason::kEndOfText);
  EXPECT_EQ(reply.reasoning, "They must be counted.");
  EXPECT_EQ(reply.content, "I will count.");
  ASSERT_EQ(reply.calls.size(), 1u);
  EXPECT_EQ(reply.calls[0].name, "count");
  EXPECT_EQ(Json::parse(reply.calls[0].arguments), (Json{{"of", "fish"}}));
  EXPECT_EQ(reply.tokens.size(), kSays.size() + 1);
}

TEST(ChatAnswer, WithoutToolsACallIsText) {
  const auto engine = engine_that_says(kSays);
  LocalResponder responder(*engine);
  const ChatReply reply = responder.respond(request_with(nullptr))->wait();
  EXPECT_TRUE(reply.calls.empty());
  EXPECT_NE(reply.content.find("\"arguments\""), std::string::npos) << reply.content;
}

TEST(ChatAnswer, StreamsPiecesThatMakeTheWhole) {
  const auto engine = engine_that_says(kSays);
  LocalResponder responder(*engine);
  const auto answer = responder.respond(request_with(kTools));
  ChatReply reply;
  int events = 0;
  ChatEvent event;
  do {
    event = answer->next();
    for (const ChatOutputEvent& e : event.output) reply.append(e);
    ++events;
  } while (!event.done);
  EXPECT_EQ(reply.reasoning, "They must be counted.");
  EXPECT_EQ(reply.calls.size(), 1u);
  EXPECT_EQ(event.stats.generated_tokens, static_cast<int64_t>(kSays.size()) + 1);
}

TEST(ChatAnswer, ACallThatIsNoCallIsGivenBackAsText) {
  const auto engine = engine_that_says({"<tool_call>", R"({"name": "count", "arguments": )", "nothing", "</tool_call>"});
  LocalResponder responder(*engine);
  const ChatReply reply = responder.respond(request_with(kTools))->wait();
  EXPECT_TRUE(reply.calls.empty());
  EXPECT_NE(reply.content.find("nothing"), std::string::npos) << reply.content;
}

}  // namespace
}  // namespace minnow
