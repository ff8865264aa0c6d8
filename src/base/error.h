// The one exception type of minnow.
//
// Thrown where a problem is known and caught at three borders only: a command of the CLI, an HTTP request,
// the C ABI. Hot paths and destructors never throw.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>

namespace minnow {

enum class ErrorCode {
  kInvalidInput,  // a file, template, request or argument that breaks its format
  kNotFound,      // something named does not exist
  kUnsupported,   // well-formed, but not a thing that minnow does
  kLimit,         // would exceed a bound (limits.h, memory, context)
  kIo,            // the operating system refused
  kUsage,         // wrong command-line arguments
  kCancelled,
  kInternal,  // a bug in minnow
};

class Error : public std::exception {
 public:
  // `what` says what happened and where (file, offset, field); `hint` says what to do about it and may be
  // empty.
  Error(ErrorCode code, std::string what, std::string hint = {})
      : code_(code), text_(std::move(what)), hint_(std::move(hint)) {
    if (!hint_.empty()) text_ += "; " + hint_;
  }

  // One line: what happened, then the hint.
  const char* what() const noexcept override { return text_.c_str(); }
  ErrorCode code() const noexcept { return code_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  ErrorCode code_;
  std::string text_;
  std::string hint_;
};

// Throws Error(code, formatted text).
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace minnow
