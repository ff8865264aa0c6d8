// Any bytes as the bodies of llama-server's routes: refused, or within their bounds. Completions are prepared and not made.
#include "ask_handlers.h"
#include "serve/llama_prompts.h"
#include "serve/llama_sampling.h"
#include "serve/test_handlers.h"
#include "text/tokenizer_test_specs.h"

namespace {

using namespace minnow;
using fuzzing::require;

// One token for each byte, "ab", and "<|x|>", a control token that begins texts.
const Tokenizer& tokenizer() {
  static const auto kTokenizer = [] {
    TokenizerSpec spec = testing_specs::byte_bpe({{"a", "b"}});
    spec.bos = testing_specs::add(spec, "<|x|>", TokenType::kControl);
    spec.add_bos = true;
    return Tokenizer::build(std::move(spec));
  }();
  return *kTokenizer;
}

void check_sampling(const RequestFields& body) {
  static const GgufMetadata kMetadata("fuzz");
  const SamplingFields fields = read_llama_sampling(body, tokenizer(), kMetadata);
  fuzzing::check_sampling(fields.sampling);
  fuzzing::check_stop(fields.stop);
  require(fields.max_tokens >= -1 && fields.stop_tokens.size() <= limits::kMaxStopTokens);
  fuzzing::check_json(llama_settings_json(fields));
}

void check_tokens(const std::vector<TokenId>& tokens) {
  require(std::ranges::all_of(tokens, [](TokenId id) { return tokenizer().is_valid(id); }));
}

void check_prompts(const RequestFields& body) {
  const std::vector<LlamaPrompt> prompts = read_llama_prompts(body, "prompt", tokenizer());
  require(!prompts.empty() && static_cast<int64_t>(prompts.size()) <= limits::kMaxChoices);
  for (const LlamaPrompt& prompt : prompts) {
    require(!prompt.tokens.empty());
    check_tokens(prompt.tokens);
  }
}

void check_content(const RequestFields& body) {
  check_tokens(read_mixed_tokens(body.required("content"), "content", tokenizer(), {.add_special = true, .parse_special = true}));
}

std::shared_ptr<LoadedModel> tiny_model(const ModelEntry& entry) {
  return std::make_shared<test::ScriptedModel>(entry, test::model_that_says({"a"}, test::kChatTemplate, {}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzzing::Handlers handlers(tiny_model, false);
  if (!fuzzing::read_body(Dialect::kLlamaServer, data, size, check_sampling, check_prompts, check_content, read_infill_files)) return 0;
  handlers.post({"/completion", "/infill", "/tokenize", "/detokenize", "/apply-template"}, data, size);
  return 0;
}
