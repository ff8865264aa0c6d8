// For the tests of this room: hand-made files, a folder for them, and what a refusal must look like.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace minnow::testing {

// Little-endian bytes, written one value after the other.
class Bytes {
 public:
  template <typename T>
  Bytes& put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  Bytes& u8(uint8_t v) { return put(v); }
  Bytes& u16(uint16_t v) { return put(v); }
  Bytes& u32(uint32_t v) { return put(v); }
  Bytes& u64(uint64_t v) { return put(v); }
  Bytes& f32(float v) { return put(v); }
  // Length as u64, then the text, as GGUF has it.
  Bytes& text(std::string_view s) { return u64(s.size()).raw(s); }
  Bytes& raw(std::string_view s) {
    text_ += s;
    return *this;
  }
  Bytes& zeros(std::size_t n) {
    text_.append(n, '\0');
    return *this;
  }
  Bytes& pad_to(std::size_t alignment) { return zeros((alignment - text_.size() % alignment) % alignment); }

  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

inline std::span<const std::byte> as_span(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// An empty folder, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "minnow-formats-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(std::string_view name, std::string_view text) const {
    const auto path = path_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

 private:
  std::filesystem::path path_;
};

// Data that come with a development machine only.
inline std::filesystem::path shared_data() { return std::filesystem::path(MINNOW_SOURCE_DIR) / "../shared"; }

// Runs f, which must throw an Error of this code whose one line has this part in it.
template <typename F>
void expect_refused(F&& f, ErrorCode code, std::string_view part) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_THAT(e.what(), ::testing::HasSubstr(part));
    EXPECT_EQ(std::string_view(e.what()).find('\n'), std::string_view::npos);
    return;
  }
  ADD_FAILURE() << "not refused; expected an error with \"" << part << '"';
}

}  // namespace minnow::testing
