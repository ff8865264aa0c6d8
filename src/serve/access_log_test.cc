#include "serve/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

namespace minnow {
namespace {

RequestFacts answer() {
  RequestFacts facts;
  facts.id = "req_1";
  facts.method = "POST";
  facts.route = "/v1/chat/completions";
  facts.peer = "192.0.2.7";
  facts.caller.key_id = "k2";
  facts.model = "tiny";
  facts.stream = true;
  facts.choices = 2;
  facts.status = 200;
  facts.seconds = 1.23456789;
  facts.first_token_seconds = 0.01;
  facts.prompt_tokens = 10;
  facts.reused_tokens = 4;
  facts.generated_tokens = 7;
  facts.queue_seconds = 0.001;
  facts.reason = FinishReason::kMaxTokens;
  return facts;
}

class AccessLogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) / ("access_log_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  static std::vector<Json> lines_of(const std::filesystem::path& file) {
    std::istringstream text(read_text_file(file, 64 << 20));
    std::vector<Json> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(parse_json(line, "line"));
    return lines;
  }
  std::filesystem::path folder;
};

TEST_F(AccessLogTest, ALineTellsWhoAskedForWhatAndHowLongItTook) {
  const Json line = parse_json(AccessLog::request_line(answer(), false, 1788167107250), "line");
  EXPECT_EQ(
      line,
      parse_json(
          R"({"time": "2026-08-31T09:05:07.250Z", "event": "request", "id": "req_1", "method": "POST", "route": "/v1/chat/completions",
    "status": 200, "key": "k2", "model": "tiny", "stream": true, "choices": 2, "prompt_tokens": 10, "cached_tokens": 4, "generated_tokens": 7,
    "total_ms": 1234.568, "first_token_ms": 10.0, "queue_ms": 1.0, "prompt_ms": 0.0, "generation_ms": 0.0, "finish": "length",
    "bytes_in": 0, "bytes_out": 0})",
          "expected"));
}

TEST_F(AccessLogTest, AddressesAreWrittenWhenAskedFor) {
  EXPECT_EQ(AccessLog::request_line(answer(), false, 0).find("192.0.2.7"), std::string::npos);
  EXPECT_NE(AccessLog::request_line(answer(), true, 0).find("192.0.2.7"), std::string::npos);
}

TEST_F(AccessLogTest, WordsOfARequestAreNeverWritten) {
  RequestFacts facts = answer();
  facts.status = 404;
  facts.model = "SECRET";  // no model of ours: the client wrote it
  facts.error = "model 'SECRET' not found";
  facts.choices = 0;
  facts.prompt_tokens = 0;
  EXPECT_EQ(AccessLog::request_line(facts, true, 0).find("SECRET"), std::string::npos);
  facts.method = "SECRET";
  EXPECT_EQ(AccessLog::request_line(facts, true, 0).find("SECRET"), std::string::npos);
  facts.route.clear();
  EXPECT_EQ(AccessLog::request_line(facts, true, 0).find("SECRET"), std::string::npos);
}

TEST_F(AccessLogTest, WritesEveryLineInOrder) {
  const auto file = folder / "log";
  {
    AccessLog log({.requests = file.string()});
    RequestFacts facts = answer();
    for (int i = 0; i < 500; ++i) {
      facts.id = std::to_string(i);
      log.request(facts);
    }
    log.note("stopping", {{"streams", 3}});
  }
  const auto lines = lines_of(file);
  ASSERT_EQ(lines.size(), 501u);
  for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(lines[i].at("id"), std::to_string(i));
  EXPECT_EQ(lines[500].at("event"), "stopping");
  EXPECT_EQ(lines[500].at("streams"), 3);
}

TEST_F(AccessLogTest, AppendsAndGoesOnInANewFileAfterTheOldOneWasMovedAway) {
  const auto file = folder / "log", moved = folder / "log.1";
  { AccessLog({.requests = file.string()}).request(answer()); }
  {
    AccessLog log({.requests = file.string()});
    log.request(answer());
    std::filesystem::rename(file, moved);
    log.reopen({.requests = file.string()});
    log.request(answer());
  }
  EXPECT_EQ(lines_of(moved).size(), 2u);
  EXPECT_EQ(lines_of(file).size(), 1u);
}

TEST_F(AccessLogTest, AFileThatCannotBeOpenedLeavesTheOldOne) {
  const auto file = folder / "log";
  {
    AccessLog log({.requests = file.string()});
    EXPECT_THROW(log.reopen({.requests = (folder / "no" / "folder").string()}), Error);
    log.request(answer());
  }
  EXPECT_EQ(lines_of(file).size(), 1u);
}

TEST_F(AccessLogTest, RequestsCanBeOff) {
  const auto file = folder / "log";
  {
    AccessLog log({.requests = file.string()});
    log.reopen({.requests = "off"});
    log.request(answer());
  }
  EXPECT_EQ(lines_of(file).size(), 0u);
}

TEST_F(AccessLogTest, NobodyWaitsForAReaderThatDoesNotRead) {
  const auto pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  const auto begin = std::chrono::steady_clock::now();
  {
    AccessLog log({.requests = pipe.string()});
    for (std::size_t i = 0; i < limits::kMaxLogQueue + 2000; ++i) log.request(answer());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10)) << "the end waits for a second only";
  ::close(reader);
}

}  // namespace
}  // namespace minnow
