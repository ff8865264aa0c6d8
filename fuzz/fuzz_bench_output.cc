// What other benchmarks print, and kept results: any bytes give numbers above 0, records, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "eval/bench_record.h"
#include "eval/peer_output.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minnow;
  const std::string text(reinterpret_cast<const char*>(data), size);
  BenchTest prompt, deep, several;
  prompt.n_prompt = 512;
  deep.n_generate = several.n_generate = 128;
  deep.depth = 4096;
  several.n_sequences = 8;
  for (const BenchTest& test : {prompt, deep, several}) {
    try {
      if (!(tokens_per_second_in(text, test) > 0)) std::abort();
    } catch (const Error&) {
    }
  }
  try {
    to_json(record_from_json(parse_json(text, "fuzz"), "fuzz"));
  } catch (const Error&) {
  }
  return 0;
}
