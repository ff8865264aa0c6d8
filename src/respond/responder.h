// Whatever can answer a chat. Today: a local model.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "respond/chat_answer.h"
#include "respond/family_calls.h"
#include "respond/fill_in.h"
#include "text/chat_encoder.h"
#include "text/grammar/token_constraint.h"

namespace minnow {

enum class ToolChoice : uint8_t {
  kAuto,      // the model calls tools or does not, in the words of its family
  kNone,      // as if there were no tools
  kRequired,  // the answer is one call or several: held to it, after the model's thinking
  kNamed,     // the answer is a call of `tool_name`, likewise
};

struct ChatRequest {
  OrderedJson messages = OrderedJson::array();  // role and content, as in the OpenAI API
  OrderedJson tools;                            // null or an array
  OrderedJson template_variables = OrderedJson::object();
  SamplingParams sampling;
  int64_t max_tokens = -1;
  std::vector<std::string> stop;
  // What the answer is held to: all of it is content then, but for the thinking before it. Where the model thinks, it is held
  // from the end of that on. With tools that it may call (kAuto) it is this or calls, where may_call_instead(); where a call is
  // forced, the format is that of an answer that does not come. An answer that ends for another reason than kEndOfText is a beginning of what it should be.
  ConstraintSpec constraint;

  // Tokens before the chat's own, of an earlier conversation; the chat's BOS is left out then.
  std::vector<TokenId> before = {};
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name;               // for kNamed
  // Tools whose calls are held to their schemas with kAuto as well, where ResponderCapabilities::held_calls; elsewhere without effect.
  std::vector<std::string> strict_tools = {};
  bool parallel_tool_calls = true;     // false: at most one call
  // Whether the model is to think before it answers, if its template has a switch for that (enable_thinking, thinking);
  // template_variables that say so themselves win. nullopt: as the template has it.
  std::optional<bool> thinking = {};
  // The last message is one of the assistant, and the beginning of the answer: the model goes on from there. The events hold
  // what is new.
  bool continue_last = false;
  // As in GenerateRequest.
  std::vector<TokenId> stop_tokens = {};
  bool ignore_end = false;
  int64_t min_tokens = 0;
  int n_logprobs = -1;
  std::string cache_salt = {};
  std::size_t max_unread_bytes = 0;
  std::function<void()> on_event = {};  // an event can be taken with try_next()
};

// A text to go on from, without a chat.
struct TextRequest {
  std::variant<std::string, std::vector<TokenId>> prompt = {};  // tokens are taken as they are
  // Fill in the middle: what comes after the answer, whose beginning is the prompt, then a text. kUnsupported when the
  // vocabulary has no tokens for it.
  std::optional<std::string> suffix = {};
  bool add_special = true;     // BOS and what else the model wants before a text
  bool parse_special = true;   // text that spells a control token becomes that token; never in a suffix or what is before it
  SamplingParams sampling = {};
  int64_t max_tokens = -1;     // 0: only read the prompt
  std::vector<std::string> stop = {};
  ConstraintSpec constraint = {};
  bool show_special = false;   // control tokens appear in the text
  std::vector<TokenId> stop_tokens = {};
  bool ignore_end = false;
  int64_t min_tokens = 0;
  int n_logprobs = -1;
  std::string cache_salt = {};
  std::size_t max_unread_bytes = 0;
  LineLimits lines = {};
  std::function<void()> on_event = {};
};

struct ResponderCapabilities {
  bool chat = false;      // respond(): there is a chat template
  bool tools = false;     // its template, or the one for tools, shows tools to the model
  bool thinking = false;  // its template or family knows of thinking before the answer
  bool insert = false;    // complete() with a suffix
  bool held_calls = false;  // calls that the model decides on can be held to schemas: can_hold_calls() of its family
  bool calls_or_json = false;  // and an answer can be held to JSON or to such calls: can_tell_calls_from_json()
};

// Whether an answer can be held to this or to calls in its place: what it begins with has to tell which of them it is.
bool may_call_instead(const ResponderCapabilities& can, const ConstraintSpec& format);

// Those of a responder for this model, without an engine; `template_override` as for LocalResponder.
ResponderCapabilities capabilities_of(const Model& model, const std::string& template_override = {});

class Responder {
 public:
  virtual ~Responder() = default;
  // Starts an answer; its events stream from the result. Throws for requests that cannot be answered at all.
  virtual std::unique_ptr<ChatAnswer> respond(ChatRequest request) = 0;
  // The same for a text; all of the answer is content.
  virtual std::unique_ptr<ChatAnswer> complete(TextRequest request) = 0;
  // The tokens that the model is given, and for a chat their text: for showing and counting. Throw as the above.
  virtual std::vector<TokenId> prompt(const ChatRequest& request) const = 0;
  virtual std::vector<TokenId> prompt(const TextRequest& request) const = 0;
  virtual std::string render(const ChatRequest& request) const = 0;
  virtual ResponderCapabilities capabilities() const = 0;
};

enum class ChatTemplateNeed : uint8_t { kRequired, kOptional };

// Renders the chat with the model's template and lets the engine go on from there. Control tokens come from the
// template alone: a message that spells one is taken as text. The answer is taken apart as the model's family writes it,
// which its template tells; tool calls are looked for when the request has tools.
class LocalResponder final : public Responder {
 public:
  // The engine must outlive the responder. `template_override` replaces the model's templates when not empty; else, a chat whose
  // request has tools, or calls or results among its messages, is rendered with the model's template for tools where there is one.
  // Throws kNotFound when there is neither, kInvalidInput when one does not parse (kOptional: chats are refused so, one by one).
  // A GGUF model may carry a JSON schema in its metadata, minnow.response_schema: then answers to requests that name no format
  // and no tools are held to it, compact, and the likeliest one is given.
  explicit LocalResponder(Engine& engine, const std::string& template_override = {},
                          ChatTemplateNeed need = ChatTemplateNeed::kRequired);
  ~LocalResponder() override;

  // Throws kInvalidInput for messages that the template refuses, a tool_name that no tool has, calls forced without tools and
  // a continue_last without a message of the assistant; kUnsupported for formats, and for parameters of tools whose calls are
  // forced or strict, that cannot be held to (naming the tool and the keyword); kLimit when the prompt does not fit the context.
  std::unique_ptr<ChatAnswer> respond(ChatRequest request) override;
  std::unique_ptr<ChatAnswer> complete(TextRequest request) override;
  std::vector<TokenId> prompt(const ChatRequest& request) const override;
  std::vector<TokenId> prompt(const TextRequest& request) const override;
  std::string render(const ChatRequest& request) const override;
  ResponderCapabilities capabilities() const override { return capabilities_; }

 private:
  struct Chat;  // what is known of a model's chats
  const Chat& chat_of(const ChatRequest& request) const;  // by the template that renders it
  std::string rendered(const ChatRequest& request) const;  // with the encoder's guards
  std::vector<TokenId> tokens_of(const ChatRequest& request, const std::string& rendered) const;
  std::unique_ptr<AnswerReader> hold(GenerateRequest& generate, const ChatRequest& request, const std::string& rendered);
  FamilyCalls family_calls(const ChatRequest& request, const std::string& rendered) const;
  std::shared_ptr<const TokenConstraint> compiled(const ChatRequest& request);

  Engine& engine_;
  std::unique_ptr<const Chat> chat_;       // null without a template, and without one that can be read
  std::unique_ptr<const Chat> tool_chat_;  // null unless chats with tools have one of their own
  std::string template_error_;             // of one that cannot be read
  std::optional<FillTokens> fill_;
  ResponderCapabilities capabilities_;
  ConstraintCompiler constraints_;
  ConstraintSpec own_format_;  // of the model
};

}  // namespace minnow
