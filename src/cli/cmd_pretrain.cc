#include <algorithm>
#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/course.h"
#include "cli/options.h"
#include "models/find_tokenizer.h"
#include "train/new_model.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

struct PretrainArguments {
  CourseArguments course;
  std::string tokenizer, eos, from, type = "bf16";
  NewModelShape shape;
  bool untied = false;
};

void check(PretrainArguments& a) {
  a.course.check();
  if (!a.from.empty()) check_not_same(a.from, a.course.output);
  if (a.from.empty() && a.tokenizer.empty()) fail(ErrorCode::kUsage, "a new model needs --tokenizer; 'minnow tokenizer train' makes one");
}

// A tokenizer.json alone does not say which token ends a text.
void choose_eos(TokenizerSpec& spec, const std::string& wanted) {
  if (wanted.empty() && spec.eos != kNoToken) return;
  const std::string text = wanted.empty() ? "<|endoftext|>" : wanted;
  const auto at = std::find_if(spec.tokens.begin(), spec.tokens.end(), [&](const auto& t) { return t.text == text; });
  if (at == spec.tokens.end()) fail(ErrorCode::kUsage, "the tokenizer has no token {}; name the one that ends a text with --eos", text);
  spec.eos = static_cast<TokenId>(at - spec.tokens.begin());
}

Model model_of(const PretrainArguments& a) {
  if (a.from.empty()) {
    NewModelShape shape = a.shape;
    shape.tied = !a.untied;
    shape.n_ctx = a.course.options.sequence_length;
    shape.name = fs::path(a.course.output).stem().string();
    auto tokenizer = load_tokenizer(a.tokenizer);
    if (!tokenizer) fail(ErrorCode::kNotFound, "{}: not a tokenizer", a.tokenizer);
    choose_eos(*tokenizer, a.eos);
    return new_model(shape, std::move(*tokenizer), a.course.options.seed);
  }
  Model model = load_model(a.from, {.tokenizer = a.tokenizer});
  a.course.check_context(model);
  own_weights(model);
  return model;
}

void pretrain(PretrainArguments a) {
  check(a);
  Model model = model_of(a);
  const DataSet data = a.course.data();
  Trainer trainer(model, data, a.course.trainer_options(), a.course.folder);
  const TrainerReport report = a.course.run(trainer);
  if (report.finished) save_model(model, a.course.output, float_type(a.type));
  a.course.print(trainer, report);
}

void declare_model(CLI::App& c, PretrainArguments& a) {
  c.add_option("--tokenizer", a.tokenizer, "of a new model: tokenizer.json, or a folder or model with a tokenizer");
  c.add_option("--eos", a.eos, "the token that ends a text (default: the tokenizer's, or <|endoftext|>)");
  c.add_option("--from", a.from, "a model to go on from instead of a new one");
  c.add_option("--layers", a.shape.n_layers, "of a new model")->check(CLI::Range(1, 1000))->capture_default_str();
  c.add_option("--dim", a.shape.n_embd, "width of a new model")->check(CLI::Range(2, 1 << 16))->capture_default_str();
  c.add_option("--heads", a.shape.n_heads, "of a new model's attention")->check(CLI::Range(1, 1024))->capture_default_str();
  c.add_option("--kv-heads", a.shape.n_kv_heads, "heads of keys and values (default: as many as heads)")->check(CLI::Range(1, 1024));
  c.add_option("--ff", a.shape.n_ff, "width of the feed-forward part (default: 8/3 of the width)")->check(CLI::Range(1, 1 << 20));
  c.add_flag("--untied", a.untied, "an output projection of its own beside the embedding");
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto a = std::make_shared<PretrainArguments>();
  CLI::App* c = app.add_subcommand("pretrain", "train a language model on texts, from nothing or from another model");
  c->add_option("FILES", a->course.files, "texts, JSON lines with \"text\", or folders of them");
  c->add_option("-o,--output", a->course.output, "the model: NAME.gguf, or a folder for safetensors");
  declare_type(*c, a->type)->capture_default_str();
  declare_model(*c, *a);
  a->course.declare_training(*c);
  a->course.declare_course(*c);
  a->course.declare_config(*c);
  c->footer("Examples:\n  minnow tokenizer train stories/ -o tokenizer.json --vocab-size 4096\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500 --resume\n"
            "  minnow pretrain law/ -o law.gguf --from small.gguf --steps 1000 --lr 1e-4\n"
            "  minnow pretrain --config recipe.json");
  c->callback([a, c] {
    a->course.apply_config(*c);
    pretrain(*a);
  });
}

}  // namespace minnow
