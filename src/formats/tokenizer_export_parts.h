// The components of a tokenizer.json beside its model, written from a TokenizerSpec: the way back of
// tokenizer_json_parts.h. null where nothing is to be done.
#pragma once

#include "base/json.h"
#include "formats/tokenizer_spec.h"

namespace minnow::tokenizer_json {

OrderedJson normalizer_json(const TokenizerSpec& spec);
// Throws kUnsupported when the name of the pre-tokenizer is not known.
OrderedJson pre_tokenizer_json(const TokenizerSpec& spec);
OrderedJson post_processor_json(const TokenizerSpec& spec);
OrderedJson decoder_json(const TokenizerSpec& spec);

}  // namespace minnow::tokenizer_json
