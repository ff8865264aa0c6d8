#include <fmt/core.h>
#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/table.h"
#include "cli/command.h"
#include "cli/course.h"
#include "cli/options.h"
#include "cli/qat_arguments.h"
#include "compress/retype.h"
#include "train/adapter_lesson.h"
#include "train/describe_sample.h"
#include "train/new_model.h"
#include "train/preference.h"

namespace minnow {
namespace {

struct TuneArguments {
  CourseArguments course;
  std::string base, tokenizer, method = "lora", target, quantize, type, template_file, preference, reference;
  AdapterShape shape;
  PreferenceOptions pairs;
  QatArguments qat;
  bool learn_prompts = false;

  TuneArguments() {
    course.options.rate = {.peak = 2e-4};
    course.options.optimizer.beta2 = 0.999f;
    course.options.optimizer.decay = 0;
  }
  bool is_full() const { return method == "full"; }
};

void check(TuneArguments& a) {
  if (a.base.empty()) fail(ErrorCode::kUsage, "no BASE to tune");
  a.course.check();
  check_not_same(a.base, a.course.output);
  const bool gguf = std::filesystem::path(a.course.output).extension() == ".gguf";
  if (gguf && a.method == "dora") fail(ErrorCode::kUsage, "{}: GGUF has no adapters with magnitudes (DoRA); name a folder", a.course.output);
  if (!a.quantize.empty() && a.method != "qlora") fail(ErrorCode::kUsage, "--quantize goes with --method qlora");
  if (a.qat.given() && !a.is_full()) fail(ErrorCode::kUsage, "--qat trains every weight; give --method full");
  a.qat.check(a.course.output, a.type);
  const AdapterShape plain;
  if (a.is_full() && (a.shape.rank != plain.rank || a.shape.alpha != plain.alpha || a.shape.dropout != plain.dropout)) {
    fail(ErrorCode::kUsage, "--rank, --alpha and --dropout go with adapters, --method full trains every weight");
  }
  if (!a.is_full() && !a.type.empty()) fail(ErrorCode::kUsage, "--type goes with --method full, adapters are f32");
  if (a.is_full() && !a.target.empty()) fail(ErrorCode::kUsage, "--target goes with adapters, --method full trains every weight");
}

bool has_quantized_layers(const Model& model) {
  for (const AdaptableMatrix& m : adaptable_matrices(model)) {
    if (is_quantized(model.weights.require(m.name).dtype)) return true;
  }
  return false;
}

// The frozen base of QLoRA: as the file has it, or quantized here.
void quantize_base(const TuneArguments& a, Model& model) {
  if (a.quantize.empty() && has_quantized_layers(model)) return;
  const std::string text = a.quantize.empty() ? "Q4_K" : a.quantize;
  const auto type = dtype_from_name(text);
  if (!type || !is_quantized(*type) || !info(*type).is_weight) fail(ErrorCode::kUsage, "--quantize {}: not a block type; choose for example NF4, Q4_K, IQ4_XS or Q8_0", text);
  if (has_quantized_layers(model)) {
    fail(ErrorCode::kUsage, "--quantize {}: {} is quantized already; leave the option out, or give the model before that", a.quantize, a.base);
  }
  const RetypeReport r = retype_layers(model, *type);
  if (r.n_fallback + r.n_kept > 0) {
    fmt::print(stderr, "warning: the rows of {} matrices are not whole blocks of {}: {} are Q8_0, {} stay as they are\n", r.n_fallback + r.n_kept,
               name(*type), r.n_fallback, r.n_kept);
  }
}

Model model_of(const TuneArguments& a) {
  Model model = load_model(a.base, {.tokenizer = a.tokenizer});
  a.course.check_context(model);
  if (a.is_full()) own_weights(model);
  if (a.method == "qlora") quantize_base(a, model);
  return model;
}

Adapter adapter_of(const TuneArguments& a, const Model& model) {
  AdapterShape shape = a.shape;
  if (!a.target.empty()) shape.targets = TargetModules::parse(a.target);
  shape.magnitudes = a.method == "dora";
  shape.rank_stabilized = a.method == "rslora";
  return new_adapter(model, shape, a.course.options.seed);
}

SampleOptions sample_options(const TuneArguments& a) {
  SampleOptions o;
  o.mask_prompt = !a.learn_prompts;
  if (!a.template_file.empty()) o.chat_template = read_text_file(a.template_file, limits::kMaxTemplateBytes);
  return o;
}

// What the model will see of one record, and which of it is learned ("+").
void show_sample(const Model& model, const DataSet& data, const SampleOptions& options) {
  if (!model.tokenizer) return;  // the trainer says what is wrong
  const auto tokenizer = Tokenizer::build(*model.tokenizer);
  const std::vector<Sample> samples = SampleRenderer(tokenizer, options).render(data.train.record(0));
  if (samples.empty()) return;
  fmt::print(stderr, "{}, as it is learned (+: with loss):\n{}", printable(data.train.place(0)),
             describe_sample(samples[0], *tokenizer, 400, isatty(STDERR_FILENO) == 1));
}

// Pairs of answers are learned from as pairs; nothing else can be.
void add_preference(const TuneArguments& a, const DataSet& data, Lesson& lesson) {
  if (data.train.kind() != RecordKind::kPreference) {
    const PreferenceOptions plain;
    if (!a.preference.empty() || !a.reference.empty() || a.pairs.beta != plain.beta || a.pairs.label_smoothing != plain.label_smoothing) {
      fail(ErrorCode::kUsage, "--preference, --reference, --beta and --label-smoothing go with records of a chosen and a rejected answer");
    }
    return;
  }
  PreferenceOptions options = a.pairs;
  if (!a.preference.empty()) options.loss = *preference_loss_from_name(a.preference);
  if (!a.reference.empty()) options.reference = std::make_shared<const Model>(load_model(a.reference));
  lesson.objective = std::make_shared<Preference>(options);
  lesson.settings["preference"] = settings(options);
}

void save(const TuneArguments& a, const Model& model, const std::optional<Adapter>& adapter) {
  if (adapter) return save_adapter(*adapter, model, a.course.output);
  if (a.qat.given()) return a.qat.save(model, a.course.output, a.course.options.n_threads);
  save_model(model, a.course.output, float_type(a.type.empty() ? "bf16" : a.type));
}

void tune(TuneArguments a) {
  check(a);
  Model model = model_of(a);
  std::optional<Adapter> adapter;
  Lesson lesson;
  if (!a.is_full()) {
    adapter = adapter_of(a, model);
    lesson = adapter_lesson(model, *adapter);
  }
  const DataSet data = a.course.data();
  add_preference(a, data, lesson);
  if (a.qat.given()) a.qat.add_to(lesson, model);
  const SampleOptions samples = sample_options(a);
  show_sample(model, data, samples);
  lesson.samples = samples;
  lesson.settings["method"] = a.method;
  lesson.settings["prompts"] = a.learn_prompts;
  lesson.settings["chat_template"] = hash_text(samples.chat_template.empty() && model.tokenizer ? model.tokenizer->chat_template : samples.chat_template, 0);
  Trainer trainer(model, data, a.course.trainer_options(), a.course.folder, lesson);
  const TrainerReport report = a.course.run(trainer);
  if (report.finished) {
    save(a, model, adapter);
    std::vector<std::filesystem::path> parents = {a.base};
    if (!a.tokenizer.empty()) parents.emplace_back(a.tokenizer);
    a.course.write_receipt("tune", parents, trainer, report);
  }
  a.course.print(trainer, report, {{"method", a.method}});
}

void declare_method(CLI::App& c, TuneArguments& a) {
  c.add_option("--method", a.method, "lora; rslora: scale alpha / sqrt(rank); dora: norms of rows as well; qlora: beside a quantized model; full: every weight")
      ->check(CLI::IsMember({"lora", "rslora", "dora", "qlora", "full"}))->capture_default_str();
  c.add_option("--rank", a.shape.rank, "of the adapter's matrices")->check(CLI::Range(1, 1 << 16))->capture_default_str();
  c.add_option("--alpha", a.shape.alpha, "their product counts alpha / rank")->capture_default_str();
  c.add_option("--dropout", a.shape.dropout, "share of an adapter's input that is dropped while it learns")->capture_default_str();
  c.add_option("--target", a.target, "modules by Hugging Face's names (q_proj,v_proj), a regular expression, or all-linear (default: queries and values)");
  c.add_option("--quantize", a.quantize, "qlora: type of a base that is not quantized yet, such as NF4, Q4_K, IQ4_XS or Q8_0 (default: Q4_K)");
  c.add_option("--tokenizer", a.tokenizer, "tokenizer file or folder, when it does not come with the model");
  c.add_option("--chat-template", a.template_file, "a Jinja file to use instead of the model's chat template");
  c.add_flag("--learn-prompts", a.learn_prompts, "loss on prompts as well, not on answers alone");
}

void declare_preference(CLI::App& c, TuneArguments& a) {
  c.add_option("--preference", a.preference, "loss of pairs of answers: sigmoid (DPO, the default), hinge, ipo or length")
      ->check(CLI::IsMember({"sigmoid", "hinge", "ipo", "length"}));
  c.add_option("--beta", a.pairs.beta, "pairs: how much going away from the reference costs")->capture_default_str();
  c.add_option("--label-smoothing", a.pairs.label_smoothing, "pairs: the share that may be the wrong way round")->capture_default_str();
  c.add_option("--reference", a.reference, "pairs: a model to compare with instead of BASE");
}

}  // namespace

void add_tune(CLI::App& app) {
  auto a = std::make_shared<TuneArguments>();
  CLI::App* c = app.add_subcommand("tune", "teach a model by examples: an adapter beside it (LoRA and its kin), or all of its weights");
  c->add_option("BASE", a->base, "the model: a .gguf file, or a folder with safetensors");
  c->add_option("FILES", a->course.files, "JSON lines with prompts and answers, chats or texts, or folders of them");
  c->add_option("-o,--output", a->course.output, "the adapter (method full: the model): NAME.gguf, or a folder for safetensors");
  declare_method(*c, *a);
  declare_type(*c, a->type)->description("method full: of the matrices written: f32, f16 or bf16 (default: bf16)");
  declare_preference(*c, *a);
  a->course.declare_training(*c);
  a->qat.declare(*c);
  a->course.declare_course(*c);
  a->course.declare_config(*c);
  c->footer("Examples:\n  minnow tune model.gguf answers.jsonl -o adapter --steps 500 --rank 16 --alpha 32 --target all-linear\n"
            "  minnow tune model-Q4_K_M.gguf answers.jsonl -o adapter.gguf --method qlora --steps 500\n"
            "  minnow tune ./model-hf answers.jsonl -o tuned.gguf --method full --lr 1e-5\n"
            "  minnow tune model.gguf pairs.jsonl -o adapter --lr 1e-5 --steps 200\n"
            "  minnow run model.gguf --adapter adapter\n  minnow merge model.gguf --adapter adapter -o tuned.gguf");
  c->callback([a, c] {
    a->course.apply_config(*c);
    tune(*a);
  });
}

}  // namespace minnow
