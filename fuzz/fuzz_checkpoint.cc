// A checkpoint of a training run: it is read whole, or refused with an Error and nothing is changed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/error.h"
#include "train/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minnow;
  float values[2] = {1, 2};
  Checkpoint c{.settings = Json::object(), .state = {std::as_writable_bytes(std::span(values))}};
  try {
    read_checkpoint(std::as_bytes(std::span(data, size)), "fuzz", c);
  } catch (const Error&) {
    if (c.step != 0 || c.tokens != 0 || values[0] != 1 || values[1] != 2) std::abort();
  }
  return 0;
}
