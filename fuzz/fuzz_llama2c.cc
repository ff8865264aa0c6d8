// Any bytes as a llama2c file: read or refused, and then every tensor lies where the bytes are.
#include "base/error.h"
#include "formats/llama2c.h"
#include "touch_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto bytes = std::as_bytes(std::span(data, size));
    touch_tensors(minnow::Llama2cFile::parse(bytes, "input"));
  } catch (const minnow::Error&) {
  }
  return 0;
}
