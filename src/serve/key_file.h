// The file of keys as text: JSON that holds digests, never secrets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/key_store.h"

namespace minnow {

// Throws kInvalidInput naming the source, the key and the field: also for fields and scopes that are not known, since a
// limit that is misspelt must not be lost.
std::vector<ApiKey> parse_key_file(std::string_view text, const std::string& source);
std::string key_file_text(const std::vector<ApiKey>& keys);

// One key without its digest, as it is written in the file and in lists.
Json describe_key(const ApiKey& key);

}  // namespace minnow
