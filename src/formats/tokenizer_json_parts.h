// The components of a tokenizer.json beside its model: normalizers, pre-tokenizers, post-processors and decoders, read
// into a TokenizerSpec. What minnow does not run is refused by name.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "formats/tokenizer_spec.h"

namespace minnow::tokenizer_json {

[[noreturn]] void fail_unsupported(const TokenizerSpec& spec, std::string_view what, std::string_view name);

// A member of an object, whatever its type; a shared null when there is none.
const Json& member(const Json& object, const char* key);
// The list itself; an empty one when it is no array.
const Json& elements(const Json& list);
std::string type_of(const Json& component, const TokenizerSpec& spec);
// Whether a component, or one in its sequence, has this type.
bool mentions(const Json& component, std::string_view type, const TokenizerSpec& spec);
// A normalizer, or one in its sequence, that writes U+2581 for spaces.
bool replaces_spaces(const Json& normalizer, const TokenizerSpec& spec);

// All look at spec.kind. Flags of SentencePiece's kinds are set where a component stands for one, else steps are added.
void read_normalizer(const Json& normalizer, TokenizerSpec& spec);
void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerSpec& spec);
void read_decoder(const Json& decoder, TokenizerSpec& spec);
// Needs the tokens: a template like "<s> $A" says that texts begin with BOS.
void read_post_processor(const Json& post_processor, TokenizerSpec& spec);

}  // namespace minnow::tokenizer_json
