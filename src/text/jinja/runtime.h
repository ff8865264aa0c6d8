// What one rendering may use and where it is: memory, steps, depth, the line for errors, the clock.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "text/jinja/arena.h"
#include "text/jinja/value.h"

namespace minnow::jinja {

// Throws Error(code, "chat template: line N: message"). The message is cut and made one line: a template or a
// chat may have put anything into it.
[[noreturn]] void fail_at(int line, ErrorCode code, std::string_view message);

class Runtime {
 public:
  explicit Runtime(std::time_t now) : now_(now) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  Arena arena{limits::kMaxTemplateMemory};
  int line = 0;   // of the template, being evaluated
  int depth = 0;  // of C++ calls that recurse; see Deeper

  std::time_t now() const { return now_; }

  // Everything that costs time is paid in steps: a node evaluated is one, and so are 16 elements or 256 bytes
  // looked at. Throws kLimit past limits::kMaxTemplateSteps.
  void step(uint64_t n = 1) {
    steps_ += n;
    if (steps_ > limits::kMaxTemplateSteps) fail_steps();
  }
  void scan_bytes(uint64_t bytes) { scan(bytes); }
  void scan_elements(uint64_t n) { scan(n > limits::kMaxTemplateSteps << 8 ? n : n * 16); }

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_at(line, ErrorCode::kInvalidInput, fmt::format(format, std::forward<Args>(args)...));
  }
  // For using a value that is not there.
  [[noreturn]] void fail_undefined(const Value& value) const;

  // A copy of the text in the arena.
  Value text(std::string_view text);
  // a + b. Appending again and again to the same text takes linear time and memory: the copy has room to
  // grow, and the older, shorter value keeps seeing its part of it.
  Value concatenate(std::string_view a, std::string_view b);
  Value list_of(std::span<const Value> items, ListKind kind = ListKind::kList);
  List* new_list(ListKind kind = ListKind::kList) { return arena.make<List>(kind); }

 private:
  struct Growing {
    char* begin = nullptr;
    uint64_t used = 0;
    uint64_t capacity = 0;
  };

  void scan(uint64_t bytes) {
    if (bytes > limits::kMaxTemplateSteps << 8) fail_steps();
    scanned_ += bytes;
    step(scanned_ >> 8);
    scanned_ &= 255;
  }
  [[noreturn]] void fail_steps() const;

  std::time_t now_;
  uint64_t steps_ = 0;
  uint64_t scanned_ = 0;
  std::array<Growing, 4> growing_;
  std::size_t next_growing_ = 0;
};

// Held by every function that may call itself through the structure of a template or of a value.
class Deeper {
 public:
  explicit Deeper(Runtime& runtime) : runtime_(runtime) {
    if (++runtime_.depth > limits::kMaxTemplateRecursion) fail();
  }
  ~Deeper() { --runtime_.depth; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  [[noreturn]] void fail();
  Runtime& runtime_;
};

// A text that grows in the arena.
class TextBuilder {
 public:
  explicit TextBuilder(Runtime& runtime) : runtime_(runtime) {}
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;

  Runtime& runtime() const { return runtime_; }
  void append(std::string_view text);
  void append(char c) { append(std::string_view(&c, 1)); }
  void append(uint64_t n, char c);
  void append_char(char32_t code_point);
  uint64_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }
  // The text as a value; the builder must not be used afterwards.
  Value finish(bool safe = false);

 private:
  void need(uint64_t more);
  Runtime& runtime_;
  char* data_ = nullptr;
  uint64_t size_ = 0;
  uint64_t capacity_ = 0;
};

}  // namespace minnow::jinja
