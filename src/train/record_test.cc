#include "train/record.h"

#include "base/error.h"
#include "base/limits.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;

RecordKind kind_of(const char* line) { return parse_record(line, "a.jsonl:1").kind; }

void refused(const std::string& line, const char* part, std::optional<RecordKind> expected = std::nullopt) {
  expect_refused([&] { parse_record(line, "a.jsonl:7", expected); }, ErrorCode::kInvalidInput, part);
  expect_refused([&] { parse_record(line, "a.jsonl:7", expected); }, ErrorCode::kInvalidInput, "a.jsonl:7");
}

TEST(Record, IsOfTheKindThatItsKeysSay) {
  EXPECT_EQ(kind_of(R"({"text": "a"})"), RecordKind::kText);
  EXPECT_EQ(kind_of(R"({"id": 3, "prompt": "a", "completion": "b"})"), RecordKind::kCompletion);
  EXPECT_EQ(kind_of(R"({"instruction": "a", "output": "b", "text": "a b"})"), RecordKind::kInstruction);
  EXPECT_EQ(kind_of(R"({"messages": [{"role": "user", "content": "a"}]})"), RecordKind::kChat);
  EXPECT_EQ(kind_of(R"({"prompt": "a", "chosen": "b", "rejected": "c"})"), RecordKind::kPreference);
}

TEST(Record, HoldsItsFields) {
  const Record r = parse_record(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}],
          "tools": [{"type": "function"}]})", "x");
  EXPECT_EQ(r.messages.size(), 2u);
  EXPECT_EQ(r.tools.size(), 1u);
  const Record i = parse_record(R"({"instruction": "do", "input": null, "output": "done"})", "x");
  EXPECT_EQ(i.instruction, "do");
  EXPECT_EQ(i.input, "");
  EXPECT_EQ(i.answer, "done");
}

TEST(Record, ItsTextIsAllThatItSays) {
  EXPECT_EQ(record_text(parse_record(R"({"instruction": "a", "input": "b", "output": "c"})", "x")), "a\nb\nc\n");
  EXPECT_EQ(record_text(parse_record(R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}], "tools": [{"n": "t"}]})", "x")),
            "text\nq\n");
}

TEST(Record, APreferenceWithoutAPromptTakesWhatBothBeginWith) {
  const Record r = parse_record(
      R"({"chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
          "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}]})", "x");
  EXPECT_EQ(r.prompt.size(), 1u);
  EXPECT_EQ(r.answer.size(), 1u);
  EXPECT_EQ(r.rejected[0]["content"], "b");
  const Record i = parse_record(R"({"instruction": "q", "output": "a", "chosen": "a", "rejected": "b"})", "x");
  EXPECT_TRUE(i.prompt.is_null());
  EXPECT_EQ(i.instruction, "q");
  refused(R"({"chosen": "a", "rejected": "b"})", "prompt is missing");
  refused(R"({"chosen": [{"role": "user", "content": "x"}], "rejected": [{"role": "user", "content": "y"}]})", "do not begin alike");
  refused(R"({"prompt": "q", "chosen": "a", "rejected": "a"})", "the same");
  refused(R"({"prompt": "q", "chosen": "a", "rejected": [{"role": "assistant", "content": "y"}]})", "one is a string");
}

TEST(Record, RefusesWhatIsNoRecord) {
  refused("[1, 2]", "jq");
  refused("3", "not a JSON object");
  refused(R"({"text": )", "not valid JSON");
  refused(R"({"question": "a", "answer": "b"})", "'question'");
  refused("{}", "no keys");
  refused(R"({"text": 5})", "text is not a string");
  refused(R"({"text": ""})", "empty");
  refused(R"({"text": null})", "missing");
  refused(R"({"prompt": 1, "completion": "a"})", "prompt is not a list");
  refused(R"({"messages": []})", "not a list of messages");
  refused(R"({"messages": [1]})", "messages[0]");
  refused(R"({"messages": [{"content": "a"}]})", "no role");
  refused(R"({"messages": [{"role": "user", "content": "a"}, {"role": "user"}]})", "messages[1] has no content");
  refused(R"({"messages": [{"role": "user", "content": 4}]})", "content");
  refused(R"({"messages": [{"role": "user", "content": [4]}]})", "part");
  refused(R"({"messages": [{"role": "assistant", "content": "", "tool_calls": {}}]})", "tool_calls");
  refused(R"({"messages": [{"role": "user", "content": "a"}], "tools": {}})", "tools");
  expect_refused([] { parse_record(std::string(limits::kMaxRecordBytes + 1, ' '), "a.jsonl:1"); }, ErrorCode::kLimit, "a.jsonl:1");
}

TEST(Record, RefusesAnotherKindThanTheOnesBefore) {
  refused(R"({"text": "a"})", "a text record among chat records", RecordKind::kChat);
  EXPECT_EQ(parse_record(R"({"text": "a"})", "x", RecordKind::kText).text, "a");
}

}  // namespace
}  // namespace minnow
