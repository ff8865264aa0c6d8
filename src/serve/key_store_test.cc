#include "serve/key_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/test_refusal.h"
#include "serve/key_file.h"

namespace minnow {
namespace {

using test::refusal;

constexpr int64_t kNow = 1'800'000'000;

ApiKey infer_key(const std::string& name = "") {
  ApiKey key;
  key.name = name;
  key.infer = true;
  return key;
}

class KeyFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) / ("keys_" + std::to_string(::getpid()));
    file = folder / "inner" / "keys.json";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  void write(const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::filesystem::path folder, file;
};

// ---- keys

TEST(KeyTable, KnowsTheWholeKeyAndNothingElse) {
  const NewKey a = make_key(infer_key()), b = make_key(infer_key());
  const KeyTable table({a.key, b.key});
  EXPECT_EQ(table.check(a.text, kNow).verdict, KeyVerdict::kRight);
  EXPECT_EQ(table.check(a.text, kNow).key->id, a.key.id);
  EXPECT_EQ(table.check(b.text, kNow).key->id, b.key.id);
  std::string last = a.text;
  last.back() = last.back() == 'A' ? 'B' : 'A';
  const std::string other_secret = a.text.substr(0, a.text.find('-', 3)) + b.text.substr(b.text.find('-', 3));
  for (const std::string& wrong :
       {std::string(), std::string("mk-"), std::string("mk--"), a.key.id, "mk-" + a.key.id, "mk-" + a.key.id + "-",
        a.text.substr(0, a.text.size() - 1), a.text + "A", a.text + std::string(1, '\0'), " " + a.text, last, other_secret,
        a.text.substr(3), std::string(100'000, 'm')}) {
    EXPECT_EQ(table.check(wrong, kNow).verdict, KeyVerdict::kUnknown) << wrong.substr(0, 100);
    EXPECT_EQ(table.check(wrong, kNow).key, nullptr);
  }
}

TEST(KeyTable, EveryPrefixOfAKeyIsWrong) {
  const NewKey a = make_key(infer_key());
  const KeyTable table({a.key});
  for (std::size_t n = 0; n < a.text.size(); ++n)
    EXPECT_NE(table.check(std::string_view(a.text).substr(0, n), kNow).verdict, KeyVerdict::kRight) << n;
}

TEST(KeyTable, RefusesExpiredAndRevokedKeys) {
  NewKey a = make_key(infer_key()), b = make_key(infer_key());
  a.key.expires_unix = kNow;
  b.key.revoked_unix = kNow - 100;
  b.key.digest = {};
  const KeyTable table({a.key, b.key});
  EXPECT_EQ(table.check(a.text, kNow - 1).verdict, KeyVerdict::kRight);
  EXPECT_EQ(table.check(a.text, kNow).verdict, KeyVerdict::kExpired);
  EXPECT_EQ(table.check(a.text + "x", kNow).verdict, KeyVerdict::kUnknown) << "only who has the secret learns that it expired";
  EXPECT_EQ(table.check(b.text, kNow).verdict, KeyVerdict::kRevoked);
  EXPECT_EQ(table.check(b.text, kNow).key, nullptr);
}

TEST(KeyTable, IsNotEmptyWhenAllKeysAreRevoked) {
  EXPECT_TRUE(KeyTable().empty());
  ApiKey revoked = make_key(infer_key()).key;
  revoked.revoked_unix = 1;
  EXPECT_FALSE(KeyTable({revoked}).empty());
}

TEST(ApiKey, AdminIncludesTheOtherScopesAndNothingElseDoes) {
  const auto allowed = [](bool infer, bool manage, bool admin) {
    ApiKey key;
    key.infer = infer, key.manage = manage, key.admin = admin;
    std::string text;
    for (const Scope scope : {Scope::kOpen, Scope::kInfer, Scope::kManage, Scope::kAdmin}) text += key.allows(scope) ? 'y' : '-';
    return text;
  };
  EXPECT_EQ(allowed(false, false, false), "y---");
  EXPECT_EQ(allowed(true, false, false), "yy--");
  EXPECT_EQ(allowed(false, true, false), "y-y-");
  EXPECT_EQ(allowed(true, true, false), "yyy-");
  EXPECT_EQ(allowed(false, false, true), "yyyy");
}

TEST(NewKey, KeysAreLongAndNeverTheSame) {
  std::set<std::string> ids, texts;
  for (int i = 0; i < 200; ++i) {
    const NewKey key = make_key(infer_key());
    EXPECT_EQ(key.text.substr(0, 3), "mk-");
    EXPECT_EQ(key.text.size(), 3 + 12 + 1 + 43u) << "32 bytes in base64 are 43 letters";
    ids.insert(key.key.id);
    texts.insert(key.text);
  }
  EXPECT_EQ(ids.size(), 200u);
  EXPECT_EQ(texts.size(), 200u);
}

// ---- time

// Welch's t of two sets of times, the slowest tenth left out: interrupts say nothing about the code.
double welch_t(std::vector<double> a, std::vector<double> b) {
  const auto moments = [](std::vector<double>& v) {
    std::ranges::sort(v);
    v.resize(v.size() * 9 / 10);
    double mean = 0, square = 0;
    for (const double x : v) mean += x / static_cast<double>(v.size());
    for (const double x : v) square += (x - mean) * (x - mean) / static_cast<double>(v.size() - 1);
    return std::pair(mean, square / static_cast<double>(v.size()));
  };
  const auto [mean_a, variance_a] = moments(a);
  const auto [mean_b, variance_b] = moments(b);
  return std::abs(mean_a - mean_b) / std::sqrt(variance_a + variance_b + 1e-12);
}

// Times of `check` for guesses with `right` leading characters of the secret right, in turns with guesses that have none.
template <typename F>
double t_of_guesses(const std::string& key, std::size_t secret_at, std::size_t right, int n, F&& check) {
  Random random(right + 1);
  // All guesses lie there before the first is timed: writing one leaves traces in the processor that hang on how much was written.
  std::vector<std::pair<bool, std::string>> guesses(static_cast<std::size_t>(n), {false, key});
  for (auto& [some, guess] : guesses) {
    some = random.next() & 1;
    for (std::size_t at = secret_at + (some ? right : 0); at < guess.size(); ++at) guess[at] = "ab"[guess[at] == 'a'];
  }
  std::vector<double> with, without;
  for (const auto& [some, guess] : guesses) {
    const auto begin = std::chrono::steady_clock::now();
    check(guess);
    const auto end = std::chrono::steady_clock::now();
    (some ? with : without).push_back(std::chrono::duration<double, std::nano>(end - begin).count());
  }
  return welch_t(std::move(with), std::move(without));
}

TEST(KeyTable, ComparingTakesTheSameTimeHoweverMuchOfTheSecretIsRight) {
  const NewKey key = make_key(infer_key());
  const KeyTable table({key.key});
  const std::size_t secret_at = key.text.size() - 43;
  double worst = 0;
  for (std::size_t right = 1; right < 32; ++right) {
    double t = 0;
    // A busy machine can bend one series; a compare that leaks bends every one.
    for (int series = 0; series == 0 || (t >= 4.5 && series < 8); ++series) {
      t = t_of_guesses(key.text, secret_at, right, 100'000 / 31, [&](const std::string& guess) {
        if (table.check(guess, kNow).verdict == KeyVerdict::kRight) std::abort();
      });
    }
    worst = std::max(worst, t);
  }
  EXPECT_LT(worst, 4.5);
}

TEST(KeyTable, TheTimingTestSeesACompareThatStopsAtTheFirstDifference) {
  const NewKey key = make_key(infer_key());
  const double t = t_of_guesses(key.text, key.text.size() - 43, 31, 20'000, [&](const std::string& guess) {
    volatile std::size_t same = 0;
    for (std::size_t i = 0; i < guess.size() && guess[i] == key.text[i]; ++i) same = same + 1;
  });
  EXPECT_GT(t, 4.5);
}

// ---- the file

TEST_F(KeyFileTest, WhatCouldNotBeReadAgainIsNotWritten) {
  update_keys(file, [](std::vector<ApiKey>& keys) { keys.push_back(make_key(infer_key("good")).key); });
  for (const std::string& model : {std::string(), std::string(limits::kMaxKeyNameBytes + 1, 'm')}) {
    ApiKey bad = infer_key("bad");
    bad.models = {"a", model};
    EXPECT_NE(refusal([&] { update_keys(file, [&](std::vector<ApiKey>& keys) { keys.push_back(make_key(bad).key); }); }).find("models"), std::string::npos);
  }
  ASSERT_EQ(read_keys(file).size(), 1u);
  EXPECT_EQ(read_keys(file)[0].name, "good");
}

TEST_F(KeyFileTest, KeepsEverythingButTheSecret) {
  ApiKey description = infer_key("a name");
  description.manage = true;
  description.tenant = "acme";
  description.models = {"m1", "m2"};
  description.requests_per_minute = 60;
  description.tokens_per_minute = 1000;
  description.expires_unix = kNow + 100;
  NewKey made = make_key(description);
  update_keys(file, [&](std::vector<ApiKey>& keys) { keys.push_back(made.key); });
  const std::vector<ApiKey> keys = read_keys(file);
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(describe_key(keys[0]), describe_key(made.key));
  EXPECT_EQ(keys[0].digest, made.key.digest);
  EXPECT_EQ(KeyTable(keys).check(made.text, kNow).verdict, KeyVerdict::kRight);
  const std::string text = read_text_file(file, 1 << 20);
  EXPECT_EQ(text.find(made.text.substr(made.text.size() - 43)), std::string::npos);
}

TEST_F(KeyFileTest, OnlyTheOwnerMayReadAndWriteIt) {
  update_keys(file, [](std::vector<ApiKey>& keys) { keys.push_back(make_key(infer_key()).key); });
  struct stat s {};
  ASSERT_EQ(::stat(file.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777u, 0600u);
  ASSERT_EQ(::stat(file.parent_path().c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777u, 0700u);
}

TEST_F(KeyFileTest, IsNotReadWhenOthersMayWriteToIt) {
  update_keys(file, [](std::vector<ApiKey>& keys) { keys.push_back(make_key(infer_key()).key); });
  for (const unsigned mode : {0620u, 0602u, 0666u}) {
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
    EXPECT_NE(refusal([&] { read_keys(file); }).find("chmod 600"), std::string::npos) << mode;
  }
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  EXPECT_EQ(read_keys(file).size(), 1u) << "digests of random secrets tell nothing";
}

TEST_F(KeyFileTest, AMissingFileHoldsNoKeys) { EXPECT_TRUE(read_keys(folder / "nowhere.json").empty()); }

TEST_F(KeyFileTest, AChangeThatFailsWritesNothing) {
  update_keys(file, [](std::vector<ApiKey>& keys) { keys.push_back(make_key(infer_key()).key); });
  const std::string before = read_text_file(file, 1 << 20);
  EXPECT_THROW(update_keys(file,
                           [](std::vector<ApiKey>& keys) {
                             keys.clear();
                             throw Error(ErrorCode::kNotFound, "no");
                           }),
               Error);
  EXPECT_EQ(read_text_file(file, 1 << 20), before);
}

TEST_F(KeyFileTest, OfManyThatAddAKeyAtOnceNoneGetsLost) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      for (int k = 0; k < 5; ++k) update_keys(file, [](std::vector<ApiKey>& keys) { keys.push_back(make_key(infer_key()).key); });
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(read_keys(file).size(), 40u);
}

TEST_F(KeyFileTest, RefusesWhatItDoesNotUnderstandNamingTheField) {
  const std::string digest(64, '0');
  const auto with = [&](const std::string& fields) {
    write(R"({"version": 1, "keys": [{"id": "a", "digest": ")" + digest + R"(")" + fields + "}]}");
    return refusal([&] { read_keys(file); });
  };
  EXPECT_EQ(with(""), "");
  EXPECT_NE(with(R"(, "request_per_minute": 5)").find("did you mean 'requests_per_minute'?"), std::string::npos);
  EXPECT_NE(with(R"(, "requests_per_minute": -1)").find("requests_per_minute"), std::string::npos);
  EXPECT_NE(with(R"(, "requests_per_minute": "5")").find("keys[0]"), std::string::npos);
  EXPECT_NE(with(R"(, "scopes": ["inference"])").find("unknown scope 'inference'"), std::string::npos);
  EXPECT_NE(with(R"(, "scopes": "infer")").find("scopes must be a list"), std::string::npos);
  EXPECT_NE(with(R"(, "expires": "tomorrow")").find("expires"), std::string::npos);
  EXPECT_NE(with(R"(, "models": [1])").find("models"), std::string::npos);
  EXPECT_NE(with(R"(, "digest": "00")").find("64 hexadecimal digits"), std::string::npos);
  EXPECT_NE(with(R"(, "id": "a-b")").find("id must have"), std::string::npos);
  write(R"({"version": 2, "keys": []})");
  EXPECT_NE(refusal([&] { read_keys(file); }).find("version is 2"), std::string::npos);
  write(R"({"version": 1, "keys": [{"id": "a", "revoked": "2026-01-01"}, {"id": "a", "revoked": "2026-01-01"}]})");
  EXPECT_NE(refusal([&] { read_keys(file); }).find("there twice"), std::string::npos);
  write("{");
  EXPECT_NE(refusal([&] { read_keys(file); }).find("not valid JSON"), std::string::npos);
}

TEST(FindKey, ByIdOrByAUniqueNameOfOneThatIsNotRevoked) {
  std::vector<ApiKey> keys = {infer_key("laptop"), infer_key("phone"), infer_key("phone"), infer_key("old")};
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i].id = "id" + std::to_string(i);
  keys[3].revoked_unix = 1;
  EXPECT_EQ(find_key(keys, "id1").id, "id1");
  EXPECT_EQ(find_key(keys, "laptop").id, "id0");
  EXPECT_NE(refusal([&] { find_key(keys, "phone"); }).find("2 keys"), std::string::npos);
  EXPECT_NE(refusal([&] { find_key(keys, "lapttop"); }).find("did you mean 'laptop'?"), std::string::npos);
  EXPECT_NE(refusal([&] { find_key(keys, "old"); }).find("no key 'old'"), std::string::npos);
  EXPECT_NE(refusal([&] { find_key(keys, "id3"); }).find("no key"), std::string::npos);
}

}  // namespace
}  // namespace minnow
