// What a refused call says, for tests that look for several parts of it.
#pragma once

#include <string>

#include "base/error.h"

namespace minnow::test {

// The text of the Error that `action` throws; empty when it throws none.
template <typename F>
std::string refusal(F&& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace minnow::test
