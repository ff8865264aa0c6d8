#include "serve/key_file.h"

#include <sodium.h>

#include <algorithm>
#include <set>
#include <span>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/suggest.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

constexpr int64_t kVersion = 1;
constexpr std::string_view kFields[] = {
    "id",      "name",    "tenant",  "scopes", "models", "requests_per_minute", "tokens_per_minute",
    "created", "expires", "revoked", "digest"};

[[noreturn]] void refuse(const std::string& where, const std::string& what, const std::string& hint = {}) {
  throw Error(ErrorCode::kInvalidInput, where + ": " + what, hint);
}

void check_known(const Json& object, std::span<const std::string_view> known, const std::string& where) {
  for (const auto& [field, value] : object.items()) {
    if (std::ranges::find(known, field) != known.end()) continue;
    const std::string_view near = closest_word(field, known);
    refuse(where, "unknown field '" + field + "'", near.empty() ? "" : "did you mean '" + std::string(near) + "'?");
  }
}

std::string text_of(const JsonFields& fields, const char* key, std::size_t max_bytes) {
  std::string text = fields.text(key, "");
  if (text.size() > max_bytes) refuse(fields.source, std::string(key) + " is longer than " + std::to_string(max_bytes) + " bytes");
  return text;
}

int64_t time_of(const JsonFields& fields, const char* key) {
  if (!fields.has(key)) return 0;
  const std::string text = fields.text(key, "");
  const auto time = parse_utc(text);
  if (!time) refuse(fields.source, std::string(key) + ": '" + text + "' is not a time such as 2026-08-31T09:05:07Z");
  return *time;
}

std::vector<std::string> texts_of(const JsonFields& fields, const char* key) {
  std::vector<std::string> texts;
  if (!fields.has(key)) return texts;
  const Json& list = fields.object.at(key);
  if (!list.is_array()) refuse(fields.source, std::string(key) + " must be a list of texts");
  if (list.size() > limits::kMaxKeyModels)
    refuse(fields.source, std::string(key) + " has more than " + std::to_string(limits::kMaxKeyModels) + " items");
  for (const Json& item : list) {
    if (!item.is_string()) refuse(fields.source, std::string(key) + " must be a list of texts");
    texts.push_back(item.get<std::string>());
    if (texts.back().empty() || texts.back().size() > limits::kMaxKeyNameBytes)
      refuse(fields.source, std::string(key) + ": an item is empty or too long");
  }
  return texts;
}

void read_scopes(const JsonFields& fields, ApiKey& key) {
  for (const std::string& scope : texts_of(fields, "scopes")) {
    if (scope == "infer") {
      key.infer = true;
    } else if (scope == "manage") {
      key.manage = true;
    } else if (scope == "admin") {
      key.admin = true;
    } else {
      refuse(fields.source, "unknown scope '" + scope + "'", "there are infer, manage and admin");
    }
  }
}

KeyDigest digest_of(const JsonFields& fields) {
  KeyDigest digest;
  const std::string hex = fields.text("digest", "");
  std::size_t size = 0;
  const bool read = sodium_hex2bin(digest.data(), digest.size(), hex.data(), hex.size(), nullptr, &size, nullptr) == 0;
  if (!read || size != digest.size() || hex.size() != 2 * digest.size())
    refuse(fields.source, "digest must have 64 hexadecimal digits");
  return digest;
}

// A '-' would end an id within the text of a key.
bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::kMaxKeyNameBytes &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

ApiKey read_key(const Json& object, const std::string& where) {
  if (!object.is_object()) refuse(where, "must be an object");
  check_known(object, kFields, where);
  const JsonFields fields{object, where};
  ApiKey key;
  key.id = text_of(fields, "id", limits::kMaxKeyNameBytes);
  if (!is_id(key.id)) refuse(where, "id must have lower-case letters and digits only");
  key.name = text_of(fields, "name", limits::kMaxKeyNameBytes);
  key.tenant = text_of(fields, "tenant", limits::kMaxKeyNameBytes);
  read_scopes(fields, key);
  key.models = texts_of(fields, "models");
  key.requests_per_minute = fields.integer("requests_per_minute", 0, 0, limits::kMaxRatePerMinute);
  key.tokens_per_minute = fields.integer("tokens_per_minute", 0, 0, limits::kMaxRatePerMinute);
  key.created_unix = time_of(fields, "created");
  key.expires_unix = time_of(fields, "expires");
  key.revoked_unix = time_of(fields, "revoked");
  if (key.revoked_unix == 0) key.digest = digest_of(fields);
  return key;
}

}  // namespace

std::vector<ApiKey> parse_key_file(std::string_view text, const std::string& source) {
  const Json file = parse_json(text, source);
  static constexpr std::string_view kTop[] = {"version", "keys"};
  if (!file.is_object()) refuse(source, "must hold an object");
  check_known(file, kTop, source);
  const int64_t version = JsonFields{file, source}.integer("version", 0, 0, INT32_MAX);
  if (version != kVersion)
    refuse(source, "version is " + std::to_string(version) + ", where this minnow reads " + std::to_string(kVersion));
  if (!file.contains("keys") || !file.at("keys").is_array()) refuse(source, "keys must be a list");
  const Json& list = file.at("keys");
  if (list.size() > limits::kMaxKeys) fail(ErrorCode::kLimit, "{}: more than {} keys", source, limits::kMaxKeys);
  std::vector<ApiKey> keys;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = source + ": keys[" + std::to_string(i) + "]";
    keys.push_back(read_key(list[i], where));
    if (!ids.insert(keys.back().id).second) refuse(where, "id '" + keys.back().id + "' is there twice");
  }
  return keys;
}

Json describe_key(const ApiKey& key) {
  Json object = {{"id", key.id}, {"scopes", key.scopes()}, {"created", utc_text(key.created_unix)}};
  if (!key.name.empty()) object["name"] = key.name;
  if (!key.tenant.empty()) object["tenant"] = key.tenant;
  if (!key.models.empty()) object["models"] = key.models;
  if (key.requests_per_minute > 0) object["requests_per_minute"] = key.requests_per_minute;
  if (key.tokens_per_minute > 0) object["tokens_per_minute"] = key.tokens_per_minute;
  if (key.expires_unix != 0) object["expires"] = utc_text(key.expires_unix);
  if (key.revoked_unix != 0) object["revoked"] = utc_text(key.revoked_unix);
  return object;
}

std::string key_file_text(const std::vector<ApiKey>& keys) {
  Json list = Json::array();
  for (const ApiKey& key : keys) {
    Json object = describe_key(key);
    if (key.revoked_unix == 0) {
      char hex[2 * sizeof(KeyDigest) + 1];
      object["digest"] = sodium_bin2hex(hex, sizeof(hex), key.digest.data(), key.digest.size());
    }
    list.push_back(std::move(object));
  }
  return Json{{"version", kVersion}, {"keys", std::move(list)}}.dump(1, ' ') + "\n";
}

}  // namespace minnow
