#include <fmt/core.h>

#include "base/error.h"
#include "base/progress.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/options.h"
#include "models/family.h"
#include "models/save.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

DType parse_type(const std::string& text, const char* allowed) {
  const auto dtype = dtype_from_name(text);
  if (!dtype || !info(*dtype).is_weight) fail(ErrorCode::kUsage, "{}: unknown type; choose {}", text, allowed);
  return *dtype;
}

struct ConvertArguments {
  std::string source, destination, tokenizer, type;
  double max_shard_gb = 5;
};

void convert(const ConvertArguments& a) {
  const Model model = load_model(a.source, {.tokenizer = a.tokenizer});
  check_not_same(a.source, a.destination);
  const fs::path destination = a.destination;
  const std::optional<DType> type = a.type.empty() ? std::nullopt : std::optional(parse_type(a.type, "F32, F16 or BF16"));
  if (type && is_quantized(*type)) fail(ErrorCode::kUsage, "--type {}: use 'minnow quantize' for this", a.type);
  Progress progress("converting", model.file_bytes, ProgressUnit::kBytes);
  const auto advance = [&](uint64_t done) { progress.advance(done - std::min(done, progress.done())); };
  if (destination.extension() == ".gguf") {
    const auto choose = [&](const NamedTensor& t) {
      const bool matrix = t.tensor.shape.rank() >= 2 && info(t.tensor.dtype).is_weight;
      return matrix && type ? *type : t.tensor.dtype;
    };
    save_gguf(model, destination, choose, advance);
  } else {
    if (fs::exists(destination) && !fs::is_directory(destination)) {
      fail(ErrorCode::kUsage, "{}: give a name that ends in .gguf, or a folder for safetensors", a.destination);
    }
    if (!(a.max_shard_gb > 0 && a.max_shard_gb < 1e6)) fail(ErrorCode::kUsage, "--max-shard-gb must be above 0");
    SaveHfOptions options{.max_shard_bytes = static_cast<uint64_t>(a.max_shard_gb * 1e9)};
    if (type) options.decoded_dtype = *type;
    save_hf(model, destination, options, advance);
  }
  fmt::print("{}: {}, {} parameters\n", a.destination, model.config.family->gguf_name,
             format_count(static_cast<uint64_t>(model.n_parameters())));
}

}  // namespace

void add_convert(CLI::App& app) {
  auto a = std::make_shared<ConvertArguments>();
  CLI::App* c = app.add_subcommand("convert", "write a model in another file format");
  c->add_option("SRC", a->source, "a .gguf file, a folder with safetensors, or a llama2.c .bin file")->required();
  c->add_option("DST", a->destination, "NAME.gguf, or a folder for safetensors with its config and tokenizer")->required();
  c->add_option("--type", a->type, "F32, F16 or BF16 for the matrices (default: as they are; quantized ones to F16 in safetensors)");
  c->add_option("--tokenizer", a->tokenizer, "tokenizer file or folder, when it does not come with the model");
  c->add_option("--max-shard-gb", a->max_shard_gb, "largest safetensors file")->capture_default_str();
  c->footer("Examples:\n  minnow convert ./Llama-3.2-1B model.gguf\n  minnow convert model.gguf ./model-hf\n  minnow convert stories15M.bin stories.gguf");
  c->callback([a] { convert(*a); });
}

}  // namespace minnow
