#include "serve/response_head.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

TEST(ResponseHead, IsWhatClientsExpect) {
  std::string out;
  append_head(out, {.status = 200, .content_type = "application/json", .content_length = 2, .request_id = "req_1", .date = "now"}, {{"vary", "Origin"}});
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-type: application/json\r\ncontent-length: 2\r\nx-request-id: req_1\r\n"
            "x-content-type-options: nosniff\r\nvary: Origin\r\n\r\n");
}

TEST(ResponseHead, StreamsAreChunked) {
  std::string out;
  append_head(out, {.status = 200, .content_type = "text/event-stream", .chunked = true, .close = true}, {});
  EXPECT_NE(out.find("transfer-encoding: chunked\r\n"), std::string::npos);
  EXPECT_NE(out.find("connection: close\r\n"), std::string::npos);
  EXPECT_EQ(out.find("content-length"), std::string::npos);
}

TEST(ResponseHead, ResponsesWithoutBodyHaveNoLength) {
  std::string out;
  append_head(out, {.status = 204, .content_length = 0}, {});
  EXPECT_EQ(out.find("content-length"), std::string::npos);
}

TEST(ResponseHead, ValuesCannotBeginAnotherHeader) {
  std::string out;
  append_head(out, {.status = 200, .content_length = 0}, {{"x", "a\r\nset-cookie: b"}});
  EXPECT_EQ(out.find("\r\nset-cookie"), std::string::npos);
}

TEST(ResponseHead, ChunksCarryTheirLength) {
  std::string out;
  append_chunk(out, "");
  EXPECT_EQ(out, "");
  append_chunk(out, std::string(26, 'x'));
  EXPECT_EQ(out, "1a\r\n" + std::string(26, 'x') + "\r\n");
}

TEST(ResponseHead, DatesAreThoseOfHttp) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace minnow
