#include "serve/answer_stream.h"

#include <algorithm>
#include <utility>

#include "serve/response_head.h"

namespace minnow {

namespace asio = boost::asio;

namespace {

double seconds_between(SteadyClock::time_point from, SteadyClock::time_point to) { return std::chrono::duration<double>(to - from).count(); }

constexpr auto kSettle = std::chrono::seconds(1);
constexpr std::size_t kKeptCapacity = 4u << 10;  // of buffers of a stream that is idle

// One answer on its way. Lives in the frame of give_answer.
class Stream {
 public:
  Stream(AnswerContext& context, PreparedAnswer& answer)
      : c_(context), answer_(answer), pump_(answer), deadline_(context.started + context.times.answer) {}

  asio::awaitable<void> stream();
  asio::awaitable<void> whole();
  asio::awaitable<void> settle();
  AnswerEnd end;

 private:
  bool take();
  void fail(const std::exception& error);
  std::string framed();
  void note_tokens(int64_t count);
  void finish();
  SteadyClock::time_point next_deadline() const;

  AnswerContext& c_;
  PreparedAnswer& answer_;
  AnswerPump pump_;
  SteadyClock::time_point deadline_;
  std::string out_;             // bytes of the dialect that were not sent yet
  bool head_sent_ = false;
  bool over_ = false;           // nothing comes after out_
  bool more_ = false;           // events are ready that out_ had no room for
  bool any_event_ = false;
  SteadyClock::time_point last_write_ = SteadyClock::now();
  std::optional<SteadyClock::time_point> last_token_;

};

void Stream::note_tokens(int64_t count) {
  if (count == 0) return;
  const auto now = SteadyClock::now();
  if (last_token_) {
    c_.observer.next_tokens(c_.facts, count, seconds_between(*last_token_, now));
  } else {
    c_.facts.first_token_seconds = seconds_between(c_.started, now);
    c_.observer.first_token(c_.facts, *c_.facts.first_token_seconds);
    if (count > 1) c_.observer.next_tokens(c_.facts, count - 1, 0);
  }
  last_token_ = now;
}

// Ends the stream with this error: as a document while nothing was sent, then in the words of the stream.
void Stream::fail(const std::exception& error) {
  over_ = true;
  end.error = error.what();
  if (!answer_.stream || !head_sent_) {
    JobResult result = error_result(c_.facts.dialect, error, c_.facts.id);
    end.response = std::move(result.response);
    return;
  }
  const auto* known = dynamic_cast<const Error*>(&error);
  try {
    answer_.format->error(known != nullptr ? *known : Error(ErrorCode::kInternal, "something unexpected happened in the server"), out_);
  } catch (const std::exception&) {  // then the stream is just cut
  }
}

// Takes what is ready. True: something is to be sent.
bool Stream::take() {
  try {
    const AnswerPump::Taken taken = pump_.take(out_, limits::kMaxStreamWriteBytes);
    note_tokens(taken.tokens);
    any_event_ |= taken.events > 0;
    more_ = taken.more;
    if (pump_.error()) {
      fail(*pump_.error());
    } else if (pump_.is_done()) {
      finish();
    } else if (c_.stopping) {
      fail(Error(ErrorCode::kCancelled, "the server is stopping; what there was of the answer ends here"));
    } else if (SteadyClock::now() >= deadline_) {
      fail(Error(ErrorCode::kCancelled, "the answer took longer than this server allows", "ask for fewer tokens, or when it is less busy"));
    }
  } catch (const std::exception& error) {
    fail(error);
  }
  return !out_.empty() || over_ || (any_event_ && !head_sent_);
}

void Stream::finish() {
  if (answer_.stream) {
    answer_.format->end(out_);
  } else {
    end.response = pump_.whole();
  }
  over_ = true;
}

// out_ as it goes over the wire, behind the head when that was not sent yet.
std::string Stream::framed() {
  std::string bytes;
  if (!head_sent_) bytes = c_.stream_head();
  head_sent_ = true;
  c_.facts.response_bytes += out_.size();
  if (!c_.head_only) {
    if (c_.chunked) {
      append_chunk(bytes, out_);
      if (over_) bytes += kLastChunk;
    } else {
      bytes += out_;
    }
  }
  out_.clear();
  if (out_.capacity() > kKeptCapacity) out_.shrink_to_fit();
  return bytes;
}

SteadyClock::time_point Stream::next_deadline() const { return last_write_ + (head_sent_ ? c_.times.ping : c_.times.first_event); }

asio::awaitable<void> Stream::stream() {
  answer_.format->begin(out_);
  const std::string begin = std::exchange(out_, {});  // does not count as something to send
  bool begun = false;
  for (;;) {
    bool ready = take();
    if (end.response) co_return;
    if (!ready && SteadyClock::now() >= next_deadline()) {
      ready = true;
      if (head_sent_) out_ += answer_.format->ping();
    }
    if (ready) {
      if (!begun) out_.insert(0, begin);
      begun = true;
      const std::string bytes = framed();
      const bool taken = co_await c_.client.write(bytes);
      last_write_ = SteadyClock::now();
      if (!taken) {
        end.gone = true;
        co_return;
      }
    }
    if (over_) co_return;
    if (more_ || ready) continue;  // a write that waited has heard of events that came meanwhile
    const bool there = co_await c_.client.watch(std::min(next_deadline(), deadline_));
    if (!there) {
      end.gone = true;
      co_return;
    }
  }
}

asio::awaitable<void> Stream::whole() {
  for (;;) {
    take();
    if (over_) co_return;
    if (more_) continue;
    const bool there = co_await c_.client.watch(deadline_);
    if (!there) {
      end.gone = true;
      co_return;
    }
  }
}

// Ends what still runs. For a client that went away the engine is waited for, which stops within two steps, to know what it cost.
asio::awaitable<void> Stream::settle() {
  pump_.cancel();
  const auto until = SteadyClock::now() + kSettle;
  while (end.gone && !pump_.settle() && c_.client.transport().is_open() && SteadyClock::now() < until) {
    co_await c_.client.transport().wait(until, {});
  }
  pump_.add_facts(c_.facts);
}

}  // namespace

asio::awaitable<AnswerEnd> give_answer(AnswerContext context, PreparedAnswer& answer) {
  Stream stream(context, answer);
  if (answer.stream) {
    co_await stream.stream();
  } else {
    co_await stream.whole();
  }
  co_await stream.settle();
  co_return std::move(stream.end);
}

}  // namespace minnow
