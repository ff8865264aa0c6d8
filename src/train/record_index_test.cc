#include "train/record_index.h"

#include "formats/test_bytes.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;

std::vector<std::string> texts_of(const RecordIndex& index) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < index.size(); ++i) texts.push_back(index.record(i).text);
  return texts;
}

TEST(RecordIndex, FindsEveryLineThatIsNotBlank) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.jsonl", "\xEF\xBB\xBF{\"text\": \"one\"}\r\n\n  \n{\"text\": \"two\"}\n{\"text\": \"three\"}");
  const auto index = RecordIndex::open({path}, DataFormat::kJsonLines);
  EXPECT_EQ(texts_of(*index), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(index->kind(), RecordKind::kText);
  EXPECT_EQ(index->place(2), path.string() + ":5");
}

TEST(RecordIndex, NamesTheLineOfAMixedFile) {
  const TemporaryFolder folder;
  const auto first = folder.write("a.jsonl", "{\"text\": \"one\"}\n");
  const auto path = folder.write("b.jsonl", "{\"text\": \"two\"}\n\n{\"prompt\": \"a\", \"completion\": \"b\"}\n");
  expect_refused([&] { RecordIndex::open({first, path}, DataFormat::kJsonLines); }, ErrorCode::kInvalidInput,
                 path.string() + ":3: a prompt/completion record among text records");
  const auto empty = folder.write("c.jsonl", "\n \n");
  expect_refused([&] { RecordIndex::open({first, empty}, DataFormat::kJsonLines); }, ErrorCode::kInvalidInput, "no records");
}

TEST(RecordIndex, TakesTextsApartAtTheSeparator) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "One.\n<|endoftext|>\n\nTwo\nlines.\n<|endoftext|>\n\n<|endoftext|>Three");
  const auto index = RecordIndex::open({path}, DataFormat::kText);
  EXPECT_EQ(texts_of(*index), (std::vector<std::string>{"One.", "Two\nlines.", "Three"}));
  EXPECT_EQ(index->place(1), path.string() + ":4");
  const auto whole = RecordIndex::open({path}, DataFormat::kText, {.document_separator = ""});
  EXPECT_EQ(whole->size(), 1u);
}

TEST(RecordIndex, CutsLongDocumentsIntoPiecesThatMakeThemUp) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "line " + std::to_string(i) + "\n";
  text += "end";
  const auto path = folder.write("a.txt", text);
  uint64_t seen = 0;
  const auto index = RecordIndex::open({path}, DataFormat::kText, {.piece_bytes = 100, .progress = [&](uint64_t n) { seen += n; }});
  EXPECT_GT(index->size(), 20u);
  std::string joined;
  for (std::size_t i = 0; i < index->size(); ++i) {
    const Record r = index->record(i);
    EXPECT_EQ(r.begins_document, i == 0);
    EXPECT_EQ(r.ends_document, i + 1 == index->size());
    joined += r.text;
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(seen, text.size());
}

TEST(RecordIndex, RefusesBytesThatAreNoText) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "fine\nnot \xE9 fine\n");
  expect_refused([&] { RecordIndex::open({path}, DataFormat::kText); }, ErrorCode::kInvalidInput, path.string() + ":2: not UTF-8 at byte 9");
  const auto json = folder.write("a.jsonl", "{\"text\": \"\xE9\"}\n");
  expect_refused([&] { RecordIndex::open({json}, DataFormat::kJsonLines); }, ErrorCode::kInvalidInput, ":1");
  expect_refused([&] { RecordIndex::open({folder / "none.txt"}, DataFormat::kText); }, ErrorCode::kNotFound, "none.txt");
}

TEST(RecordIndex, ItsDigestChangesWithTheData) {
  const TemporaryFolder folder;
  const auto a = RecordIndex::open({folder.write("a.txt", "one two")}, DataFormat::kText)->digest();
  EXPECT_EQ(RecordIndex::open({folder.write("b.txt", "one two")}, DataFormat::kText)->digest(), a);
  EXPECT_NE(RecordIndex::open({folder.write("c.txt", "one tvo")}, DataFormat::kText)->digest(), a);
}

TEST(DataFiles, AreAllOfAFolderOrItsTrainingFile) {
  const TemporaryFolder folder;
  namespace fs = std::filesystem;
  fs::create_directories(folder / "texts/.git");
  fs::create_directories(folder / "chats");
  for (const char* name : {"texts/b.txt", "texts/a.md", "texts/.hidden.txt", "texts/.git/x.txt", "texts/picture.png", "chats/train.jsonl",
                           "chats/valid.jsonl", "chats/test.jsonl", "list.json"}) {
    folder.write(name, "x");
  }
  const DataFiles texts = find_data_files({folder / "texts"});
  EXPECT_EQ(texts.format, DataFormat::kText);
  EXPECT_EQ(texts.files, (std::vector<fs::path>{folder / "texts/a.md", folder / "texts/b.txt"}));
  const DataFiles chats = find_data_files({folder / "chats"});
  EXPECT_EQ(chats.format, DataFormat::kJsonLines);
  EXPECT_EQ(chats.files, std::vector<fs::path>{folder / "chats/train.jsonl"});
  EXPECT_EQ(chats.validation, std::vector<fs::path>{folder / "chats/valid.jsonl"});
  expect_refused([&] { find_data_files({folder / "texts", folder / "chats"}); }, ErrorCode::kInvalidInput, "cannot be one data set");
  expect_refused([&] { find_data_files({folder / "list.json"}); }, ErrorCode::kInvalidInput, "jq");
  expect_refused([&] { find_data_files({folder / "nowhere"}); }, ErrorCode::kNotFound, "nowhere");
  fs::create_directories(folder / "bare");
  expect_refused([&] { find_data_files({folder / "bare"}); }, ErrorCode::kNotFound, "no training data");
}

}  // namespace
}  // namespace minnow
