#include "serve/operations.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"

namespace minnow {
namespace {

class OperationsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) / ("operations_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void write(const std::string& limits) {
    std::ofstream(folder / "minnow.toml") << "[keys]\nfile = \"" << (folder / "keys.json").string() << "\"\n[log]\nrequests = \""
                                          << (folder / "log").string() << "\"\n"
                                          << limits;
  }
  std::string add_key() {
    ApiKey description;
    description.infer = true;
    NewKey made = make_key(description);
    update_keys(folder / "keys.json", [&](std::vector<ApiKey>& keys) { keys.push_back(made.key); });
    return made.text;
  }
  std::unique_ptr<Operations> make(Operations::Overlay overlay = {}) {
    return std::make_unique<Operations>(load_config(folder / "minnow.toml"), [this] { return folder / "minnow.toml"; }, std::move(overlay));
  }
  static AuthResult ask(Operations& operations, const std::string& key) {
    HttpRequest request;
    request.headers = {{"authorization", "Bearer " + key}};
    return operations.authenticator().check(request, Route{"POST", "/v1/x", Dialect::kOpenAi, Scope::kInfer, {}}, "192.0.2.1");
  }
  static int status(const AuthResult& result) {
    return std::holds_alternative<Caller>(result) ? 200 : std::get<Refusal>(result).status;
  }
  std::string logged() { return read_text_file(folder / "log", 1 << 20); }

  std::filesystem::path folder;
};

TEST_F(OperationsTest, ReloadTakesNewKeysAndLimits) {
  write("[limits]\nrequests_per_minute = 1\n");
  const std::string key = add_key();
  auto operations = make();
  EXPECT_EQ(status(ask(*operations, key)), 200);
  EXPECT_EQ(status(ask(*operations, key)), 429);
  write("[limits]\nrequests_per_minute = 3\n[server]\norigins = [\"https://a.example.org\"]\n");
  const std::string second = add_key();
  EXPECT_EQ(operations->reload().server.origins.size(), 1u);
  EXPECT_EQ(status(ask(*operations, second)), 200);
  EXPECT_EQ(status(ask(*operations, key)), 200);
  EXPECT_EQ(status(ask(*operations, key)), 200);
  EXPECT_EQ(status(ask(*operations, key)), 429) << "what was counted before still counts";
}

TEST_F(OperationsTest, WhatTheCommandLineSaysWinsAfterAReloadToo) {
  write("[server]\nport = 1\n");
  auto operations = make([](ServeConfig& c) { c.server.port = 99; });
  EXPECT_EQ(operations->reload().server.port, 99);
}

TEST_F(OperationsTest, AFileThatCannotBeReadChangesNothingAndIsLogged) {
  write("[limits]\nrequests_per_minute = 1\n");
  const std::string key = add_key();
  auto operations = make();
  EXPECT_EQ(status(ask(*operations, key)), 200);
  write("[limits]\nrequest_per_minute = 100\n");
  operations->reload();
  EXPECT_EQ(status(ask(*operations, key)), 429);
  operations.reset();
  EXPECT_NE(logged().find("reload_failed"), std::string::npos);
  EXPECT_NE(logged().find("did you mean"), std::string::npos);
}

TEST_F(OperationsTest, AReloadTakesEverythingOrNothingAndTheLogSaysOneOfThem) {
  write("[limits]\nrequests_per_minute = 1\n");
  const std::string key = add_key();
  auto operations = make();
  EXPECT_EQ(status(ask(*operations, key)), 200);
  write("[limits]\nrequests_per_minute = 100\n[server]\norigins = [\"*\"]\n");
  int taken = 0;
  operations->reload([](const ServeConfig&) -> std::function<void()> { fail(ErrorCode::kInvalidInput, "no such origin"); });
  EXPECT_EQ(status(ask(*operations, key)), 429) << "keys and limits were right, but not taken over";
  std::ofstream(folder / "keys.json") << "broken";
  operations->reload([&](const ServeConfig&) { return [&] { ++taken; }; });
  EXPECT_EQ(taken, 0);
  std::filesystem::remove(folder / "keys.json");
  operations->reload([&](const ServeConfig&) { return [&] { ++taken; }; });
  EXPECT_EQ(taken, 0) << "the keys are gone";
  const std::string second = add_key();
  operations->reload([&](const ServeConfig& next) {
    EXPECT_EQ(next.server.origins.size(), 1u);
    return [&] { ++taken; };
  });
  EXPECT_EQ(taken, 1);
  EXPECT_EQ(status(ask(*operations, second)), 200);
  operations.reset();
  const std::string log = logged();
  const auto count = [&](const std::string& event) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = log.find("\"event\":\"" + event + "\"", at)) != std::string::npos; ++at) ++n;
    return n;
  };
  EXPECT_EQ(count("reload_failed"), 3u);
  EXPECT_EQ(count("reloaded"), 1u);
  EXPECT_NE(log.find("no such origin"), std::string::npos);
}

TEST_F(OperationsTest, AFileOfSettingsThatComesLaterIsRead) {
  write("");
  const std::string key = add_key();
  const ServeConfig config = load_config(folder / "minnow.toml");
  std::filesystem::path where;
  Operations operations(config, [&] { return where; }, [&](ServeConfig& c) { c.keys.file = config.keys.file; });
  EXPECT_EQ(status(ask(operations, key)), 200);
  write("[limits]\nrequests_per_minute = 1\n");
  operations.reload();
  EXPECT_EQ(status(ask(operations, key)), 200) << "it is nowhere yet";
  where = folder / "minnow.toml";
  operations.reload();
  ask(operations, key);
  EXPECT_EQ(status(ask(operations, key)), 429);
}

TEST_F(OperationsTest, TellsWhichSettingsNeedARestart) {
  write("[server]\nport = 1\n");
  auto operations = make();
  write("[server]\nport = 2\n");
  operations->reload();
  operations.reset();
  EXPECT_NE(logged().find("server.port"), std::string::npos);
}

TEST_F(OperationsTest, TokensCountOnceWhetherTheyAreSeenAsTheyAreMadeOrAtTheEnd) {
  write("[limits]\ntokens_per_minute = 100\n");
  const std::string key = add_key();
  auto operations = make();
  RequestFacts facts;
  facts.number = 1;
  facts.model = "tiny";
  facts.choices = 1;
  facts.caller = std::get<Caller>(ask(*operations, key));
  for (int i = 0; i < 40; ++i) operations->observer().next_tokens(facts, 1, 0.01);
  facts.prompt_tokens = 58;
  facts.generated_tokens = 41;
  facts.reason = FinishReason::kEndOfText;
  operations->observer().request_ended(facts);
  EXPECT_EQ(status(ask(*operations, key)), 200) << "99 were used";
  facts.number = 2;
  operations->observer().next_tokens(facts, 1, 0.01);
  EXPECT_EQ(status(ask(*operations, key)), 429) << "and now 100, before the answer ended";
}

}  // namespace
}  // namespace minnow
