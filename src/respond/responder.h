// Whatever can answer a chat. Today: a local model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "respond/chat_answer.h"
#include "text/chat_encoder.h"
#include "text/grammar/token_constraint.h"

namespace minnow {

struct ChatRequest {
  OrderedJson messages = OrderedJson::array();  // role and content, as in the OpenAI API
  OrderedJson tools;                            // null or an array
  OrderedJson template_variables = OrderedJson::object();
  SamplingParams sampling;
  int64_t max_tokens = -1;
  std::vector<std::string> stop;
  // What the answer is held to, from its first token on: all of it is content then. Not together with tools. An answer that
  // ends for another reason than kEndOfText is a beginning of what it should be.
  ConstraintSpec constraint;
};

class Responder {
 public:
  virtual ~Responder() = default;
  // Starts an answer; its events stream from the result. Throws for requests that cannot be answered at all.
  virtual std::unique_ptr<ChatAnswer> respond(ChatRequest request) = 0;
};

// Renders the chat with the model's template and lets the engine go on from there. Control tokens come from the
// template alone: a message that spells one is taken as text. The answer is taken apart as the model's family writes it,
// which its template tells; tool calls are looked for when the request has tools.
class LocalResponder final : public Responder {
 public:
  // The engine must outlive the responder. `template_override` replaces the model's template when not empty.
  // Throws kNotFound when there is neither, kInvalidInput when it does not parse.
  // A GGUF model may carry a JSON schema in its metadata, minnow.response_schema: then answers to requests that name no format
  // and no tools are held to it, compact, and the likeliest one is given.
  explicit LocalResponder(Engine& engine, const std::string& template_override = {});

  std::unique_ptr<ChatAnswer> respond(ChatRequest request) override;
  // The prompt's tokens, for showing and counting.
  std::vector<TokenId> prompt(const ChatRequest& request) const;

 private:
  std::string render(const ChatRequest& request) const;
  Engine& engine_;
  ChatEncoder encoder_;
  const OutputFormat& format_;
  ConstraintCompiler constraints_;
  ConstraintSpec own_format(const ChatRequest& request) const;
  ConstraintSpec own_format_;  // of the model
  OrderedJson own_schema_;     // when texts are to be copied from the message (copied_text.h), else null
};

}  // namespace minnow
