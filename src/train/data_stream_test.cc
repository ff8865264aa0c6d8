#include "train/data_stream.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "formats/test_bytes.h"
#include "train/test_chats.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;
using namespace testing_chats;

std::string random_word(Random& random, uint64_t longest) {
  std::string word;
  for (uint64_t n = 1 + random.below(longest); n > 0; --n) word += static_cast<char>('a' + random.below(26));
  return word;
}

DataSplit completions(const TemporaryFolder& folder, int n) {
  Random random(7);
  std::string text;
  for (int i = 0; i < n; ++i) {
    text += "{\"prompt\": \"" + std::to_string(i) + ":" + random_word(random, 8) + "\", \"completion\": \"" + random_word(random, 12) + "\"}\n";
  }
  return DataSet::open({.files = {folder.write("c.jsonl", text)}}).train;
}

DataSplit texts(const TemporaryFolder& folder, int n) {
  Random random(8);
  std::string text;
  for (int i = 0; i < n; ++i) text += "{\"text\": \"" + random_word(random, 60) + "\"}\n";
  return DataSet::open({.files = {folder.write("t.jsonl", text)}}).train;
}

std::vector<TrainBatch> epoch_of(DataStream& stream) {
  std::vector<TrainBatch> batches;
  for (TrainBatch batch; stream.next(batch);) batches.push_back(batch);
  return batches;
}

// What must hold of every batch.
void expect_sound(const TrainBatch& batch, int64_t most_rows) {
  EXPECT_LE(static_cast<int64_t>(batch.tokens.size()), most_rows);
  ASSERT_EQ(batch.targets.size(), batch.tokens.size());
  ASSERT_EQ(batch.loss_weights.size(), batch.tokens.size());
  int32_t row = 0;
  for (const DocumentSpan& d : batch.documents) {
    ASSERT_EQ(d.first, row);
    ASSERT_GT(d.count, 0);
    row += d.count;
    for (int32_t i = d.first; i + 1 < row; ++i) {
      const int32_t target = batch.targets[static_cast<std::size_t>(i)];
      if (target >= 0) {
        ASSERT_EQ(target, batch.tokens[static_cast<std::size_t>(i) + 1]);
      }
    }
  }
  EXPECT_EQ(row, static_cast<int32_t>(batch.tokens.size()));
  int64_t n_loss = 0;
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    EXPECT_EQ(batch.loss_weights[i], batch.targets[i] >= 0 ? 1.0f : 0.0f);
    n_loss += batch.targets[i] >= 0 ? 1 : 0;
  }
  EXPECT_EQ(batch.n_loss_tokens, n_loss);
}

using Document = std::pair<std::vector<int32_t>, std::vector<int32_t>>;  // tokens and targets

std::multiset<Document> documents_of(const std::vector<TrainBatch>& batches) {
  std::multiset<Document> documents;
  for (const TrainBatch& b : batches) {
    for (const DocumentSpan& d : b.documents) {
      documents.insert({{b.tokens.begin() + d.first, b.tokens.begin() + d.first + d.count},
                        {b.targets.begin() + d.first, b.targets.begin() + d.first + d.count}});
    }
  }
  return documents;
}

TEST(DataStream, GivesEveryDocumentOnceInAnEpochHoweverItIsPacked) {
  const TemporaryFolder folder;
  const DataSplit split = completions(folder, 700);
  std::multiset<Document> expected;
  const SampleRenderer renderer(byte_tokenizer(), {});
  for (std::size_t i = 0; i < split.records.size(); ++i) {
    const Sample s = renderer.render(split.record(i))[0];
    Document document{{s.tokens.begin(), s.tokens.end() - 1}, {}};
    for (std::size_t t = 1; t < s.tokens.size(); ++t) document.second.push_back(s.loss[t] ? s.tokens[t] : -1);
    expected.insert(document);
  }
  std::map<PackingOrder, std::size_t> n_batches;
  for (const PackingOrder packing : {PackingOrder::kNone, PackingOrder::kInOrder, PackingOrder::kFirstFit}) {
    DataStream stream(split, byte_tokenizer(), {}, {.sequence_length = 64, .n_sequences = 3, .packing = packing, .seed = 2});
    const auto batches = epoch_of(stream);
    for (const TrainBatch& batch : batches) expect_sound(batch, 64 * 3);
    EXPECT_EQ(documents_of(batches), expected);
    EXPECT_EQ(stream.counts().documents, 700);
    EXPECT_EQ(stream.counts().cut, 0);
    n_batches[packing] = batches.size();
  }
  EXPECT_EQ(n_batches[PackingOrder::kNone], 234u);
  EXPECT_LT(n_batches[PackingOrder::kInOrder], 110u);
  EXPECT_LT(n_batches[PackingOrder::kFirstFit], n_batches[PackingOrder::kInOrder]);
}

TEST(DataStream, CutsTextsIntoFullWindowsThatLoseNothing) {
  const TemporaryFolder folder;
  const DataSplit split = texts(folder, 40);
  DataStream stream(split, byte_tokenizer(), {}, {.sequence_length = 50, .n_sequences = 2, .shuffle = false});
  const auto batches = epoch_of(stream);
  std::vector<int32_t> tokens, targets, expected_tokens, expected_targets;
  for (const TrainBatch& b : batches) {
    expect_sound(b, 100);
    if (&b != &batches.back()) {
      EXPECT_EQ(b.tokens.size(), 100u);
    }
    tokens.insert(tokens.end(), b.tokens.begin(), b.tokens.end());
    targets.insert(targets.end(), b.targets.begin(), b.targets.end());
  }
  for (std::size_t i = 0; i < 40; ++i) {
    expected_tokens.push_back(kBos);
    for (const char c : split.record(i).text) {
      expected_tokens.push_back(c);
      expected_targets.push_back(c);
    }
    expected_targets.push_back(kEos);
  }
  EXPECT_EQ(tokens, expected_tokens);
  EXPECT_EQ(targets, expected_targets);
}

TEST(DataStream, GoesOnFromAnyPositionWithTheVeryNextBatches) {
  const TemporaryFolder folder;
  const DataSplit all[] = {texts(folder, 30), completions(folder, 1100)};
  for (const DataSplit& split : all) {
    for (const PackingOrder packing : {PackingOrder::kNone, PackingOrder::kFirstFit}) {
      const StreamOptions options{.sequence_length = 48, .n_sequences = 2, .packing = packing, .seed = 9};
      DataStream stream(split, byte_tokenizer(), {}, options);
      std::vector<TrainBatch> batches;
      std::vector<StreamPosition> positions;
      while (positions.empty() || stream.position().epoch < 2) {
        positions.push_back(stream.position());
        stream.next(batches.emplace_back());
      }
      for (std::size_t at = 0; at < batches.size(); at += 1 + batches.size() / 7) {
        DataStream resumed(split, byte_tokenizer(), {}, options);
        resumed.seek(positions[at]);
        for (std::size_t i = at; i < std::min(batches.size(), at + 5); ++i) {
          TrainBatch batch;
          EXPECT_EQ(resumed.next(batch), !batches[i].tokens.empty());
          ASSERT_EQ(batch, batches[i]) << "from " << at << ", batch " << i;
        }
      }
    }
  }
}

TEST(DataStream, EveryEpochHasItsOwnOrder) {
  const TemporaryFolder folder;
  const DataSplit split = completions(folder, 50);
  DataStream stream(split, byte_tokenizer(), {}, {.packing = PackingOrder::kNone, .seed = 1});
  const auto first = epoch_of(stream), second = epoch_of(stream);
  EXPECT_NE(first, second);
  EXPECT_EQ(documents_of(first), documents_of(second));
  DataStream in_order(split, byte_tokenizer(), {}, {.packing = PackingOrder::kNone, .shuffle = false});
  EXPECT_EQ(epoch_of(in_order)[7].tokens[1], '7');
}

TEST(DataStream, PreferencesComeInPairs) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20; ++i) text += R"({"prompt": "q)" + std::to_string(i) + R"(", "chosen": "good", "rejected": "bad"})" + "\n";
  const DataSplit split = DataSet::open({.files = {folder.write("p.jsonl", text)}}).train;
  DataStream stream(split, byte_tokenizer(), {}, {.sequence_length = 32, .n_sequences = 2});
  int n_pairs = 0;
  for (const TrainBatch& batch : epoch_of(stream)) {
    expect_sound(batch, 2 * 2 * 32);
    ASSERT_EQ(batch.documents.size() % 2, 0u);
    for (std::size_t i = 0; i < batch.documents.size(); i += 2) {
      const auto target = [&](std::size_t d) { return batch.targets[static_cast<std::size_t>(batch.documents[d].first + batch.documents[d].count) - 2]; };
      EXPECT_EQ(target(i), 'd');
      EXPECT_EQ(batch.documents[i].count, batch.documents[i + 1].count + 1);
      ++n_pairs;
    }
  }
  EXPECT_EQ(n_pairs, 20);
}

TEST(DataStream, CountsWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto path = folder.write("c.jsonl",
                                 "{\"prompt\": \"p\", \"completion\": \"short\"}\n{\"prompt\": \"p\", \"completion\": \"much longer than that\"}\n"
                                 "{\"prompt\": \"a prompt that fills all of it\", \"completion\": \"x\"}\n");
  const DataSplit split = DataSet::open({.files = {path}}).train;
  DataStream stream(split, byte_tokenizer(), {}, {.sequence_length = 10});
  for (const TrainBatch& batch : epoch_of(stream)) expect_sound(batch, 10);
  EXPECT_EQ(stream.counts().records, 3);
  EXPECT_EQ(stream.counts().documents, 2);
  EXPECT_EQ(stream.counts().cut, 1);
  EXPECT_EQ(stream.counts().left_out, 1);
  DataStream none(split, byte_tokenizer(), {}, {.sequence_length = 1});
  TrainBatch batch;
  expect_refused([&] { none.next(batch); }, ErrorCode::kInvalidInput, "longer");
}

TEST(DataStream, EachAnswerIsADocumentThatMayStandAnywhere) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 30; ++i) {
    text += R"({"messages": [{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},)"
            R"({"role":"assistant","content":"d"}]})" "\n";
  }
  DataStream stream(DataSet::open({.files = {folder.write("c.jsonl", text)}}).train, byte_tokenizer(kTemplate), {.turns = TrainedTurns::kEach},
                    {.sequence_length = 19});
  const auto batches = epoch_of(stream);
  for (const TrainBatch& batch : batches) expect_sound(batch, 19);
  EXPECT_EQ(documents_of(batches).size(), 60u);
  EXPECT_EQ(stream.counts().records, 30);
  EXPECT_EQ(stream.counts().cut, 0);
}

TEST(DataStream, NamesTheLineOfARecordThatCannotBeLearned) {
  const TemporaryFolder folder;
  const auto path = folder.write("c.jsonl", "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}\n\n{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n");
  DataStream stream(DataSet::open({.files = {path}}).train, byte_tokenizer(kTemplate), {}, {});
  expect_refused([&] { epoch_of(stream); }, ErrorCode::kInvalidInput, path.string() + ":3: no message of the assistant");
}

TEST(DataStream, RefusesWhatIsNoStream) {
  const TemporaryFolder folder;
  const DataSplit split = texts(folder, 3);
  expect_refused([&] { DataStream(split, byte_tokenizer(), {}, {.sequence_length = 0}); }, ErrorCode::kUsage, "no batch");
  expect_refused([&] { DataStream(split, byte_tokenizer(), {}, {.sequence_length = 1 << 30, .n_sequences = 4}); }, ErrorCode::kLimit, "too much");
  expect_refused([&] { DataStream({split.index, {}}, byte_tokenizer(), {}, {}); }, ErrorCode::kInvalidInput, "no records");
  DataStream stream(split, byte_tokenizer(), {}, {});
  expect_refused([&] { stream.seek({.record = 4}); }, ErrorCode::kInvalidInput, "not the data");
}

TEST(Pack, FillsTheFirstSequenceWithRoom) {
  const std::vector<int64_t> lengths = {6, 5, 4, 3, 12, 2};
  using Rows = std::vector<std::vector<uint32_t>>;
  EXPECT_EQ(pack(lengths, 10, PackingOrder::kFirstFit), (Rows{{0, 2}, {1, 3, 5}, {4}}));
  EXPECT_EQ(pack(lengths, 10, PackingOrder::kInOrder), (Rows{{0}, {1, 2}, {3}, {4}, {5}}));
  EXPECT_EQ(pack(lengths, 10, PackingOrder::kNone), (Rows{{0}, {1}, {2}, {3}, {4}, {5}}));
}

}  // namespace
}  // namespace minnow
