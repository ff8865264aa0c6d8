#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "cli/course.h"
#include "cli/new_model_arguments.h"
#include "cli/options.h"
#include "models/find_tokenizer.h"
#include "train/distillation.h"

namespace minnow {
namespace {

constexpr const char* kNew = "new";

struct DistillArguments {
  std::string student, divergence = "forward", shape = "constant", cache, type = "bf16";
  std::vector<std::string> teachers;
  DistillationOptions options;
  double cache_gb = 4;
  bool no_cache = false;
  NewModelArguments fresh;
  CourseArguments course;
};

void check(DistillArguments& a) {
  a.course.check();
  if (a.teachers.empty()) fail(ErrorCode::kUsage, "no --teacher");
  for (const std::string& input : a.teachers) check_not_same(input, a.course.output);
  if (a.student != kNew) check_not_same(a.student, a.course.output);
}

// A new student has the first teacher's tokens unless others are named.
Model student_of(const DistillArguments& a, const Model& teacher) {
  if (a.student != kNew) {
    Model model = load_model(a.student, {.tokenizer = a.fresh.tokenizer});
    a.course.check_context(model);
    own_weights(model);
    return model;
  }
  auto tokenizer = a.fresh.tokenizer.empty() ? teacher.tokenizer : load_tokenizer(a.fresh.tokenizer);
  if (!tokenizer) fail(ErrorCode::kNotFound, "no tokenizer for the new student; name one with --tokenizer");
  return a.fresh.make(std::move(*tokenizer), a.course);
}

DistillationOptions options_of(const DistillArguments& a) {
  DistillationOptions options = a.options;
  options.divergence = *divergence_from_name(a.divergence);
  options.temperature.shape = *temperature_shape_from_name(a.shape);
  options.steps = a.course.options.steps;
  if (!a.no_cache) options.cache_folder = a.cache.empty() ? std::filesystem::path(a.course.folder) / "cache" : std::filesystem::path(a.cache);
  options.cache_bytes = static_cast<uint64_t>(a.cache_gb * 1e9);
  for (const std::string& path : a.teachers) options.teachers.push_back(std::make_shared<const Model>(load_model(path)));
  return options;
}

void distill(DistillArguments a) {
  check(a);
  const DistillationOptions options = options_of(a);
  Model model = student_of(a, *options.teachers.front());
  const auto distillation = std::make_shared<Distillation>(options, model);
  Lesson lesson;
  lesson.objective = distillation;
  lesson.settings = distillation->settings();
  const DataSet data = a.course.data();
  Trainer trainer(model, data, a.course.trainer_options(), a.course.folder, std::move(lesson));
  const TrainerReport report = a.course.run(trainer);
  if (report.finished) {
    save_model(model, a.course.output, float_type(a.type));
    std::vector<std::filesystem::path> parents(a.teachers.begin(), a.teachers.end());
    if (a.student != kNew) parents.emplace_back(a.student);
    a.course.write_receipt("distill", parents, trainer, report);
  }
  a.course.print(trainer, report, {{"taught_documents", distillation->n_computed()}});
}

void declare_teaching(CLI::App& c, DistillArguments& a) {
  const auto from = [](std::vector<std::string> names) { return CLI::IsMember(std::move(names)); };
  DistillationOptions& o = a.options;
  c.add_option("--teacher", a.teachers, "a model to learn from; may be given again")->allow_extra_args(false);
  c.add_option("--weights", o.weights, "of several teachers' probabilities, as 0.7,0.3 (default: all alike)")->delimiter(',')->allow_extra_args(false);
  c.add_flag("--in-turn", o.in_turn, "teachers one after another, each for the same share of the steps, instead of their mixture");
  c.add_option("--alpha", o.alpha, "the loss is alpha T^2 KL + (1 - alpha) CE: alpha weighs the teacher, the rest the data")
      ->check(CLI::Range(0.0, 1.0))->capture_default_str();
  c.add_option("--divergence", a.divergence, "forward: KL(teacher || student), which covers all that the teacher may say; reverse: KL(student || teacher), "
                 "which seeks what it says most")->check(from({"forward", "reverse"}))->capture_default_str();
  c.add_option("--temperature", o.temperature.first, "T, of both, at the first step")->capture_default_str();
  c.add_option("--last-temperature", o.temperature.last, "T at the last step, where the schedule is not constant")->capture_default_str();
  c.add_option("--temperature-schedule", a.shape, "constant, linear or cosine")->check(from({"constant", "linear", "cosine"}))->capture_default_str();
  c.add_option("--top-k", o.top_k, "tokens of each row that a teacher tells; KL is taken among them")->check(CLI::Range(1, 1 << 16))->capture_default_str();
  c.add_option("--cache", a.cache, "folder for what teachers said (default: cache in the folder of the run)");
  c.add_option("--cache-size", a.cache_gb, "GB for each teacher at most")->check(CLI::Range(0.0, 1e6))->capture_default_str();
  c.add_flag("--no-cache", a.no_cache, "ask the teachers anew each time");
}

}  // namespace

void add_distill(CLI::App& app) {
  auto a = std::make_shared<DistillArguments>();
  CLI::App* c = app.add_subcommand("distill", "train a small model to say what larger ones would");
  c->add_option("STUDENT", a->student, "a model, or 'new' for one of the shape below")->required();
  c->add_option("FILES", a->course.files, "texts or JSON lines to learn from, or folders of them");
  declare_teaching(*c, *a);
  c->add_option("-o,--output", a->course.output, "the model: NAME.gguf, or a folder for safetensors");
  declare_type(*c, a->type)->capture_default_str();
  c->add_option("--tokenizer", a->fresh.tokenizer, "of the student (default: its own; of a new one: the first teacher's)");
  a->fresh.declare(*c);
  a->course.declare_training(*c);
  a->course.declare_course(*c);
  a->course.declare_config(*c);
  c->footer("Examples:\n  minnow distill new stories/ --teacher large.gguf -o small.gguf --layers 4 --dim 128 --heads 4 --steps 5000 --lr 1e-3\n"
            "  minnow distill small.gguf chats.jsonl --teacher large.gguf -o taught.gguf --alpha 0.8 --temperature 2 --steps 1000 --lr 1e-4\n"
            "  minnow distill small.gguf chats.jsonl --teacher a.gguf --teacher b.gguf --weights 0.7,0.3 -o taught.gguf --steps 1000\n"
            "  minnow distill small.gguf chats.jsonl --teacher middle.gguf --teacher large.gguf --in-turn -o taught.gguf --steps 2000");
  c->callback([a, c] {
    a->course.apply_config(*c);
    distill(*a);
  });
}

}  // namespace minnow
