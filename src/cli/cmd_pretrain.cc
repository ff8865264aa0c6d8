#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/train_options.h"
#include "models/find_tokenizer.h"

namespace minnow {
namespace {

struct PretrainArguments {
  TrainingArguments training;
  NewModelArguments fresh;
  std::string from;
};

void check(const PretrainArguments& a) {
  if (a.training.files.empty()) fail(ErrorCode::kUsage, "no FILES to learn from");
  if (a.training.output.empty()) fail(ErrorCode::kUsage, "no --output");
  if (!a.from.empty()) check_not_same(a.from, a.training.output);
  if (a.from.empty() && a.fresh.tokenizer.empty()) fail(ErrorCode::kUsage, "a new model needs --tokenizer; 'minnow tokenizer train' makes one");
}

Model model_of(const PretrainArguments& a) {
  if (a.from.empty()) {
    auto tokenizer = load_tokenizer(a.fresh.tokenizer);
    if (!tokenizer) fail(ErrorCode::kNotFound, "{}: not a tokenizer", a.fresh.tokenizer);
    return a.fresh.make(std::move(*tokenizer), a.training);
  }
  Model model = load_model(a.from, {.tokenizer = a.fresh.tokenizer});
  const int64_t n_ctx = a.training.options.sequence_length;
  if (n_ctx > model.config.n_ctx_train) {
    fail(ErrorCode::kUsage, "--ctx {}: {} was made for contexts of {}", n_ctx, a.from, model.config.n_ctx_train);
  }
  own_weights(model);
  return model;
}

void pretrain(const PretrainArguments& a) {
  check(a);
  Model model = model_of(a);
  const DataSet data = a.training.data();
  Trainer trainer(model, data, a.training.trainer_options(), a.training.run_folder());
  const TrainerReport report = run_training(trainer, a.training);
  if (report.finished) save_trained(model, a.training);
  print_report(trainer, report, a.training);
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto a = std::make_shared<PretrainArguments>();
  CLI::App* c = app.add_subcommand("pretrain", "train a language model on texts, from nothing or from another model");
  c->add_option("FILES", a->training.files, "texts, JSON lines with \"text\", or folders of them");
  a->training.declare_output(*c);
  c->add_option("--tokenizer", a->fresh.tokenizer, "of a new model: tokenizer.json, or a folder or model with a tokenizer");
  c->add_option("--from", a->from, "a model to go on from instead of a new one");
  a->fresh.declare(*c);
  a->training.declare_training(*c);
  a->training.declare_course(*c);
  a->training.declare_config(*c);
  declare_json(*c, a->training.json);
  c->footer("Examples:\n  minnow tokenizer train stories/ -o tokenizer.json --vocab-size 4096\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500 --resume\n"
            "  minnow pretrain law/ -o law.gguf --from small.gguf --steps 1000 --lr 1e-4\n"
            "  minnow pretrain --config recipe.json");
  c->callback([a, c] {
    a->training.apply_config(*c, "FILES");
    pretrain(*a);
  });
}

}  // namespace minnow
