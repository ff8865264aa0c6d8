#include "respond/model_pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "base/error.h"
#include "base/test_refusal.h"
#include "models/family.h"
#include "models/random_model.h"
#include "models/save.h"
#include "respond/null_model.h"

namespace minnow {
namespace {

using std::chrono::milliseconds;

// Counts what is in memory.
struct Counter {
  std::atomic<int> loads = 0, alive = 0, most_alive = 0;
  std::atomic<bool> damaged = false;  // those of the first load
};

class Counted final : public LoadedModel {
 public:
  Counted(ModelEntry entry, Counter& counter) : entry_(std::move(entry)), counter_(counter) {
    is_first_ = ++counter_.loads == 1;
    const int now = ++counter_.alive;
    int most = counter_.most_alive;
    while (now > most && !counter_.most_alive.compare_exchange_weak(most, now)) {
    }
  }
  ~Counted() override { --counter_.alive; }
  const ModelEntry& entry() const override { return entry_; }
  const Model& model() const override { refuse(); }
  Responder& responder() override { refuse(); }
  Engine& engine() override { refuse(); }
  Embedder& embedder() override { refuse(); }
  Ranker& ranker() override { refuse(); }
  double load_seconds() const override { return 0; }
  int64_t n_ctx() const override { return 77; }
  bool is_damaged() const override { return is_first_ && counter_.damaged; }

 private:
  [[noreturn]] static void refuse() { fail(ErrorCode::kUnsupported, "of no use"); }
  ModelEntry entry_;
  Counter& counter_;
  bool is_first_ = false;
};

class Pool : public testing::Test {
 protected:
  std::unique_ptr<ModelPool> pool(PoolOptions options, const std::vector<std::string>& names = {"a", "b", "c"}) {
    auto made = std::make_unique<ModelPool>(std::move(options), [this](const ModelEntry& entry) -> std::shared_ptr<LoadedModel> {
      if (entry.name == "broken") fail(ErrorCode::kInvalidInput, "broken file");
      std::this_thread::sleep_for(load_time_);
      return std::make_shared<Counted>(entry, counter_);
    });
    for (const std::string& name : names) made->add({.name = name, .path = name, .bytes = 10});
    return made;
  }
  static std::vector<std::string> loaded(const ModelPool& pool) {
    std::vector<std::string> names;
    for (const auto& l : pool.loaded()) names.push_back(l.entry.name);
    std::sort(names.begin(), names.end());
    return names;
  }
  // What happens on another thread within a time that no machine takes.
  template <typename F>
  static bool eventually(F&& holds) {
    for (int i = 0; i < 4000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }

  Counter counter_;
  milliseconds load_time_{0};
};

using Names = std::vector<std::string>;

TEST_F(Pool, LoadsAModelOnceAndKeepsIt) {
  const auto p = pool({});
  {
    const ModelLease first = p->acquire("a");
    EXPECT_TRUE(first.was_loaded_now());
    const ModelLease second = p->acquire("A:latest");
    EXPECT_FALSE(second.was_loaded_now());
    EXPECT_EQ(&*first, &*second);
    ASSERT_EQ(p->loaded().size(), 1u);
    EXPECT_EQ(p->loaded()[0].uses, 2);
    EXPECT_EQ(p->loaded()[0].n_ctx, 77);
    EXPECT_EQ(p->loaded()[0].bytes, 10u);
  }
  EXPECT_EQ(p->loaded()[0].uses, 0);
  const auto remaining = p->loaded()[0].remaining;
  ASSERT_TRUE(remaining);
  EXPECT_GT(*remaining, std::chrono::minutes(4));
  EXPECT_LE(*remaining, std::chrono::minutes(5));
  EXPECT_FALSE(p->acquire("a").was_loaded_now());
  EXPECT_EQ(counter_.loads, 1);
}

TEST_F(Pool, GivesBackWhatNobodyUsedForItsTime) {
  const auto p = pool({.keep_alive = milliseconds(5)});
  {
    const ModelLease lease = p->acquire("a");
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(counter_.alive, 1) << "in use";
  }
  EXPECT_TRUE(eventually([&] { return counter_.alive == 0; }));
  EXPECT_TRUE(p->loaded().empty());
  EXPECT_TRUE(p->acquire("a").was_loaded_now());
}

TEST_F(Pool, ARequestMaySayHowLongItsModelStays) {
  const auto p = pool({.keep_alive = std::chrono::hours(1)});
  p->acquire("a", std::chrono::nanoseconds(0));
  EXPECT_EQ(counter_.alive, 0) << "not at all";
  p->acquire("a", std::chrono::nanoseconds(-1));
  EXPECT_FALSE(p->loaded().at(0).remaining) << "for ever";
  p->acquire("a");
  EXPECT_FALSE(p->loaded().at(0).remaining) << "nothing new was said";
  p->acquire("a", std::chrono::nanoseconds::max());
  EXPECT_FALSE(p->loaded().at(0).remaining) << "longer than a clock can say";
  p->acquire("a", milliseconds(2));
  EXPECT_TRUE(eventually([&] { return counter_.alive == 0; }));
}

TEST_F(Pool, TheOneThatWasIdleLongestMakesRoom) {
  const auto p = pool({.max_loaded = 2});
  p->acquire("a");
  p->acquire("b");
  p->acquire("a");
  p->acquire("c");
  EXPECT_EQ(loaded(*p), (Names{"a", "c"}));
  const ModelLease a = p->acquire("a");
  p->acquire("b");
  EXPECT_EQ(loaded(*p), (Names{"a", "b"})) << "the one in use stays";
  EXPECT_EQ(counter_.most_alive, 2);
}

TEST_F(Pool, WaitsForRoomAndSaysSoWhenNoneComes) {
  const auto p = pool({.max_loaded = 1, .room_wait = milliseconds(20)});
  auto a = std::make_unique<ModelLease>(p->acquire("a"));
  EXPECT_NE(test::refusal([&] { p->acquire("b"); }).find("in use"), std::string::npos);
  EXPECT_EQ(loaded(*p), Names{"a"});
  const auto patient = pool({.max_loaded = 1, .room_wait = std::chrono::minutes(1)});
  a = std::make_unique<ModelLease>(patient->acquire("a"));
  auto b = std::async(std::launch::async, [&] { return patient->acquire("b").was_loaded_now(); });
  EXPECT_EQ(b.wait_for(milliseconds(10)), std::future_status::timeout);
  a.reset();
  EXPECT_TRUE(b.get());
}

TEST_F(Pool, EverybodyIsToldThatALoadFailedAndTheNextOneTriesAgain) {
  const auto p = pool({}, {"broken"});
  const std::string told = "model 'broken' cannot be loaded; the server's log says why";
  EXPECT_EQ(test::refusal([&] { p->acquire("broken"); }), told);
  EXPECT_EQ(test::refusal([&] { p->acquire("broken"); }), told);
  EXPECT_TRUE(p->loaded().empty());
}

TEST_F(Pool, WhyALoadFailedIsTheOperatorsAlone) {
  std::vector<std::string> log;
  const auto note = [&](const ModelEntry& entry, const std::string& reason) { log.push_back(entry.path.string() + ": " + reason); };
  const auto p = pool({.on_failure = note}, {"broken"});
  try {
    p->acquire("broken");
    ADD_FAILURE() << "was loaded";
  } catch (const ModelNotLoaded& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo) << "not the fault of whoever asks";
    EXPECT_EQ(error.reason(), "broken file");
  }
  EXPECT_EQ(log, Names{"broken: broken file"});
  EXPECT_NE(test::refusal([&] { p->read({.name = "gone", .path = "/no/such/gone.gguf"}); }).find("model 'gone' cannot"), std::string::npos);
  EXPECT_EQ(log.size(), 2u);
}

TEST_F(Pool, ADamagedModelIsLoadedAnewAndGoesWhenItsLastUseEnds) {
  const auto p = pool({});
  auto before = std::make_unique<ModelLease>(p->acquire("a"));
  counter_.damaged = true;
  {
    const ModelLease after = p->acquire("a");
    EXPECT_TRUE(after.was_loaded_now());
    EXPECT_NE(&*after, &**before);
    EXPECT_FALSE(p->acquire("a").was_loaded_now());
  }
  EXPECT_EQ(counter_.alive, 2);
  before.reset();
  EXPECT_EQ(counter_.alive, 1);
  EXPECT_EQ(p->loaded().size(), 1u);
}

TEST_F(Pool, WhoAsksMeanwhileWaitsForTheSameLoad) {
  load_time_ = milliseconds(30);
  const auto p = pool({});
  std::vector<std::future<bool>> asked;
  for (int i = 0; i < 6; ++i) asked.push_back(std::async(std::launch::async, [&] { return p->acquire("a").was_loaded_now(); }));
  int loads = 0;
  for (auto& a : asked) loads += a.get() ? 1 : 0;
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(counter_.loads, 1);
}

TEST_F(Pool, UnloadsAtOnceOrWhenTheLastUseEnds) {
  const auto p = pool({});
  EXPECT_FALSE(p->unload("a"));
  p->acquire("a");
  EXPECT_TRUE(p->unload("a"));
  EXPECT_EQ(counter_.alive, 0);
  {
    const ModelLease lease = p->acquire("a");
    EXPECT_TRUE(p->unload("a"));
    EXPECT_EQ(counter_.alive, 1);
    EXPECT_FALSE(p->acquire("a").was_loaded_now());
  }
  EXPECT_EQ(counter_.alive, 0);
  EXPECT_THROW(p->unload("none"), Error);
}

TEST_F(Pool, TellsOfAModelJustBeforeItGoes) {
  std::vector<std::string> ended;
  const auto p = pool({.on_end = [&](LoadedModel& model) {
    EXPECT_EQ(counter_.alive, 1);
    ended.push_back(model.entry().name);
  }});
  p->acquire("a");
  EXPECT_TRUE(ended.empty());
  p->unload("a");
  EXPECT_EQ(ended, Names{"a"});
  EXPECT_EQ(counter_.alive, 0);
}

TEST_F(Pool, LeasesOutliveThePool) {
  auto p = pool({});
  ModelLease lease = p->acquire("a");
  p->acquire("b");
  p.reset();
  EXPECT_EQ(counter_.alive, 1);
  EXPECT_EQ(lease->entry().name, "a");
  lease = {};
  EXPECT_EQ(counter_.alive, 0);
}

TEST_F(Pool, ManyThreadsShareFewModels) {
  const auto p = pool({.keep_alive = std::chrono::microseconds(50), .max_loaded = 2, .room_wait = std::chrono::minutes(1)}, {"a", "b", "c", "d"});
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        const std::string name(1, static_cast<char>('a' + (t + i) % 4));
        const ModelLease lease = p->acquire(name, i % 5 == 0 ? KeepAlive(std::chrono::nanoseconds(0)) : KeepAlive());
        EXPECT_EQ(lease->entry().name, name);
        if (i % 7 == 0) p->unload(name);
        if (i % 11 == 0) p->loaded();
        p->for_each_loaded([](LoadedModel& m) { EXPECT_FALSE(m.entry().name.empty()); });
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_TRUE(eventually([&] { return counter_.alive == 0; }));
  EXPECT_LE(counter_.most_alive, 8) << "two, and those that are just going";
}

TEST_F(Pool, NamesTheNearestOfUnknownModelsAndKnowsTheDefault) {
  const auto p = pool({}, {"minnow-chat", "minnow-embed"});
  EXPECT_EQ(p->default_model(), "minnow-chat");
  const std::string text = test::refusal([&] { p->acquire("minow-chat"); });
  EXPECT_NE(text.find("'minow-chat' not found"), std::string::npos) << text;
  EXPECT_NE(text.find("'minnow-chat'"), std::string::npos) << text;
  EXPECT_EQ(pool({.default_model = "c"})->default_model(), "c");
  EXPECT_EQ(p->list().size(), 2u);
}

TEST(NullModel, SaysItsWordsAsTheyAreAskedFor) {
  for (const std::chrono::microseconds interval : {std::chrono::microseconds(0), std::chrono::microseconds(200)}) {
    const auto model = null_model({.name = "null", .path = "null"}, {.n_tokens = 20, .token_text = "x ", .interval = interval});
    ChatRequest chat;
    chat.messages.push_back({{"role", "user"}, {"content", "hello"}});
    auto told = std::make_shared<std::atomic<int>>(0);
    chat.on_event = [told] { ++*told; };
    const auto whole = model->responder().respond(chat);
    const ChatReply reply = whole->wait();
    EXPECT_EQ(reply.content.size(), 40u);
    EXPECT_EQ(reply.tokens.size(), 20u);
    EXPECT_EQ(reply.reason, FinishReason::kEndOfText);
    EXPECT_EQ(reply.stats.generated_tokens, 20);
    while (*told == 0) std::this_thread::yield();
    TextRequest text{.prompt = "abc", .max_tokens = 3};
    const ChatReply shorter = model->responder().complete(text)->wait();
    EXPECT_EQ(shorter.reason, FinishReason::kMaxTokens);
    EXPECT_EQ(shorter.stats.prompt_tokens, 3);
    EXPECT_EQ(shorter.content, "x x x ");
    EXPECT_THROW(model->engine(), Error);
  }
  const auto slow = null_model({.name = "null", .path = "null"}, {.n_tokens = 1'000'000, .interval = std::chrono::microseconds(100)});
  const auto answer = slow->responder().complete({.prompt = "abc"});
  answer->next();
  answer->cancel();
  EXPECT_EQ(answer->wait().reason, FinishReason::kCancelled);
}

TEST(LocalModels, WhoseFileBecomesShorterFailTheirAnswersAndAreLoadedAnew) {
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "minnow-pool-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  const fs::path file = folder / "chat.gguf";
  const Model random = random_model({.family = &kQwen3, .n_embd = 512, .tied = false}, 7);  // its embeddings stay in the file
  save_gguf(random, file);
  {
    ModelPool pool({.engine = {.n_ctx = 64, .n_sequences = 1, .n_threads = 1}, .folders = {folder}});
    TextRequest text{.prompt = "abc", .max_tokens = 3};
    text.ignore_end = true;
    const auto answer = [&] { return pool.acquire("chat")->responder().complete(text)->wait(); };
    EXPECT_EQ(answer().tokens.size(), 3u);
    const auto bytes = fs::file_size(file);
    fs::resize_file(file, 4096);
    ModelLease lease = pool.acquire("chat");
    EXPECT_NE(test::refusal([&] { lease->responder().complete(text)->wait(); }).find("chat.gguf: became shorter"), std::string::npos);
    EXPECT_TRUE(lease->is_damaged());
    lease = {};
    EXPECT_FALSE(test::refusal(answer).empty()) << "the file is still broken";
    fs::remove(file);
    save_gguf(random, file);
    EXPECT_EQ(fs::file_size(file), bytes);
    EXPECT_EQ(answer().tokens.size(), 3u);
  }
  fs::remove_all(folder);
}

TEST(LocalModels, AreLoadedFromFilesAndDoWhatTheyCan) {
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "minnow-pool-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  save_gguf(random_model({.family = &kQwen3}, 7), folder / "Chat.gguf");
  save_gguf(random_model({.family = &kBertEncoder}, 7), folder / "embed.gguf");
  {
    ModelPool pool({.engine = {.n_ctx = 64, .n_sequences = 1, .n_threads = 1}, .folders = {folder}});
    const ModelLease chat = pool.acquire("chat"), embed = pool.acquire("embed");
    TextRequest text{.prompt = "abc", .max_tokens = 3};
    text.ignore_end = true;
    EXPECT_EQ(chat->responder().complete(text)->wait().tokens.size(), 3u);
    EXPECT_EQ(chat->n_ctx(), 64);
    EXPECT_GE(chat->memory_bytes(), chat->model().file_bytes);
    const std::vector<std::string> texts = {"abc"};
    EXPECT_EQ(chat->embedder().embed(texts, {}).size(), 1u);
    EXPECT_EQ(embed->embedder().embed(texts, {}).size(), 1u);
    EXPECT_NE(test::refusal([&] { embed->responder(); }).find("makes no text"), std::string::npos);
    const std::string refusal = test::refusal([&] { embed->ranker(); });
    EXPECT_EQ(refusal.rfind("embed: ", 0), 0u) << refusal;
    EXPECT_EQ(refusal.find(folder.string()), std::string::npos) << refusal;
    EXPECT_GE(chat->load_seconds(), 0);
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace minnow
