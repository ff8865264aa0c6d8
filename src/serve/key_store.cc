#include "serve/key_store.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/suggest.h"
#include "serve/key_file.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

constexpr std::string_view kPrefix = "mk-";
// No letters or digits that are taken for one another.
constexpr std::string_view kIdLetters = "23456789abcdefghjkmnpqrstuvwxyz";
constexpr std::size_t kIdLength = 12;
constexpr std::size_t kSecretBytes = 32;

void start_sodium() {
  // Safe to call again, from any thread.
  if (sodium_init() < 0) fail(ErrorCode::kInternal, "libsodium cannot start");
}

KeyDigest digest_of(std::string_view text) {
  KeyDigest digest;
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  return digest;
}

// Empty when the text cannot be a key.
std::string_view id_in(std::string_view text) {
  if (text.size() > limits::kMaxKeyTextBytes || !text.starts_with(kPrefix)) return {};
  const std::string_view rest = text.substr(kPrefix.size());
  const std::size_t end = rest.find('-');
  return end == std::string_view::npos ? std::string_view{} : rest.substr(0, end);
}

std::string random_id() {
  std::string id;
  for (std::size_t i = 0; i < kIdLength; ++i) id += kIdLetters[randombytes_uniform(kIdLetters.size())];
  return id;
}

std::string random_secret() {
  std::array<unsigned char, kSecretBytes> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  std::string text(sodium_base64_ENCODED_LEN(kSecretBytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  sodium_memzero(bytes.data(), bytes.size());
  text.resize(std::strlen(text.c_str()));
  return text;
}

// Held by one process at a time: of two that add a key at once, none gets lost.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file) : fd_(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (fd_ < 0) fail(ErrorCode::kIo, "{}: cannot be opened: {}", file.string(), std::strerror(errno));
    while (::flock(fd_, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      ::close(fd_);
      fail(ErrorCode::kIo, "{}: cannot be locked: {}", file.string(), std::strerror(error));
    }
  }
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

// A stranger who can write to the file can give himself a key.
void check_mode(const std::filesystem::path& file) {
  struct stat s {};
  if (::stat(file.c_str(), &s) != 0) return;  // reading says why
  if ((s.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw Error(ErrorCode::kIo, file.string() + ": others may write to this file of keys",
                "take that away with: chmod 600 " + file.string());
  }
}

void make_folder(const std::filesystem::path& folder) {
  if (folder.empty() || std::filesystem::exists(folder)) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) fail(ErrorCode::kIo, "{}: cannot be made: {}", folder.string(), error.message());
}

const char* set_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

bool ApiKey::allows(Scope scope) const {
  switch (scope) {
    case Scope::kOpen: return true;
    case Scope::kInfer: return infer || admin;
    case Scope::kManage: return manage || admin;
    case Scope::kAdmin: return admin;
  }
  return false;
}

std::vector<std::string> ApiKey::scopes() const {
  std::vector<std::string> names;
  if (infer) names.push_back("infer");
  if (manage) names.push_back("manage");
  if (admin) names.push_back("admin");
  return names;
}

KeyTable::KeyTable(std::vector<ApiKey> keys) : keys_(std::move(keys)) {
  start_sodium();
  for (std::size_t i = 0; i < keys_.size(); ++i) by_id_.emplace(keys_[i].id, i);
}

KeyTable::Found KeyTable::check(std::string_view text, int64_t now_unix) const {
  // The id is public, so that looking it up may take any time. Digests of guesses are random to whoever guesses; they are
  // compared in constant time all the same, and for an unknown id too.
  const std::string_view id = id_in(text);
  if (id.empty()) return {};
  const auto at = by_id_.find(std::string(id));
  const ApiKey* key = at == by_id_.end() ? nullptr : &keys_[at->second];
  static constexpr KeyDigest kNone{};
  const KeyDigest digest = digest_of(text);
  const bool same = sodium_memcmp(digest.data(), key != nullptr ? key->digest.data() : kNone.data(), digest.size()) == 0;
  if (key == nullptr) return {};
  if (key->revoked_unix != 0) return {KeyVerdict::kRevoked};  // its digest is gone
  if (!same) return {};
  if (key->expires_unix != 0 && now_unix >= key->expires_unix) return {KeyVerdict::kExpired};
  return {KeyVerdict::kRight, key};
}

std::filesystem::path config_folder() {
  if (const char* folder = set_variable("MINNOW_CONFIG_DIR")) return folder;
  if (const char* folder = set_variable("XDG_CONFIG_HOME")) return std::filesystem::path(folder) / "minnow";
  if (const char* home = set_variable("HOME")) return std::filesystem::path(home) / ".config" / "minnow";
  throw Error(ErrorCode::kNotFound, "there is no folder for settings: HOME is not set", "set MINNOW_CONFIG_DIR");
}

std::filesystem::path default_keys_file() { return config_folder() / "keys.json"; }

NewKey make_key(ApiKey description) {
  start_sodium();
  NewKey made{std::move(description), {}};
  made.key.id = random_id();
  made.text = std::string(kPrefix) + made.key.id + "-" + random_secret();
  made.key.digest = digest_of(made.text);
  made.key.created_unix = unix_now();
  made.key.revoked_unix = 0;
  return made;
}

std::vector<ApiKey> read_keys(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) return {};
  check_mode(file);
  return parse_key_file(read_text_file(file, limits::kMaxKeyFileBytes), file.string());
}

void update_keys(const std::filesystem::path& file, const std::function<void(std::vector<ApiKey>&)>& change) {
  make_folder(file.parent_path());
  const FileLock lock(file.string() + ".lock");
  std::vector<ApiKey> keys = read_keys(file);
  change(keys);
  if (keys.size() > limits::kMaxKeys) fail(ErrorCode::kLimit, "{}: more than {} keys", file.string(), limits::kMaxKeys);
  const std::string text = key_file_text(keys);
  parse_key_file(text, file.string());
  AtomicFile out(file, 0600);
  out.write(text);
  out.commit();
}

ApiKey& find_key(std::vector<ApiKey>& keys, std::string_view id_or_name) {
  std::vector<ApiKey*> named;
  std::vector<std::string_view> candidates;
  for (ApiKey& key : keys) {
    if (key.revoked_unix != 0) continue;
    if (key.id == id_or_name) return key;
    if (!key.name.empty() && key.name == id_or_name) named.push_back(&key);
    candidates.push_back(key.id);
    if (!key.name.empty()) candidates.push_back(key.name);
  }
  if (named.size() > 1) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{} keys are named '{}'", named.size(), id_or_name),
                "give the id; see 'minnow key list'");
  }
  if (named.empty()) {
    const std::string_view near = closest_word(id_or_name, candidates);
    throw Error(ErrorCode::kNotFound, fmt::format("there is no key '{}'", id_or_name),
                near.empty() ? "see 'minnow key list'" : fmt::format("did you mean '{}'?", near));
  }
  return *named.front();
}

}  // namespace minnow
