// Any answer in any format, cut anywhere: the same events, and calls that end have valid arguments. The first byte picks
// the format, the second the options and the cutting; the rest is the answer.
#include <cstdlib>
#include <string_view>

#include "text/chat_output/test_parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto formats = minnow::output_formats();
  const minnow::OutputFormat& format = formats[data[0] % formats.size()];
  minnow::ChatOutputOptions options;
  if ((data[1] & 1) != 0) {
    options.tools = minnow::OrderedJson::parse(
        R"([{"function": {"name": "f", "parameters": {"properties": {"s": {"type": "string"}, "n": {"type": "integer"}}}}}])");
  }
  if ((data[1] & 2) != 0 && !format.reasoning.empty()) options.prompt = format.reasoning[0].open;
  if ((data[1] & 4) != 0 && !format.calls.empty()) options.prompt = format.calls[0].open;
  const std::string_view answer(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto whole = minnow::test::parse_whole(format, answer, options);
  if (minnow::test::parse_in_pieces(format, answer, options, 1) != whole) std::abort();
  if (minnow::test::parse_in_pieces(format, answer, options, 16, data[1]) != whole) std::abort();
  for (const auto& call : minnow::test::collect(whole).calls) {
    if (!minnow::Json::parse(call.arguments, nullptr, false).is_object()) std::abort();
    if (call.name.empty()) std::abort();
  }
  return 0;
}
