#include "respond/answer_reader.h"

#include <gtest/gtest.h>

#include "text/chat_output/test_parse.h"

namespace minnow {
namespace {

using Kind = ChatOutputEvent::Kind;

struct Read {
  std::string reasoning, content;
  friend bool operator==(const Read&, const Read&) = default;
};

std::unique_ptr<AnswerReader> reader(const std::string& prompt, const std::string& begins_with) {
  ChatOutputOptions options{.prompt = prompt, .calls = false};
  return held_reader({ChatOutputParser(*find_output_format("hermes"), options), "</think>", begins_with}, plain_reader());
}

Read read(AnswerReader& reader, std::string_view text, std::size_t piece) {
  std::vector<ChatOutputEvent> events;
  for (std::size_t i = 0; i < text.size(); i += piece) test::append_merged(events, reader.feed(text.substr(i, piece)));
  test::append_merged(events, reader.finish());
  Read out;
  for (const ChatOutputEvent& e : events) (e.kind == Kind::kReasoning ? out.reasoning : out.content) += e.text;
  return out;
}

TEST(HeldReader, TellsThinkingFromWhatIsHeldWhereverTheTextIsCut) {
  for (std::size_t piece = 1; piece < 40; ++piece) {
    EXPECT_EQ(read(*reader("<think>\n", ""), "I am <\nso</thin</think>{\"a\":1}", piece), (Read{"I am <\nso</thin", "{\"a\":1}"})) << piece;
    EXPECT_EQ(read(*reader("assistant:", "<think>"), "<think>\nso\n</think>yes", piece), (Read{"so", "yes"})) << piece;
    EXPECT_EQ(read(*reader("assistant:", "<think>"), "<thing></think>", piece), (Read{"", "<thing></think>"})) << piece;
    EXPECT_EQ(read(*reader("assistant:", "<think>"), "yes", piece), (Read{"", "yes"})) << piece;
  }
}

TEST(HeldReader, WhatIsHeldIsNotLookedAt) {
  EXPECT_EQ(read(*reader("<think>", ""), "a</think> \"<think>b</think>\" ", 3), (Read{"a", " \"<think>b</think>\" "}));
}

TEST(HeldReader, AnAnswerThatIsCutOffWhileThinkingHasNoContent) {
  EXPECT_EQ(read(*reader("<think>", ""), "so it is</th", 2), (Read{"so it is</th", ""}));
  EXPECT_EQ(read(*reader("assistant:", "<think>"), "<thi", 2), (Read{"", "<thi"}));
}

}  // namespace
}  // namespace minnow
