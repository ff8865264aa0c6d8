#include "text/chat_output/chat_output_parser.h"

#include <array>
#include <utility>

#include "base/limits.h"
#include "text/chat_output/marker_matcher.h"
#include "text/chat_output/payload.h"

namespace minnow {

using chat_output::MarkerMatcher;
using chat_output::PayloadReader;
using chat_output::ToolSchemas;
using Kind = ChatOutputEvent::Kind;

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// White space at the end of a text, which belongs to it only if more follows. More than this is passed on.
constexpr std::size_t kMaxHeldSpace = 1024;

enum class MarkKind : uint8_t { kReasoning, kCall, kWrapOpen, kWrapClose, kDropped };
struct Mark {
  std::string_view text;
  MarkKind kind;
  std::size_t index;  // of the format's reasoning tags or calls
};

bool is_read(const CallSyntax& syntax, bool held_calls) { return !held_calls || can_be_held(syntax); }

// The marks of a format that are looked for in content.
std::vector<Mark> content_marks(const OutputFormat& format, const ChatOutputOptions& options) {
  std::vector<Mark> marks;
  if (options.reasoning) {
    for (std::size_t i = 0; i < format.reasoning.size(); ++i) {
      marks.push_back({format.reasoning[i].open, MarkKind::kReasoning, i});
    }
  }
  if (options.calls) {
    for (std::size_t i = 0; i < format.calls.size(); ++i) {
      if (is_read(format.calls[i], options.held_calls)) marks.push_back({format.calls[i].open, MarkKind::kCall, i});
    }
    for (const std::string_view word : format.wrap_open) marks.push_back({word, MarkKind::kWrapOpen, 0});
    for (const std::string_view word : format.wrap_close) marks.push_back({word, MarkKind::kWrapClose, 0});
  }
  for (const std::string_view word : format.dropped) marks.push_back({word, MarkKind::kDropped, 0});
  return marks;
}

std::vector<std::string_view> texts_of(const std::vector<Mark>& marks) {
  std::vector<std::string_view> texts;
  for (const Mark& mark : marks) texts.push_back(mark.text);
  return texts;
}

}  // namespace

// A machine with one byte as its step. `raw_` is the text of the call at hand as generated, so that what
// turns out not to be a call can be given as content.
class ChatOutputParser::Impl final : public chat_output::CallSink {
 public:
  Impl(const OutputFormat& format, const ChatOutputOptions& options)
      : format_(format),
        calls_(options.calls),
        held_calls_(options.held_calls),
        tools_(options.tools),
        marks_(content_marks(format, options)),
        content_(texts_of(marks_)),
        thought_({}) {
    start_inside(options);
  }

  void step(char c) {
    switch (state_) {
      case State::kContent:
        content_byte(c);
        break;
      case State::kReasoning:
        reasoning_byte(c);
        break;
      case State::kChoose:
        choose(c);
        break;
      case State::kPayload:
        payload_byte(c);
        break;
      case State::kClose:
        close_byte(c);
        break;
    }
  }

  void finish() {
    decide(true);
    if (state_ == State::kPayload && !reader_->finish(*this)) give_up();
    if (state_ == State::kChoose) give_up();
    if (state_ == State::kClose) emit(Kind::kContent, std::exchange(closing_, {}));
    if (state_ == State::kContent) emit(Kind::kContent, std::exchange(held_, {}));
  }

  std::vector<ChatOutputEvent> take_events() { return std::exchange(events_, {}); }

 private:
  enum class State : uint8_t { kContent, kReasoning, kChoose, kPayload, kClose };

  void start_inside(const ChatOutputOptions& options) {
    const std::string_view prompt = options.prompt;
    for (const Mark& mark : marks_) {
      if (mark.kind == MarkKind::kCall && !mark.text.empty() && prompt.ends_with(mark.text))
        return enter_call(mark.index);
      if (mark.kind == MarkKind::kReasoning && !mark.text.empty() &&
          chat_output::trimmed(prompt).ends_with(chat_output::trimmed(mark.text))) {
        return enter_reasoning(mark.index);
      }
    }
  }

  // ---- Text ----

  void content_byte(char c) {
    if (calls_ && fresh_ && content_.idle() && begins_bare(c)) return;
    content_.push(c);
    decide(false);
  }

  void reasoning_byte(char c) {
    thought_.push(c);
    decide(false);
  }

  // Takes from the matcher what it is sure of; at the end of the text, everything.
  void decide(bool at_end) {
    while (state_ == State::kContent || state_ == State::kReasoning) {
      MarkerMatcher& matcher = state_ == State::kContent ? content_ : thought_;
      const auto found = matcher.take(at_end);
      if (!found) return;
      if (found->mark == MarkerMatcher::kNone) {
        text_byte(found->byte);
        continue;
      }
      const std::string rest = matcher.take_rest();
      if (state_ == State::kReasoning)
        begin_text(State::kContent);
      else
        on_mark(marks_[found->mark]);
      for (const char c : rest) step(c);
    }
  }

  void text_byte(char c) {
    if (is_space(c)) {
      if (skip_space_) return;
      held_ += c;
      if (held_.size() < kMaxHeldSpace) return;
      emit(text_kind(), std::exchange(held_, {}));
      return;
    }
    if (state_ == State::kContent) {
      if (fresh_ && n_calls_ > 0 && (c == ';' || c == ',')) return;  // between calls without marks
      fresh_ = false;
    }
    skip_space_ = false;
    held_ += c;
    emit(text_kind(), std::exchange(held_, {}));
  }

  Kind text_kind() const { return state_ == State::kReasoning ? Kind::kReasoning : Kind::kContent; }

  // ---- Marks ----

  void on_mark(const Mark& mark) {
    switch (mark.kind) {
      case MarkKind::kReasoning:
        return enter_reasoning(mark.index);
      case MarkKind::kCall:
        raw_ = std::exchange(held_, {});
        raw_ += mark.text;
        return enter_call(mark.index);
      case MarkKind::kWrapOpen:
        held_ += mark.text;
        if (held_.size() > kMaxHeldSpace) give_content({});
        return;
      case MarkKind::kWrapClose:
        if (n_calls_ == 0) return give_content(mark.text);
        [[fallthrough]];
      case MarkKind::kDropped:
        return begin_text(State::kContent);
    }
  }

  // After a mark: white space next to it is not text.
  void begin_text(State state) {
    state_ = state;
    held_.clear();
    skip_space_ = true;
  }

  void enter_reasoning(std::size_t tags) {
    thought_ = MarkerMatcher({format_.reasoning[tags].close});
    begin_text(State::kReasoning);
  }

  void give_content(std::string_view text) {
    fresh_ = skip_space_ = false;
    held_ += text;
    emit(Kind::kContent, std::exchange(held_, {}));
  }

  // ---- Calls ----

  bool may_begin(const CallSyntax& syntax, char c) const {
    return is_read(syntax, held_calls_) && chat_output::may_begin(syntax, c);
  }

  // A call without a mark can only begin where no content has been.
  bool begins_bare(char c) {
    if (is_space(c)) return false;
    for (const CallSyntax& syntax : format_.calls) {
      if (!syntax.open.empty() || !may_begin(syntax, c)) continue;
      raw_ = std::exchange(held_, {});
      enter_payload(syntax);
      payload_byte(c);
      return true;
    }
    return false;
  }

  // Several syntaxes may share a mark; the first byte after it tells them apart.
  void enter_call(std::size_t index) {
    open_ = format_.calls[index].open;
    state_ = State::kChoose;
    const CallSyntax& syntax = format_.calls[index];
    if (syntax.payload == Payload::kNamed && syntax.header == CallHeader::kChannel) enter_payload(syntax);
  }

  void choose(char c) {
    if (is_space(c)) {
      raw_ += c;
      if (raw_.size() > kMaxHeldSpace) give_up();
      return;
    }
    for (const CallSyntax& syntax : format_.calls) {
      if (syntax.open != open_ || !may_begin(syntax, c)) continue;
      enter_payload(syntax);
      return payload_byte(c);
    }
    give_up();
    step(c);
  }

  void enter_payload(const CallSyntax& syntax) {
    syntax_ = &syntax;
    reader_ = make_payload_reader(syntax, tools_);
    state_ = State::kPayload;
  }

  void payload_byte(char c) {
    ended_ = false;
    switch (reader_->step(c, *this)) {
      case PayloadReader::Step::kMore:
        if (!ended_) raw_ += c;
        if (raw_.size() > limits::kMaxToolCallBytes) give_up();
        return;
      case PayloadReader::Step::kDone:
        closing_.clear();
        begin_text(takes_close() ? State::kClose : State::kContent);
        return;
      case PayloadReader::Step::kBroken:
        give_up();
        return step(c);
      case PayloadReader::Step::kContent:
        return begin_text(State::kContent);
      case PayloadReader::Step::kReasoning:
        for (std::size_t i = 0; i < format_.reasoning.size(); ++i) {
          if (format_.reasoning[i].open.empty()) return enter_reasoning(i);
        }
        return begin_text(State::kContent);
    }
  }

  // Collected payloads end with their closing text; after others it may follow.
  bool takes_close() const {
    const Payload p = syntax_->payload;
    return !syntax_->close.empty() && (p == Payload::kJson || p == Payload::kKeyedJson ||
                                       p == Payload::kNamed || p == Payload::kPythonList);
  }

  void close_byte(char c) {
    if (closing_.empty() && is_space(c) && !syntax_->close.starts_with(c)) return;
    closing_ += c;
    if (syntax_->close.starts_with(closing_)) {
      if (closing_.size() == syntax_->close.size()) begin_text(State::kContent);
      return;
    }
    begin_text(State::kContent);
    for (const char held : std::exchange(closing_, {})) step(held);
  }

  // What was taken for a call is content.
  void give_up() {
    if (in_call_) events_.push_back({Kind::kCallBroken, n_calls_ - 1});
    in_call_ = false;
    reader_.reset();
    state_ = State::kContent;
    give_content(std::exchange(raw_, {}));
  }

  void begin(std::string_view name, std::string_view id) override {
    events_.push_back({Kind::kCallBegin, n_calls_++, std::string(name), std::string(id)});
    in_call_ = true;
  }
  void arguments(std::string_view json) override { emit(Kind::kCallArguments, json); }
  void end(std::string_view id) override {
    events_.push_back({Kind::kCallEnd, n_calls_ - 1, {}, std::string(id)});
    in_call_ = false;
    ended_ = true;
    raw_.clear();
  }

  // Pieces of the same text make one event.
  void emit(Kind kind, std::string_view text) {
    if (text.empty()) return;
    const int call = kind == Kind::kCallArguments ? n_calls_ - 1 : 0;
    if (events_.empty() || events_.back().kind != kind || events_.back().call != call)
      events_.push_back({kind, call});
    events_.back().text += text;
  }

  const OutputFormat& format_;
  const bool calls_, held_calls_;
  const ToolSchemas tools_;
  const std::vector<Mark> marks_;
  MarkerMatcher content_, thought_;

  State state_ = State::kContent;
  std::string held_;         // white space and opening wraps that belong to the text only if more follows
  bool skip_space_ = false;  // at the beginning of a text that follows a mark
  bool fresh_ = true;        // no content yet

  std::string_view open_;  // the mark that opened the call
  const CallSyntax* syntax_ = nullptr;
  std::unique_ptr<PayloadReader> reader_;
  std::string raw_, closing_;
  bool in_call_ = false;  // between begin and end
  bool ended_ = false;    // the last byte ended a call
  int n_calls_ = 0;

  std::vector<ChatOutputEvent> events_;
};

ChatOutputParser::ChatOutputParser(const OutputFormat& format, const ChatOutputOptions& options)
    : impl_(std::make_unique<Impl>(format, options)) {}
ChatOutputParser::~ChatOutputParser() = default;
ChatOutputParser::ChatOutputParser(ChatOutputParser&&) noexcept = default;
ChatOutputParser& ChatOutputParser::operator=(ChatOutputParser&&) noexcept = default;

std::vector<ChatOutputEvent> ChatOutputParser::feed(std::string_view piece) {
  for (const char c : piece) impl_->step(c);
  return impl_->take_events();
}

std::vector<ChatOutputEvent> ChatOutputParser::finish() {
  impl_->finish();
  return impl_->take_events();
}

}  // namespace minnow
