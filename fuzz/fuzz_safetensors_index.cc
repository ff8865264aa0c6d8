// Any text as a model.safetensors.index.json: what is read holds plain file names only.
#include <cstdlib>

#include "base/error.h"
#include "formats/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& entry : minnow::safetensors::parse_index(text, "input")) {
      if (entry.file.find('/') != std::string::npos || entry.file == "..") std::abort();
    }
  } catch (const minnow::Error&) {
  }
  return 0;
}
