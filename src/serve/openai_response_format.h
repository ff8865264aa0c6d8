// Answers of /v1/responses: the object, and the events of a stream, in which every item that begins also ends.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/openai_messages.h"
#include "serve/openai_objects.h"

namespace minnow {

struct ResponseFormatOptions {
  // The object as it is when nothing has been said yet: status in_progress, output [], usage null.
  OrderedJson response;
  bool logprobs = false;
  bool include_reasoning = true;
  bool encode_reasoning = false;  // include "reasoning.encrypted_content"
  bool include_stop = false;
  std::map<std::string, GroupedName> grouped = {};  // tools that have a group, by the names that the model knows
  std::set<std::string> custom = {};                // tools that take text, likewise: the input of a call comes when it is whole
  MakeId make_id = random_id;
  std::function<int64_t()> now;                             // seconds since 1970
  std::function<void(const OrderedJson& response)> ended = {};  // of answers that did not fail: to store them
  std::function<bool(TokenId)> is_end = {};
};

class ResponseFormat final : public AnswerFormat {
 public:
  explicit ResponseFormat(ResponseFormatOptions options);

  void begin(std::string& out) override;
  void event(int index, const ChatEvent& event, std::string& out) override;
  void end(std::string& out) override;
  void error(const Error& error, std::string& out) override;
  HttpResponse whole(const std::vector<ChatReply>& replies) override;

 private:
  enum class Open : uint8_t { kNothing, kReasoning, kMessage, kCall };

  void send(std::string_view type, std::string_view fields, std::string& out);
  void send_response(std::string_view type, std::string& out);
  void send_item(std::string_view type, const OrderedJson& item, std::string& out);
  // The keys that events of parts begin with: the item's id, and indexes.
  std::string place(std::string_view part_index) const;

  void open(Open kind, std::string_view prefix, std::string& out);
  void close(std::string_view status, std::string& out);
  void close_reasoning(std::string_view status, std::string& out);
  void close_message(std::string_view status, std::string& out);
  void close_call(std::string_view status, std::string& out);
  void output(const ChatOutputEvent& event, std::string& out);
  void reasoning(std::string_view text, std::string& out);
  void content(std::string_view text, std::string& out);
  void call_begin(const ChatOutputEvent& event, std::string& out);

  void finish(FinishReason reason, const Usage& usage);
  bool is_custom(const ToolCall& call) const { return options_.custom.contains(call.name); }
  void send_custom_input(const std::string& input, std::string& out);
  OrderedJson call_json(const std::string& id, std::string_view status, const ToolCall& call) const;
  OrderedJson output_of(const ChatReply& reply, std::string_view status);

  ResponseFormatOptions options_;
  OrderedJson response_;
  int64_t sequence_ = 0;

  Open open_ = Open::kNothing;
  std::string item_id_, text_;        // of the item that is open
  ToolCall call_;                     // likewise
  OrderedJson text_logprobs_;         // of the message
  std::vector<TokenLogprob> logprobs_;  // of what the next delta says
  ChatEvent last_;                    // the one with done set
};

}  // namespace minnow
