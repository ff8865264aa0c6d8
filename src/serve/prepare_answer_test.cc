#include "serve/prepare_answer.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "respond/null_model.h"
#include "serve/fields.h"
#include "serve/sampling_fields.h"

namespace minnow {
namespace {

TEST(ChoiceOf, draws_each_with_a_seed_of_its_own) {
  ChatRequest request;
  request.sampling.seed = 7;
  EXPECT_EQ(choice_of(request, 0).sampling.seed, 7u);
  EXPECT_NE(choice_of(request, 1).sampling.seed, 7u);
  EXPECT_NE(choice_of(request, 1).sampling.seed, choice_of(request, 2).sampling.seed);
}

TEST(PrepareChoices, makes_each_request_when_its_turn_comes) {
  ModelPool pool({}, [](const ModelEntry& entry) { return null_model(entry, {}); });
  pool.add(ModelEntry{.name = "null", .path = "/models/null.gguf"});
  std::vector<std::size_t> made;
  const auto answer = prepare_choices({.model = pool.acquire("null")}, 3, [&](std::size_t i) {
    made.push_back(i);
    if (i == 1) fail(ErrorCode::kUnsupported, "no");
    return ChatRequest();
  });
  EXPECT_TRUE(made.empty());
  EXPECT_THROW(answer->start([] {}), Error);
  EXPECT_EQ(made, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(answer->answers.size(), 1u);
}

TEST(CacheSalt, keeps_tenants_apart_whatever_a_client_says) {
  HttpRequest one, two;
  one.caller.tenant = "one";
  two.caller.tenant = "two";
  EXPECT_EQ(cache_salt(one, ""), "one");
  EXPECT_NE(cache_salt(one, "s"), cache_salt(two, "s"));
  EXPECT_NE(cache_salt(one, "s"), cache_salt(one, "t"));
  HttpRequest nobody;
  EXPECT_NE(cache_salt(nobody, "one"), cache_salt(one, ""));
}

TEST(CacheSalt, of_a_body_is_its_own_and_shared_with_nobody_where_the_cache_is_not_to_be_used) {
  HttpRequest one;
  one.caller.tenant = "one";
  const auto salt = [&](const char* text) {
    const OrderedJson body = parse_ordered_json(text, "test");
    return cache_salt(one, RequestFields(body));
  };
  EXPECT_EQ(salt(R"({"cache_prompt": true})"), cache_salt(one, ""));
  EXPECT_EQ(salt(R"({"cache_salt": "s"})"), cache_salt(one, "s"));
  EXPECT_NE(salt(R"({"cache_prompt": false})"), salt(R"({"cache_prompt": false})"));
  EXPECT_THROW(salt(R"({"cache_prompt": "no"})"), RequestError);
  EXPECT_THROW(salt(R"({"cache_salt": 1})"), RequestError);
}

TEST(MaxUnreadBytes, are_shared_by_the_choices_of_a_stream) {
  EXPECT_EQ(max_unread_bytes(false, 3), 0u);
  EXPECT_EQ(max_unread_bytes(true, 1), limits::kMaxUnreadAnswerBytes);
  constexpr auto kMost = static_cast<std::size_t>(limits::kMaxChoices);
  EXPECT_GT(max_unread_bytes(true, kMost), 0u);
  EXPECT_LE(kMost * max_unread_bytes(true, kMost), limits::kMaxUnreadAnswerBytes);
}

TEST(RefuseLongPrompt, names_both_numbers_and_the_code) {
  try {
    refuse_long_prompt("messages", 9000, 8192);
    FAIL();
  } catch (const RequestError& error) {
    EXPECT_EQ(error.type_code(), "context_length_exceeded");
    EXPECT_EQ(error.param(), "messages");
    const std::string text = error.what();
    EXPECT_NE(text.find("9000"), std::string::npos);
    EXPECT_NE(text.find("8192"), std::string::npos);
  }
}

}  // namespace
}  // namespace minnow
