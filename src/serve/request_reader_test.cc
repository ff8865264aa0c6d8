#include "serve/request_reader.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

using State = RequestReader::State;

struct Read {
  State state;
  int status = 0;  // of a refusal
  HttpRequest request;
  std::string rest;
};

// Feeds `text` in pieces of `step` bytes until the request is done.
Read read(std::string_view text, std::size_t step = 1 << 20, std::size_t max_body = limits::kMaxBodyBytes) {
  RequestReader reader(max_body);
  std::string buffer;
  State state = State::kHead;
  while (state != State::kDone && state != State::kRefused) {
    const std::string before = buffer;
    buffer += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
    const State next = reader.feed(buffer);
    const bool stuck = text.empty() && next == state && buffer == before;
    state = next;
    if (stuck) break;
  }
  Read out{.state = state, .rest = buffer + std::string(text)};
  if (state == State::kRefused) out.status = reader.refusal().status;
  out.request = std::move(reader.request());
  return out;
}

const std::string kPost = "POST /v1/x?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello";
const std::string kChunked =
    "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=\"v\"\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: ignored\r\n\r\n";

TEST(RequestReader, TakesRequestsApart) {
  const Read r = read(kPost);
  ASSERT_EQ(r.state, State::kDone);
  EXPECT_EQ(r.request.method, "POST");
  EXPECT_EQ(r.request.path, "/v1/x");
  EXPECT_EQ(r.request.query_value("a"), "b");
  EXPECT_EQ(r.request.header("content-type"), "application/json");
  EXPECT_EQ(r.request.body, "hello");
  EXPECT_EQ(r.rest, "");
}

TEST(RequestReader, ItDoesNotMatterHowBytesArrive) {
  for (const std::string& text : {kPost, kChunked}) {
    for (const std::size_t step : {1, 2, 3, 7, 50}) {
      const Read r = read(text, step);
      ASSERT_EQ(r.state, State::kDone) << step;
      EXPECT_EQ(r.request.body, "hello") << step;
    }
  }
}

TEST(RequestReader, AnEndWithoutChunksMayArriveByteByByte) {
  const std::string head = kChunked.substr(0, kChunked.find("3;"));
  for (const std::size_t step : {1, 2, 3, 4, 100}) {
    const Read whole = read(head + "0\r\n\r\n", step);
    EXPECT_EQ(whole.state, State::kDone) << step;
    EXPECT_EQ(whole.request.body + whole.rest, "") << step;
    EXPECT_EQ(read(head + "0\r\n-\n", step).status, 400) << step;
  }
}

TEST(RequestReader, TrailersAreNotHeaders) {
  const Read r = read(kChunked);
  EXPECT_EQ(r.request.header("trailer"), "");
}

TEST(RequestReader, NextRequestStaysInTheBuffer) {
  EXPECT_EQ(read(kPost + "GET / HTTP/1.1\r\n").rest, "GET / HTTP/1.1\r\n");
  EXPECT_EQ(read(kChunked + "GET").rest, "GET");
}

TEST(RequestReader, StopsAfterTheHead) {
  RequestReader reader;
  std::string buffer = kPost;
  EXPECT_EQ(reader.feed(buffer), State::kBody);
  EXPECT_EQ(buffer, "hello");
  EXPECT_EQ(reader.request().path, "/v1/x");
  EXPECT_EQ(reader.declared_length(), 5u);
  EXPECT_EQ(reader.feed(buffer), State::kDone);
}

TEST(RequestReader, EmptyLinesBeforeARequestAreSkipped) { EXPECT_EQ(read("\r\n\r\n" + kPost, 1).request.body, "hello"); }

TEST(RequestReader, KeepsConnectionsAsAsked) {
  const auto keeps = [](std::string text) {
    RequestReader reader;
    reader.feed(text);
    return reader.keep_alive();
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
}

TEST(RequestReader, KnowsWhoWaitsForContinue) {
  RequestReader reader;
  std::string text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n";
  reader.feed(text);
  EXPECT_TRUE(reader.expects_continue());
}

TEST(RequestReader, AbsoluteTargetsNameTheHost) {
  EXPECT_EQ(read("GET http://evil.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n").request.header("host"), "evil.example");
}

TEST(RequestReader, WhatIsAmbiguousIsRefused) {
  const std::string host = "Host: a\r\n";
  const std::pair<std::string, int> cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "Authorization: x\r\nAuthorization: y\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\nx", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\nx", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\nx", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999999\r\n\r\nx", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415},
      {"POST / HTTP/1.1\r\n" + host + "Expect: wonders\r\nContent-Length: 1\r\n\r\nx", 417},
  };
  for (const auto& [text, status] : cases) EXPECT_EQ(read(text).status, status) << text;
}

TEST(RequestReader, WhatIsNoHttpIsRefused) {
  const std::pair<std::string, int> cases[] = {
      {"hello\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHo st: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: a\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
  };
  for (const auto& [text, status] : cases) EXPECT_EQ(read(text).status, status) << text;
}

TEST(RequestReader, LinesThatEndWithLineFeedAloneAreRefusedAtOnce) {
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::size_t step : {1u, 7u, 1u << 20}) {
    for (const std::string& text : {std::string("GET / HTTP/1.1\nHost: a\n\n"), std::string("GET / HTTP/1.1\r\nHost: a\n\n"), chunked + "5\nhello\n0\n\n",
                                    chunked + "5\r\nhello\n", chunked + "5\r\nhello\r\n0\n\n",
                                    chunked + "5;a=\"\\\n\"\r\nhello\r\n0\r\n\r\n"}) {
      EXPECT_EQ(read(text, step).status, 400) << text;
    }
  }
}

TEST(RequestReader, HeadsAreBounded) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(read(begin + "X: " + std::string(20'000, 'x') + "\r\n\r\n").status, 431);
  EXPECT_EQ(read(begin + "X: " + std::string(20'000, 'x') + "\r\n\r\n", 100).status, 431);
  EXPECT_EQ(read("GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n").status, 431);
  std::string many = begin, large = begin;
  for (int i = 0; i < 200; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  for (int i = 0; i < 40; ++i) large += "X-" + std::to_string(i) + ": " + std::string(1000, 'y') + "\r\n";
  EXPECT_EQ(read(many + "\r\n").status, 431);
  EXPECT_EQ(read(many + "\r\n", 8).status, 431);
  // Fields that arrive one by one, each of them whole.
  RequestReader reader;
  std::string buffer = begin;
  State state = reader.feed(buffer);
  for (int i = 0; i < 40 && state == State::kHead; ++i) {
    buffer += "X-" + std::to_string(i) + ": " + std::string(1000, 'y') + "\r\n";
    state = reader.feed(buffer);
    EXPECT_LT(buffer.size(), 2 * limits::kMaxHeadBytes);
  }
  ASSERT_EQ(state, State::kRefused);
  EXPECT_EQ(reader.refusal().status, 431);
}

TEST(RequestReader, BodiesAreBounded) {
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world", 1 << 20, 10).status, 413);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n", 1 << 20, 10).status, 413);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n", 1, 10).status, 413);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 1 << 20, 10).status, 413);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhelloworld", 1 << 20, 10).state, State::kDone);
}

TEST(RequestReader, HeadsOfChunksAreBounded) {
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(20'000, 'x'), 1000).status, 400);
}

}  // namespace
}  // namespace minnow
