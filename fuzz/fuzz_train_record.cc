// A line of a data set: a record or an Error. The record is rendered by a small template, and what comes of it keeps its promises.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"
#include "train/describe_sample.h"
#include "train/sample.h"
#include "train/test_chats.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minnow;
  static const auto kPlain = testing_chats::byte_tokenizer(), kChat = testing_chats::byte_tokenizer(testing_chats::kTemplate);
  static const SampleRenderer kRenderers[] = {SampleRenderer(kPlain, {}), SampleRenderer(kChat, {.max_length = 64}),
                                              SampleRenderer(kChat, {.mask_prompt = false, .turns = TrainedTurns::kLast}),
                                              SampleRenderer(kChat, {.turns = TrainedTurns::kEach})};
  Record record;
  try {
    record = parse_record({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const Error&) {
    return 0;
  }
  for (const SampleRenderer& renderer : kRenderers) {
    try {
      for (const Sample& sample : renderer.render(record)) {
        require(sample.cut || sample.n_loss() > 0);
        require(sample.loss.size() == sample.tokens.size() && sample.loss[0] == 0);
        require(std::ranges::count(sample.tokens, testing_chats::kBos) == 1);
        require(is_valid_utf8(describe_sample(sample, renderer.tokenizer())));
      }
    } catch (const Error&) {
    }
  }
  return 0;
}
