// For the tests of this room: a tokenizer of bytes with control tokens, and templates.
#pragma once

#include <memory>
#include <string>

#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace minnow::testing_chats {

// Ids 0 to 255 are bytes; then <s> (BOS, put before every text), </s> (EOS), <|user|>, <|bot|>, <|end|> (ends an answer).
inline constexpr TokenId kBos = 256, kEos = 257, kUser = 258, kBot = 259, kEnd = 260;

inline constexpr const char* kTemplate =
    "{{ bos_token }}{% if tools %}{{ tools | length }} tools {% endif %}{% for m in messages %}"
    "{{ '<|bot|>' if m.role == 'assistant' else '<|user|>' }}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}!{{ c.function.name }}{% endfor %}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|bot|>{% endif %}";

inline TokenizerSpec byte_spec(const std::string& chat_template = "") {
  TokenizerSpec spec = testing_specs::byte_bpe({});
  spec.bos = testing_specs::add(spec, "<s>", TokenType::kControl);
  spec.eos = testing_specs::add(spec, "</s>", TokenType::kControl);
  for (const char* text : {"<|user|>", "<|bot|>", "<|end|>"}) testing_specs::add(spec, text, TokenType::kControl);
  spec.eot = kEnd;
  spec.add_bos = true;
  spec.chat_template = chat_template;
  return spec;
}

inline std::shared_ptr<const Tokenizer> byte_tokenizer(const std::string& chat_template = "") {
  return Tokenizer::build(byte_spec(chat_template));
}

}  // namespace minnow::testing_chats
