// What servers ask of the engine: log probabilities, notice of events, ends of other kinds, salts, and what it is doing.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "engine/engine.h"
#include "models/family.h"
#include "models/random_model.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

std::shared_ptr<const Model> tiny() { return std::make_shared<const Model>(random_model({.family = &kLlama}, 7)); }

EngineOptions small(int n_sequences = 4) {
  return {.n_ctx = 512, .n_sequences = n_sequences, .n_batch = 512, .kv_type = KvType::kF32, .n_threads = 1};
}

std::vector<TokenId> random_prompt(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<TokenId> tokens = {1};
  while (static_cast<int64_t>(tokens.size()) < n) tokens.push_back(static_cast<TokenId>(3 + random.below(297)));
  return tokens;
}

GenerateRequest request(std::vector<TokenId> prompt, int64_t n) {
  GenerateRequest r{.prompt = std::move(prompt), .max_tokens = n, .ignore_end = true};
  r.sampling.seed = 5;
  return r;
}

double log_softmax(const std::vector<float>& row, TokenId token) {
  double largest = -1e30, sum = 0;
  for (const float x : row) largest = std::max(largest, static_cast<double>(x));
  for (const float x : row) sum += std::exp(x - largest);
  return row[static_cast<std::size_t>(token)] - largest - std::log(sum);
}

TEST(ServedEngine, LogprobsAreOfTheRawLogitsAndChangeNoToken) {
  Engine engine(tiny(), small());
  const auto prompt = random_prompt(20, 1);
  GenerateRequest plain = request(prompt, 25);
  plain.sampling.temperature = 1.7f;
  plain.sampling.top_k = 5;
  plain.sampling.repetition_penalty = 1.5f;
  plain.sampling.logit_bias = {{40, 3.0f}};
  GenerateRequest asked = plain;
  asked.n_logprobs = 4;
  std::vector<float> last;
  asked.on_prompt_logits = [&](int64_t, std::span<const float> row) { last.assign(row.begin(), row.end()); };
  const Event without = engine.submit(std::move(plain))->wait(), with = engine.submit(std::move(asked))->wait();
  EXPECT_EQ(without.tokens, with.tokens);
  EXPECT_TRUE(without.logprobs.empty());
  ASSERT_EQ(with.logprobs.size(), with.tokens.size());
  const TokenLogprob& first = with.logprobs[0];
  EXPECT_EQ(first.token, with.tokens[0]);
  EXPECT_EQ(first.bytes, engine.tokenizer().piece(with.tokens[0], true));
  EXPECT_NEAR(first.logprob, log_softmax(last, first.token), 1e-4);
  ASSERT_EQ(first.top.size(), 4u);
  for (const auto& choice : first.top) EXPECT_NEAR(choice.logprob, log_softmax(last, choice.token), 1e-4);
  for (std::size_t i = 0; i < with.tokens.size(); ++i) EXPECT_EQ(with.logprobs[i].token, with.tokens[i]);
}

TEST(ServedEngine, TellsOfEveryEventSoThatNobodyHasToWait) {
  Engine engine(tiny(), small());
  std::mutex mutex;
  std::condition_variable told;
  int n_told = 0;
  GenerateRequest r = request(random_prompt(10, 2), 30);
  r.on_event = [&] {
    const std::lock_guard lock(mutex);
    ++n_told;
    told.notify_all();
  };
  const auto generation = engine.submit(std::move(r));
  Event all;
  while (!all.done) {
    {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(told.wait_for(lock, std::chrono::seconds(20), [&] { return n_told > 0; }));
      n_told = 0;
    }
    while (auto event = generation->try_next()) {
      all.tokens.insert(all.tokens.end(), event->tokens.begin(), event->tokens.end());
      all.done = event->done;
    }
  }
  EXPECT_EQ(all.tokens.size(), 30u);
  EXPECT_FALSE(generation->try_next());
}

TEST(ServedEngine, EventsCanBeTakenWhileItTellsOfThem) {
  Engine engine(tiny(), small());
  GenerateRequest r = request(random_prompt(10, 2), 10);
  std::atomic<AnswerSource*> source = nullptr;
  std::promise<int> taken;
  int n = 0;
  r.on_event = [&] {
    while (source == nullptr) std::this_thread::yield();
    while (auto event = source.load()->try_next()) {
      n += static_cast<int>(event->tokens.size());
      if (event->done) taken.set_value(n);
    }
  };
  const auto generation = engine.submit(std::move(r));
  source = generation.get();
  auto future = taken.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(future.get(), 10);
}

TEST(ServedEngine, TellsNobodyWhoHasGone) {
  Engine engine(tiny(), small());
  for (uint64_t i = 0; i < 30; ++i) {
    auto alive = std::make_shared<std::atomic<bool>>(true);
    auto calls = std::make_shared<std::atomic<int>>(0);
    GenerateRequest r = request(random_prompt(8, i), -1);
    r.on_event = [alive, calls] {
      EXPECT_TRUE(*alive);
      ++*calls;
    };
    auto generation = engine.submit(std::move(r));
    if (i % 2 == 0) generation->next();
    generation.reset();
    *alive = false;
    EXPECT_EQ(calls.use_count(), 1) << "it is let go of";
  }
}

TEST(ServedEngine, AnswersThatNobodyReadsMakeRoomAndGoOnAsBefore) {
  Engine engine(tiny(), small(1));
  const auto prompt = random_prompt(20, 9);
  const std::vector<TokenId> expected = engine.submit(request(prompt, 300))->wait().tokens;
  constexpr std::size_t kMaxUnread = 100;
  GenerateRequest r = request(prompt, 300);
  r.max_unread_bytes = kMaxUnread;
  const auto slow = engine.submit(std::move(r));
  EXPECT_EQ(engine.submit(request(random_prompt(10, 10), 50))->wait().tokens.size(), 50u) << "there is one place only";
  std::vector<TokenId> tokens;
  std::size_t longest = 0;
  for (bool done = false; !done;) {
    const Event event = slow->next();
    longest = std::max(longest, event.tokens.size() * sizeof(TokenId));
    tokens.insert(tokens.end(), event.tokens.begin(), event.tokens.end());
    done = event.done;
  }
  EXPECT_EQ(tokens, expected);
  EXPECT_LE(longest, kMaxUnread + sizeof(TokenId));
}

TEST(ServedEngine, LogProbabilitiesThatNobodyReadsCountAsWell) {
  Engine engine(tiny(), small(1));
  GenerateRequest r = request(random_prompt(20, 9), 300);
  r.n_logprobs = 20;
  r.max_unread_bytes = 5000;
  const auto slow = engine.submit(std::move(r));
  EXPECT_EQ(engine.submit(request(random_prompt(10, 10), 50))->wait().tokens.size(), 50u);
  EXPECT_LT(slow->next().logprobs.size(), 12u);
}

TEST(ServedEngine, AnswersThatWereSetAsideEndWhenTheirReaderGoes) {
  Engine engine(tiny(), small(1));
  GenerateRequest r = request(random_prompt(20, 9), 300);
  r.max_unread_bytes = 1;
  auto slow = engine.submit(std::move(r));
  const auto becomes = [&](int waiting) {
    for (int i = 0; i < 2000; ++i) {
      const EngineStatus status = engine.status();
      if (status.waiting == waiting && status.running == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  };
  EXPECT_TRUE(becomes(1));
  slow.reset();
  EXPECT_TRUE(becomes(0));
}

TEST(ServedEngine, CountsStepsByTheirTokens) {
  Engine engine(tiny(), small());
  engine.submit(request(random_prompt(20, 11), 5))->wait();
  const EngineStatus status = engine.status();
  EXPECT_EQ(status.steps, 5);
  EXPECT_EQ(status.step_tokens, 24) << "the last token of an answer is not read";
  EXPECT_EQ(status.steps_by_tokens[0], 4);
  EXPECT_EQ(status.steps_by_tokens[3], 1) << "17 to 32";
}

TEST(ServedEngine, StopTokensEndTheAnswerAndAreNoPartOfItsText) {
  Engine engine(tiny(), small());
  const auto prompt = random_prompt(12, 3);
  const std::vector<TokenId> tokens = engine.submit(request(prompt, 20))->wait().tokens;
  GenerateRequest r = request(prompt, 20);
  r.stop_tokens = {299, tokens[6]};
  const auto first = static_cast<std::size_t>(std::find(tokens.begin(), tokens.end(), tokens[6]) - tokens.begin());
  const Event end = engine.submit(r)->wait();
  EXPECT_EQ(end.reason, FinishReason::kStopString);
  EXPECT_EQ(end.stop_token, tokens[6]);
  EXPECT_TRUE(end.stop_string.empty());
  EXPECT_EQ(end.tokens.size(), first + 1);
  GenerateRequest shorter = request(prompt, static_cast<int64_t>(first));
  if (first > 0) {
    EXPECT_EQ(end.text, engine.submit(std::move(shorter))->wait().text);
  }
  r.stop_tokens = {300};
  EXPECT_THROW(engine.submit(r), Error);
}

TEST(ServedEngine, TheAnswerDoesNotEndBeforeItsLeastTokens) {
  Engine engine(tiny(), small());
  GenerateRequest r{.prompt = random_prompt(12, 4), .max_tokens = 40};
  r.sampling.logit_bias = {{2, 1000.0f}};  // nothing but the end
  EXPECT_EQ(engine.submit(r)->wait().tokens, std::vector<TokenId>{2});
  r.min_tokens = 7;
  const Event end = engine.submit(r)->wait();
  EXPECT_EQ(end.reason, FinishReason::kEndOfText);
  ASSERT_EQ(end.tokens.size(), 8u);
  EXPECT_EQ(std::count(end.tokens.begin(), end.tokens.end(), 2), 1);
  EXPECT_EQ(end.tokens.back(), 2);
  r.sampling.logit_bias = {{50, 1000.0f}};
  r.stop_tokens = {50};
  const Event stopped = engine.submit(r)->wait();
  EXPECT_EQ(stopped.tokens.size(), 8u);
  EXPECT_EQ(std::count(stopped.tokens.begin(), stopped.tokens.end(), 50), 1);
  r.stop_tokens.clear();
  r.stop = {engine.tokenizer().piece(50)};
  const Event by_text = engine.submit(r)->wait();
  EXPECT_EQ(by_text.reason, FinishReason::kStopString);
  EXPECT_EQ(by_text.stop_string, r.stop[0]);
  EXPECT_EQ(by_text.tokens.size(), 8u);
  r.min_tokens = -1;
  EXPECT_THROW(engine.submit(r), Error);
}

TEST(ServedEngine, RefusesWhatCannotBeGiven) {
  Engine engine(tiny(), small());
  GenerateRequest r = request({1, 5}, 3);
  r.n_logprobs = 21;
  EXPECT_THROW(engine.submit(r), Error);
  r.n_logprobs = 20;
  r.constraint_after = "</think>";
  EXPECT_THROW(engine.submit(r), Error) << "a mark, but nothing to hold the answer to behind it";
  r.constraint_after.clear();
  EXPECT_EQ(engine.submit(r)->wait().logprobs.at(0).top.size(), 20u);
}

TEST(ServedEngine, WhatIsRememberedIsFoundWithTheSameSaltOnly) {
  Engine engine(tiny(), small());
  const auto prompt = random_prompt(200, 6);
  const auto reused = [&](const std::string& salt) {
    GenerateRequest r = request(prompt, 4);
    r.cache_salt = salt;
    return engine.submit(std::move(r))->wait().stats.reused_tokens;
  };
  EXPECT_EQ(reused("one"), 0);
  EXPECT_EQ(reused("one"), 192);
  EXPECT_EQ(reused("two"), 0);
  EXPECT_EQ(reused(""), 0);
  EXPECT_EQ(reused(""), 192);
  const EngineStatus status = engine.status();
  EXPECT_EQ(status.prefix_queries, 5 * 200);
  EXPECT_EQ(status.prefix_hits, 2 * 192);
  EXPECT_EQ(status.prompt_tokens, 3 * 200 + 2 * 8);
  EXPECT_EQ(status.generated_tokens, 5 * 4);
}

TEST(ServedEngine, CancelledRequestsGiveTheirPagesBack) {
  Engine engine(tiny(), small());
  GenerateRequest kept = request(random_prompt(30, 9), 60);
  const auto expected = engine.submit(kept)->wait().tokens;
  const auto beside = engine.submit(kept);
  for (uint64_t i = 0; i < 120; ++i) {
    GenerateRequest r = request(random_prompt(20 + static_cast<int64_t>(i), i), -1);
    auto generation = engine.submit(std::move(r));
    if (i % 3 == 0) generation->next();
    if (i % 3 == 1) std::this_thread::yield();
    generation->cancel();
    if (i % 2 == 0) {
      EXPECT_EQ(generation->wait().reason, FinishReason::kCancelled);
    }
  }
  EXPECT_EQ(beside->wait().tokens, expected) << "those beside them are left alone";
  engine.submit(request({1, 4}, 1))->wait();  // steps on, so that those that nobody waited for are over
  const EngineStatus status = engine.status();
  EXPECT_EQ(status.running, 0);
  EXPECT_EQ(status.waiting, 0);
  EXPECT_EQ(status.kv_pages_used, 0);
  EXPECT_EQ(status.kv_pages, 32);
}

TEST(ServedEngine, ACancelledSequenceStopsWithinTwoSteps) {
  Engine engine(tiny(), small());
  for (uint64_t i = 0; i < 10; ++i) {
    auto generation = engine.submit(request(random_prompt(10, i), -1));
    generation->next();
    generation->cancel();
    const int64_t steps = engine.status().steps;  // at most one has begun since
    generation->wait();
    EXPECT_LE(engine.status().steps, steps + 2);
  }
}

TEST(ServedEngine, StatusSaysWhatIsRunningAndWhatWaits) {
  Engine engine(tiny(), small(1));
  std::atomic<bool> go = false;
  GenerateRequest first = request(random_prompt(70, 1), 1);
  first.on_prompt_logits = [&](int64_t position, std::span<const float>) {
    while (position == 69 && !go) std::this_thread::yield();
  };
  const auto running = engine.submit(std::move(first));
  const auto waiting = engine.submit(request({1, 5}, 3));
  EXPECT_GE(engine.status().waiting, 1);
  go = true;
  running->wait();
  waiting->wait();
  EXPECT_EQ(engine.status().waiting + engine.status().running, 0);
}

TEST(ServedEngine, StatusSaysHowFarEachAnswerIs) {
  EngineOptions options = small();
  options.n_batch = 32;  // less than the prompt
  Engine engine(tiny(), options);
  engine.submit(request({1, 4}, 1))->wait();
  std::atomic<bool> in_last_step = false, go = false;
  GenerateRequest r = request(random_prompt(70, 1), 5);
  r.on_prompt_logits = [&](int64_t position, std::span<const float>) {
    in_last_step = position == 69;
    while (position == 69 && !go) std::this_thread::yield();
  };
  const auto generation = engine.submit(std::move(r));
  while (!in_last_step) std::this_thread::yield();
  const EngineStatus status = engine.status();
  go = true;
  ASSERT_EQ(status.sequences.size(), 1u) << "as of the step before, which read the beginning of the prompt";
  EXPECT_EQ(status.sequences[0].number, 1);
  EXPECT_EQ(status.sequences[0].prompt_tokens, 70);
  EXPECT_EQ(status.sequences[0].generated_tokens, 0);
  EXPECT_EQ(status.sequences[0].max_tokens, 5);
  generation->wait();
  EXPECT_TRUE(engine.status().sequences.empty());
}

}  // namespace
}  // namespace minnow
