#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/course.h"
#include "cli/new_model_arguments.h"
#include "cli/options.h"
#include "cli/qat_arguments.h"
#include "models/find_tokenizer.h"

namespace minnow {
namespace {

struct PretrainArguments {
  CourseArguments course;
  NewModelArguments fresh;
  QatArguments qat;
  std::string from, type;
  bool init_only = false;
};

void check(PretrainArguments& a) {
  a.course.check(!a.init_only);
  if (!a.from.empty()) check_not_same(a.from, a.course.output);
  if (a.from.empty() && a.fresh.tokenizer.empty()) fail(ErrorCode::kUsage, "a new model needs --tokenizer; 'minnow tokenizer train' makes one");
  a.qat.check(a.course.output, a.type);
}

Model model_of(const PretrainArguments& a) {
  if (a.from.empty()) {
    auto tokenizer = load_tokenizer(a.fresh.tokenizer);
    if (!tokenizer) fail(ErrorCode::kNotFound, "{}: not a tokenizer", a.fresh.tokenizer);
    return a.fresh.make(std::move(*tokenizer), a.course);
  }
  Model model = load_model(a.from, {.tokenizer = a.fresh.tokenizer});
  a.course.check_context(model);
  own_weights(model);
  return model;
}

void save(const PretrainArguments& a, const Model& model) {
  if (a.qat.given()) return a.qat.save(model, a.course.output, a.course.options.n_threads);
  save_model(model, a.course.output, float_type(a.type.empty() ? "bf16" : a.type));
}

std::vector<std::filesystem::path> parents_of(const PretrainArguments& a) {
  std::vector<std::filesystem::path> parents;
  if (!a.from.empty()) parents.push_back(a.from);
  if (!a.fresh.tokenizer.empty()) parents.push_back(a.fresh.tokenizer);
  return parents;
}

void pretrain(PretrainArguments a) {
  check(a);
  Model model = model_of(a);
  if (a.init_only) return save(a, model);
  Lesson lesson;
  if (a.qat.given()) a.qat.add_to(lesson, model);
  const DataSet data = a.course.data();
  Trainer trainer(model, data, a.course.trainer_options(), a.course.folder, std::move(lesson));
  const TrainerReport report = a.course.run(trainer);
  if (report.finished) {
    save(a, model);
    a.course.write_receipt("pretrain", parents_of(a), trainer, report);
  }
  a.course.print(trainer, report);
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto a = std::make_shared<PretrainArguments>();
  CLI::App* c = app.add_subcommand("pretrain", "train a language model on texts, from nothing or from another model");
  c->add_option("FILES", a->course.files, "texts, JSON lines with \"text\", or folders of them");
  c->add_option("-o,--output", a->course.output, "the model: NAME.gguf, or a folder for safetensors");
  declare_type(*c, a->type)->description("of the matrices written: f32, f16 or bf16 (default: bf16)");
  c->add_option("--tokenizer", a->fresh.tokenizer, "of a new model: tokenizer.json, or a folder or model with a tokenizer");
  c->add_option("--from", a->from, "a model to go on from instead of a new one");
  a->fresh.declare(*c);
  c->add_flag("--init-only", a->init_only, "write the model as it is before the first step");
  a->course.declare_training(*c);
  a->qat.declare(*c);
  a->course.declare_course(*c);
  a->course.declare_config(*c);
  c->footer("Examples:\n  minnow tokenizer train stories/ -o tokenizer.json --vocab-size 4096\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500 --resume\n"
            "  minnow pretrain law/ -o law.gguf --from small.gguf --steps 1000 --lr 1e-4\n"
            "  minnow pretrain stories/ -o small-q3.gguf --from small.gguf --qat Q3_K_S --steps 500 --lr 2e-4\n"
            "  minnow pretrain --config recipe.json");
  c->callback([a, c] {
    a->course.apply_config(*c);
    pretrain(*a);
  });
}

}  // namespace minnow
