#include "cli/serve_limits.h"

#include <fmt/core.h>

#include <string>

#include "base/json.h"
#include "base/limits.h"
#include "base/table.h"

namespace minnow {
namespace {

using namespace limits;  // NOLINT: the table below is a list of them

constexpr ServeLimit kServeLimits[] = {
    // connections
    {"kMaxHeadBytes", kMaxHeadBytes, "bytes", "request line and headers; else 431"},
    {"kMaxHeaders", kMaxHeaders, "", "headers of a request; else 431"},
    {"kMaxBodyBytes", kMaxBodyBytes, "bytes", "body of a request; else 413; text of /detokenize"},
    {"kMaxBodiesBytes", kMaxBodiesBytes, "bytes", "bodies of all requests that are being received; else 503"},
    {"kMaxRequestIdBytes", kMaxRequestIdBytes, "bytes", "x-request-id as clients send it; else the server makes one"},
    {"kMaxConnections", kMaxConnections, "", "open connections; the longest idle one makes room"},
    {"kMaxRequestsInProgress", kMaxRequestsInProgress, "", "requests being answered or waiting (--max-queue); else 503"},
    {"kMaxWaitingQueries", kMaxWaitingQueries, "", "GET requests that wait for a thread; else 503"},
    {"kMaxStreamWriteBytes", kMaxStreamWriteBytes, "bytes", "of a stream that are written at a time"},
    {"kMaxUnreadAnswerBytes", kMaxUnreadAnswerBytes, "bytes", "of a stream that wait to be written; then the answer waits"},
    {"kSocketSendBytes", static_cast<uint64_t>(kSocketSendBytes), "bytes", "of a connection in the kernel, which may double it"},
    {"kSocketBulkBytes", static_cast<uint64_t>(kSocketBulkBytes), "bytes", "instead, for whole responses that are larger"},
    {"kMaxHeadSeconds", kMaxHeadSeconds, "seconds", "for the head of a request (--head-seconds); else 408"},
    {"kMaxBodySeconds", kMaxBodySeconds, "seconds", "from its first byte to the end of its body (--body-seconds); else 408"},
    {"kMaxWriteSeconds", kMaxWriteSeconds, "seconds", "until a client has taken 64 KB (--write-seconds); else it is cut"},
    {"kMaxAnswerSeconds", kMaxAnswerSeconds, "seconds", "of a model's answer, waiting included (--answer-seconds)"},
    {"kMaxIdleSeconds", kMaxIdleSeconds, "seconds", "between two requests of a connection (--idle-seconds)"},
    {"kMaxDrainSeconds", kMaxDrainSeconds, "seconds", "for open answers after SIGTERM (--drain-seconds)"},
    // keys, limits, settings, logs
    {"kMaxKeyFileBytes", kMaxKeyFileBytes, "bytes", "file of keys"},
    {"kMaxKeys", kMaxKeys, "", "keys, revoked ones included"},
    {"kMaxKeyTextBytes", kMaxKeyTextBytes, "bytes", "what a client sends as its key"},
    {"kMaxKeyNameBytes", kMaxKeyNameBytes, "bytes", "a key's name, id or tenant, each of its models"},
    {"kMaxKeyModels", kMaxKeyModels, "", "models that one key may be held to"},
    {"kMaxRatePerMinute", static_cast<uint64_t>(kMaxRatePerMinute), "", "requests or tokens a minute that a limit can say"},
    {"kMaxRateEntries", kMaxRateEntries, "", "addresses whose requests are counted at the same time"},
    {"kMaxForwardedBytes", kMaxForwardedBytes, "bytes", "of X-Forwarded-For that is read, from its end"},
    {"kMaxConfigBytes", kMaxConfigBytes, "bytes", "minnow.toml"},
    {"kMaxConfigItems", kMaxConfigItems, "", "items of one list in it"},
    {"kMaxLogQueue", kMaxLogQueue, "", "lines of the log that wait to be written; more are counted"},
    {"kMaxServerAnswerBytes", kMaxServerAnswerBytes, "bytes", "of a server's answer that minnow ps and stop read"},
    {"kMaxMetricModels", kMaxMetricModels, "", "names of models in metrics; more are \"other\""},
    // bodies of requests
    {"kMaxJsonDepth", kMaxJsonDepth, "", "nesting of JSON"},
    {"kMaxOrderedJsonKeys", kMaxOrderedJsonKeys, "", "keys of one object of a chat, a tool or a schema"},
    {"kMaxChatMessages", kMaxChatMessages, "", "messages of a chat, items of a response's input"},
    {"kMaxContentParts", kMaxContentParts, "", "parts of one message"},
    {"kMaxContextEdits", kMaxContextEdits, "", "edits of a request's context_management"},
    {"kMaxTools", kMaxTools, "", "tools of a request"},
    {"kMaxToolCalls", kMaxToolCalls, "", "tool calls of one message"},
    {"kMaxToolCallBytes", kMaxToolCallBytes, "bytes", "one tool call that a model generates"},
    {"kMaxChoices", static_cast<uint64_t>(kMaxChoices), "", "n; prompts times n of a completion"},
    {"kMaxPromptTokens", kMaxPromptTokens, "", "token ids that a request gives"},
    {"kMaxLogitBias", kMaxLogitBias, "", "entries of logit_bias"},
    {"kMaxAllowedTokens", kMaxAllowedTokens, "", "allowed_token_ids"},
    {"kMaxStopStrings", kMaxStopStrings, "", "stop strings"},
    {"kMaxStopBytes", kMaxStopBytes, "bytes", "each of them"},
    {"kMaxStopTokens", kMaxStopTokens, "", "stop_token_ids"},
    {"kMaxPromptLogprobs", static_cast<uint64_t>(kMaxPromptLogprobs), "", "log probabilities of prompts, alternatives included"},
    {"kMaxDryBreakers", kMaxDryBreakers, "", "dry_sequence_breakers"},
    {"kMaxDryBreakerBytes", kMaxDryBreakerBytes, "bytes", "each of them"},
    {"kMaxEmbeddingInputs", kMaxEmbeddingInputs, "", "texts of an embeddings request"},
    {"kMaxRerankDocuments", kMaxRerankDocuments, "", "documents of a rerank request"},
    {"kMaxStoredResponses", kMaxStoredResponses, "", "responses that are kept for later requests"},
    {"kMaxStoredBytes", kMaxStoredBytes, "bytes", "their texts together"},
    {"kMaxStoredResponseBytes", kMaxStoredResponseBytes, "bytes", "one of them"},
    {"kMaxMetadataPairs", kMaxMetadataPairs, "", "pairs of metadata"},
    {"kMaxMetadataKeyBytes", kMaxMetadataKeyBytes, "bytes", "a key of metadata"},
    {"kMaxMetadataValueBytes", kMaxMetadataValueBytes, "bytes", "a value of metadata"},
    {"kMaxSamplers", kMaxSamplers, "", "names in samplers"},
    {"kMaxResponseFields", kMaxResponseFields, "", "names in response_fields"},
    {"kMaxTokenizeBytes", kMaxTokenizeBytes, "bytes", "an answer of /tokenize"},
    {"kMaxModelSummaries", kMaxModelSummaries, "", "summaries of models that are kept for lists"},
    // what answers are held to, and templates
    {"kMaxGrammarBytes", kMaxGrammarBytes, "bytes", "a grammar, schema, expression, or all choices together"},
    {"kMaxGrammarNesting", kMaxGrammarNesting, "", "groups within groups; nested steps of a schema"},
    {"kMaxGrammarStates", kMaxGrammarStates, "", "states of a compiled grammar"},
    {"kMaxGrammarWork", kMaxGrammarWork, "", "steps of compiling one"},
    {"kMaxGrammarRepeats", kMaxGrammarRepeats, "", "{m,n}, minLength, maxItems and the like"},
    {"kMaxGrammarMaskBytes", kMaxGrammarMaskBytes, "bytes", "masks that one grammar keeps"},
    {"kMaxSchemaBranches", kMaxSchemaBranches, "", "branches of one place in a schema"},
    {"kMaxSchemaPlaces", kMaxSchemaPlaces, "", "places of a schema"},
    {"kMaxCachedConstraints", kMaxCachedConstraints, "", "compiled grammars that a model keeps"},
    {"kMaxTemplateBytes", kMaxTemplateBytes, "bytes", "a chat template"},
    {"kMaxTemplateSteps", kMaxTemplateSteps, "", "steps of rendering one"},
    {"kMaxTemplateOutput", kMaxTemplateOutput, "bytes", "what it renders"},
    {"kMaxTemplateMemory", kMaxTemplateMemory, "bytes", "values while it does"},
};

}  // namespace

std::span<const ServeLimit> serve_limits() { return kServeLimits; }

void print_serve_limits(bool json) {
  if (json) {
    Json out = Json::object();
    for (const ServeLimit& l : kServeLimits) out[std::string(l.name)] = {{"value", l.value}, {"unit", l.unit}, {"what", l.what}};
    fmt::print("{}\n", out.dump());
    return;
  }
  Table table({{"limit"}, {"value", Table::Align::kRight}, {"unit"}, {"of"}});
  for (const ServeLimit& l : kServeLimits) table.add_row({std::string(l.name), std::to_string(l.value), std::string(l.unit), std::string(l.what)});
  fmt::print("{}", table.text());
}

}  // namespace minnow
