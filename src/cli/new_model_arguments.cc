#include "cli/new_model_arguments.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"

namespace minnow {
namespace {

// A tokenizer.json alone does not say which token ends a text.
void choose_eos(TokenizerSpec& spec, const std::string& wanted) {
  if (wanted.empty() && spec.eos != kNoToken) return;
  const std::string text = wanted.empty() ? "<|endoftext|>" : wanted;
  const auto at = std::find_if(spec.tokens.begin(), spec.tokens.end(), [&](const auto& t) { return t.text == text; });
  if (at == spec.tokens.end()) fail(ErrorCode::kUsage, "the tokenizer has no token {}; name the one that ends a text with --eos", text);
  spec.eos = static_cast<TokenId>(at - spec.tokens.begin());
}

}  // namespace

void NewModelArguments::declare(CLI::App& c) {
  c.add_option("--eos", eos, "the token that ends a text (default: the tokenizer's, or <|endoftext|>)");
  c.add_option("--layers", shape.n_layers, "of a new model")->check(CLI::Range(1, 1000))->capture_default_str();
  c.add_option("--dim", shape.n_embd, "width of a new model")->check(CLI::Range(2, 1 << 16))->capture_default_str();
  c.add_option("--heads", shape.n_heads, "of a new model's attention")->check(CLI::Range(1, 1024))->capture_default_str();
  c.add_option("--kv-heads", shape.n_kv_heads, "heads of keys and values (default: as many as heads)")->check(CLI::Range(1, 1024));
  c.add_option("--ff", shape.n_ff, "width of the feed-forward part (default: 8/3 of the width)")->check(CLI::Range(1, 1 << 20));
  c.add_flag("--untied", untied, "an output projection of its own beside the embedding");
  c.add_flag("--copying-heads", shape.copying_heads,
             "some heads begin by saying again what followed before, which small models need long to learn; makes a qwen2 instead of a llama, untied");
}

Model NewModelArguments::make(TokenizerSpec spec, const CourseArguments& course) const {
  NewModelShape made = shape;
  made.tied = !untied && !made.copying_heads;
  if (made.copying_heads) made.family = &kQwen2;
  made.n_ctx = course.options.sequence_length;
  made.name = std::filesystem::path(course.output).stem().string();
  choose_eos(spec, eos);
  return new_model(made, std::move(spec), course.options.seed);
}

}  // namespace minnow
