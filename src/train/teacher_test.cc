#include "train/teacher.h"

#include <gmock/gmock.h>

#include <cmath>

#include "graph/passes.h"
#include "graph/test_interpreter.h"
#include "train/test_runs.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;
using namespace test;

TokenizerSpec words(std::initializer_list<const char*> texts) {
  TokenizerSpec spec;
  for (const char* text : texts) spec.tokens.push_back({.text = text});
  return spec;
}

TEST(VocabularyMap, FindsTokensByTheirTexts) {
  const VocabularyMap same = map_vocabularies(words({"a", "b"}), words({"a", "b"}), "t");
  EXPECT_TRUE(same.identical);
  const VocabularyMap prefix = map_vocabularies(words({"a", "b"}), words({"a", "b", "c"}), "t");
  EXPECT_FALSE(prefix.identical);
  EXPECT_THAT(prefix.to_teacher, ::testing::ElementsAre(0, 1));
  EXPECT_THAT(prefix.to_student, ::testing::ElementsAre(0, 1, -1));
  const VocabularyMap moved = map_vocabularies(words({"a", "b", "c"}), words({"c", "a"}), "t");
  EXPECT_THAT(moved.to_teacher, ::testing::ElementsAre(1, -1, 0));
  const VocabularyMap twice = map_vocabularies(words({"a", "x", "x"}), words({"a", "x", "x"}), "t");
  EXPECT_TRUE(twice.identical);
}

TEST(VocabularyMap, RefusesOthersAndNamesTheWayThatIsLeft) {
  const auto refused = [](const TokenizerSpec& teacher, const char* why) {
    expect_refused([&] { map_vocabularies(words({"a", "b"}), teacher, "big.gguf"); }, ErrorCode::kUnsupported, why);
    expect_refused([&] { map_vocabularies(words({"a", "b"}), teacher, "big.gguf"); }, ErrorCode::kUnsupported, "synth");
  };
  refused(words({"a", "c"}), "'b'");
  TokenizerSpec other = words({"a", "b"});
  other.kind = TokenizerKind::kUnigram;
  refused(other, "unigram");
  other = words({"a", "b"});
  other.pre = "qwen2";
  refused(other, "cut");
}

TEST(VocabularyMap, LetsControlTokensDiffer) {
  TokenizerSpec student = words({"a", "b"}), teacher = words({"a", "b"});
  student.tokens.push_back({.text = "<mine>", .type = TokenType::kControl});
  teacher.tokens.push_back({.text = "<yours>", .type = TokenType::kControl});
  EXPECT_THAT(map_vocabularies(student, teacher, "t").to_teacher, ::testing::ElementsAre(0, 1, -1));
}

const Json kSettings = {{"teacher", "x"}, {"top_k", 2}};

TEST(TeacherCache, FindsInALaterRunWhatWasAddedBefore) {
  const TemporaryFolder folder;
  const std::vector<float> numbers = {1, 2, 3}, others = {4, 5};
  {
    TeacherCache cache(folder.path() / "c", kSettings, 1 << 20);
    EXPECT_TRUE(cache.find({1, 2}).empty());
    cache.add({1, 2}, numbers);
    EXPECT_THAT(cache.find({1, 2}), ::testing::ElementsAreArray(numbers));
    cache.flush();
    EXPECT_THAT(cache.find({1, 2}), ::testing::ElementsAreArray(numbers));
    cache.add({3, 4}, others);
    cache.flush();
    cache.add({5, 6}, others);  // lost with the process
  }
  const TeacherCache again(folder.path() / "c", kSettings, 1 << 20);
  EXPECT_EQ(again.n_documents(), 2u);
  EXPECT_THAT(again.find({1, 2}), ::testing::ElementsAreArray(numbers));
  EXPECT_THAT(again.find({3, 4}), ::testing::ElementsAreArray(others));
}

TEST(TeacherCache, TakesNoMoreThanItsBound) {
  const TemporaryFolder folder;
  TeacherCache cache(folder.path() / "c", kSettings, 20);
  cache.add({1, 1}, std::vector<float>(4, 1.0f));
  EXPECT_FALSE(cache.is_full());
  cache.add({2, 2}, std::vector<float>(4, 1.0f));
  EXPECT_TRUE(cache.is_full());
  EXPECT_EQ(cache.n_documents(), 1u);
  EXPECT_TRUE(cache.find({2, 2}).empty());
}

TEST(TeacherCache, RefusesRowsOfOtherSettingsAndDamagedOnes) {
  const TemporaryFolder folder;
  {
    TeacherCache cache(folder.path() / "c", kSettings, 1 << 20);
    cache.add({1, 2}, std::vector<float>{1, 2, 3});
    cache.flush();
  }
  const auto open = [&](const Json& settings) { TeacherCache(folder.path() / "c", settings, 1 << 20); };
  expect_refused([&] { open({{"teacher", "y"}}); }, ErrorCode::kInvalidInput, "another teacher");
  const std::string good = read_text_file(folder.path() / "c/00000001.rows", 1 << 20);
  std::string bad = good;
  bad[bad.size() - 10] ^= 1;  // the last of the numbers
  folder.write("c/00000001.rows", bad);
  expect_refused([&] { open(kSettings); }, ErrorCode::kInvalidInput, "damaged");
  folder.write("c/00000001.rows", good.substr(0, good.size() - 20));
  expect_refused([&] { open(kSettings); }, ErrorCode::kInvalidInput, "truncated");
  folder.write("c/00000001.rows", "minnow");
  expect_refused([&] { open(kSettings); }, ErrorCode::kInvalidInput, "not a teacher's rows");
}

// Batches of a small text, of several documents each.
std::vector<TrainBatch> batches(const TemporaryFolder& folder, int n) {
  const std::string lines = [] {
    std::string text;
    for (int i = 0; i < 12; ++i) text += Json{{"prompt", std::string("line ") + static_cast<char>('a' + i)}, {"completion", small_text(1)}}.dump() + "\n";
    return text;
  }();
  DataSetOptions options;
  options.files = {folder.write("records.jsonl", lines)};
  DataStream stream(DataSet::open(options).train, testing_chats::byte_tokenizer(), {}, {.sequence_length = 32, .n_sequences = 3});
  std::vector<TrainBatch> all(static_cast<std::size_t>(n));
  for (TrainBatch& b : all) EXPECT_TRUE(stream.next(b));
  return all;
}

TeacherOptions teacher_options(int32_t top_k) {
  return {.top_k = top_k, .sequence_length = 32, .executor = {.isa = chosen_isa(), .max_tokens = 96, .max_outputs = 96}, .cache_folder = {}, .cache_bytes = 1 << 20};
}

TEST(Teacher, TellsTheLikeliestTokensAndTheirLogProbabilities) {
  const TemporaryFolder folder;
  const auto model = std::make_shared<const Model>(tiny_model(3));
  const TrainBatch data = batches(folder, 1).front();
  const TrainingBatch batch = training_batch(data);
  constexpr int kTopK = 5;
  Teacher teacher(model, *model->tokenizer, teacher_options(kTopK));
  const std::vector<float> told = teacher.tell(batch, data);
  const std::vector<double> logits = Interpreter(fuse(build_graph(*model, 32)), batch).output();
  const std::size_t n = model->tokenizer->tokens.size(), rows = batch.output_rows.size();
  ASSERT_EQ(told.size(), rows * 2 * kTopK);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::vector<double> z(logits.begin() + static_cast<std::ptrdiff_t>(r * n), logits.begin() + static_cast<std::ptrdiff_t>((r + 1) * n));
    const std::vector<double> p = softmax(z);
    std::vector<double> sorted = p;
    std::sort(sorted.rbegin(), sorted.rend());
    for (std::size_t j = 0; j < kTopK; ++j) {
      const float id = told[r * 2 * kTopK + j], log_p = told[r * 2 * kTopK + kTopK + j];
      EXPECT_NEAR(std::exp(static_cast<double>(log_p)), sorted[j], 1e-6);
      EXPECT_NEAR(p[static_cast<std::size_t>(id)], sorted[j], 1e-6);
    }
  }
}

TEST(Teacher, SaysTheSameBitsFromItsCacheAndInOtherCompany) {
  const TemporaryFolder folder;
  const auto model = std::make_shared<const Model>(tiny_model(3));
  const std::vector<TrainBatch> all = batches(folder, 2);
  TeacherOptions cached = teacher_options(7);
  cached.cache_folder = folder.path();
  Teacher plain(model, *model->tokenizer, teacher_options(7)), first(model, *model->tokenizer, cached);
  std::vector<std::vector<float>> wanted;
  for (const TrainBatch& data : all) {
    wanted.push_back(plain.tell(training_batch(data), data));
    EXPECT_EQ(first.tell(training_batch(data), data), wanted.back());
  }
  const int64_t computed = first.n_computed();
  EXPECT_EQ(first.tell(training_batch(all[0]), all[0]), wanted[0]);  // from memory
  EXPECT_EQ(first.n_computed(), computed);
  first.save();
  Teacher second(model, *model->tokenizer, cached);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(second.tell(training_batch(all[i]), all[i]), wanted[i]);
  EXPECT_EQ(second.n_computed(), 0);
  // One document at a time.
  TeacherOptions narrow = teacher_options(7);
  narrow.executor.max_tokens = 32;
  Teacher alone(model, *model->tokenizer, narrow);
  EXPECT_EQ(alone.tell(training_batch(all[0]), all[0]), wanted[0]);
  // Another model's rows are kept elsewhere.
  Teacher other(std::make_shared<const Model>(tiny_model(4)), *model->tokenizer, cached);
  EXPECT_NE(other.tell(training_batch(all[0]), all[0]), wanted[0]);
  EXPECT_GT(other.n_computed(), 0);
}

TEST(Teacher, WithMoreTokensTellsOfThoseThatTheStudentHas) {
  const TemporaryFolder folder;
  TokenizerSpec larger = testing_chats::byte_spec();
  for (int i = 0; i < 9; ++i) testing_specs::add(larger, "<more" + std::to_string(i) + ">", TokenType::kControl);
  const auto model = std::make_shared<const Model>(new_model({.n_layers = 1, .n_embd = 32, .n_heads = 2, .n_ff = 64, .n_ctx = 32}, larger, 1));
  const TrainBatch data = batches(folder, 1).front();
  const TokenizerSpec student = testing_chats::byte_spec();
  const auto n = static_cast<int32_t>(student.tokens.size());
  const std::vector<float> told = Teacher(model, student, teacher_options(n)).tell(training_batch(data), data);
  for (std::size_t row = 0; row < told.size(); row += static_cast<std::size_t>(2 * n)) {
    double sum = 0;
    for (int32_t j = 0; j < n; ++j) {
      ASSERT_LT(told[row + static_cast<std::size_t>(j)], n);
      sum += std::exp(static_cast<double>(told[row + static_cast<std::size_t>(n + j)]));
    }
    ASSERT_NEAR(sum, 1, 1e-5);
  }
}

TEST(Teacher, OfShorterContextsIsRefused) {
  const auto model = std::make_shared<const Model>(tiny_model(3));
  TeacherOptions o = teacher_options(4);
  o.sequence_length = 64;
  expect_refused([&] { Teacher(model, *model->tokenizer, o); }, ErrorCode::kUsage, "contexts of 32");
}

TEST(Mixture, AddsProbabilitiesUpAndKeepsTheLikeliest) {
  const auto ln = [](double p) { return static_cast<float>(std::log(p)); };
  const std::vector<float> a = {5, 7, ln(0.8), ln(0.2)}, b = {7, 9, ln(0.6), ln(0.4)}, nothing = {-1, -1, 0, 0};
  const std::vector<float> mixed = mixture({a, b}, {0.75, 0.25}, 2);
  EXPECT_EQ(mixed[0], 5);
  EXPECT_EQ(mixed[1], 7);
  EXPECT_NEAR(std::exp(mixed[2]), 0.75 * 0.8, 1e-6);
  EXPECT_NEAR(std::exp(mixed[3]), 0.75 * 0.2 + 0.25 * 0.6, 1e-6);
  const std::vector<float> one = mixture({a, nothing}, {0.75, 0.25}, 2);
  EXPECT_NEAR(std::exp(one[2]), 0.8, 1e-6);
  EXPECT_EQ(mixture({nothing, nothing}, {0.5, 0.5}, 2)[0], -1);
}

}  // namespace
}  // namespace minnow
