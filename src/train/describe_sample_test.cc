#include "train/describe_sample.h"

#include <gtest/gtest.h>

#include "train/test_chats.h"

namespace minnow {
namespace {

using namespace testing_chats;

Sample sample_of(const char* line) { return SampleRenderer(byte_tokenizer(kTemplate), {}).render(parse_record(line, "test"))[0]; }

TEST(DescribeSample, ShowsWhatIsLearned) {
  EXPECT_EQ(describe_sample(sample_of(R"({"prompt": "Hi", "completion": "Yo\u0007"})"), *byte_tokenizer()),
            "12 tokens, 4 of them carry loss (+)\n"
            ".     7  \"<s><|user|>Hi<|end|>\\n<|bot|>\"\n"
            "+     4  \"Yo\\u0007<|end|>\"\n"
            ".     1  \"\\n\"\n");
}

TEST(DescribeSample, ShortensLongStretchesBetweenCharacters) {
  std::string long_text;
  for (int i = 0; i < 100; ++i) long_text += "ü";
  const Sample sample = sample_of(("{\"text\": \"" + long_text + "\"}").c_str());
  const std::string text = describe_sample(sample, *byte_tokenizer(), 21);
  EXPECT_NE(text.find("\"üüüüü … üüü</s>\""), std::string::npos) << text;
  EXPECT_NE(describe_sample(sample, *byte_tokenizer(), 0).find(long_text), std::string::npos);
}

TEST(DescribeSample, GivesTheSameAsJson) {
  const Json j = sample_to_json(sample_of(R"({"prompt": "Hi", "completion": "Yo"})"), *byte_tokenizer());
  EXPECT_EQ(j["n_tokens"], 11);
  EXPECT_EQ(j["n_loss"], 3);
  EXPECT_EQ(j["loss"].dump(), "[0,0,0,0,0,0,0,1,1,1,0]");
  EXPECT_EQ(j["stretches"][1].dump(), R"({"count":3,"first":7,"loss":true,"text":"Yo<|end|>"})");
  EXPECT_EQ(j["cut"], false);
}

}  // namespace
}  // namespace minnow
