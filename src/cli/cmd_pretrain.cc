#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/quantize_types.h"
#include "models/find_tokenizer.h"
#include "models/save.h"
#include "tensor/codec.h"
#include "train/fake_quant.h"
#include "train/new_model.h"
#include "train/trainer.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 1 << 20;

struct PretrainArguments {
  std::vector<std::string> files, validation_files;
  std::string output, tokenizer, eos, from, folder, schedule = "cosine", optimizer = "adamw", numbers = "auto", type, qat, config;
  QuantizeTypes qat_types;
  double validation_share = 0.01;
  NewModelShape shape;
  TrainerOptions options;
  bool untied = false, in_order = false, resume = false, init_only = false, rounds_inputs = false, json = false;
};

// Values of a JSON object for the options that were not given: {"layers": 6, "lr": 1e-3, "untied": true, "files": ["a.txt"]}.
void apply_config(CLI::App& command, const std::string& path) {
  if (path.empty()) return;
  const Json config = parse_json(read_text_file(path, kMaxConfigBytes), path);
  if (!config.is_object()) fail(ErrorCode::kInvalidInput, "{}: not an object of options", path);
  const auto text = [](const Json& v) { return v.is_string() ? v.get<std::string>() : v.dump(); };
  for (const auto& [key, value] : config.items()) {
    CLI::Option* option = key == "files" ? command.get_option_no_throw("FILES") : command.get_option_no_throw("--" + key);
    if (option == nullptr || key == "config" || key == "help") fail(ErrorCode::kInvalidInput, "{}: there is no option --{}", path, key);
    if (option->count() > 0) continue;
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      if (!one.is_primitive() || one.is_null()) fail(ErrorCode::kInvalidInput, "{}: {} is neither a text, a number nor a list of them", path, key);
      option->add_result(text(one));
    }
    option->run_callback();
  }
}

bool writes_gguf(const PretrainArguments& a) { return fs::path(a.output).extension() == ".gguf"; }

FakeQuantOptions qat_of(const PretrainArguments& a) {
  FakeQuantOptions options = fake_quant_options(a.qat);
  a.qat_types.apply(options.types);
  options.rounds_inputs |= a.rounds_inputs;
  return options;
}

void check_qat(const PretrainArguments& a) {
  if (a.qat.empty()) {
    if (a.qat_types.given() || a.rounds_inputs) fail(ErrorCode::kUsage, "--tensor-type and its like say what --qat trains for; give --qat RECIPE");
    return;
  }
  if (!a.type.empty()) fail(ErrorCode::kUsage, "--type {}: the types of the file are those of --qat {}", a.type, a.qat);
  if (!writes_gguf(a)) fail(ErrorCode::kUsage, "--qat writes a GGUF file; name the --output NAME.gguf, not {}", a.output);
  qat_of(a);  // a recipe and types that there are
}

void check(const PretrainArguments& a) {
  if (a.files.empty() && !a.init_only) fail(ErrorCode::kUsage, "no FILES to learn from");
  if (a.output.empty()) fail(ErrorCode::kUsage, "no --output");
  if (!a.from.empty()) check_not_same(a.from, a.output);
  if (a.from.empty() && a.tokenizer.empty()) fail(ErrorCode::kUsage, "a new model needs --tokenizer; 'minnow tokenizer train' makes one");
  check_qat(a);
}

DType output_type(const std::string& name) {
  if (name == "f32") return DType::kF32;
  return name == "f16" ? DType::kF16 : DType::kBF16;
}

Lesson lesson_of(const PretrainArguments& a, const Model& model) {
  Lesson lesson;
  if (a.qat.empty()) return lesson;
  const FakeQuantOptions qat = qat_of(a);
  warn_of_types(quantize_report(model, qat.types));
  add_fake_quant(lesson, model, qat);
  return lesson;
}

TrainerOptions options_of(const PretrainArguments& a) {
  TrainerOptions options = a.options;
  options.rate.shape = *rate_shape_from_name(a.schedule);
  options.optimizer.kind = *optimizer_from_name(a.optimizer);
  options.optimizer.seed = options.seed;
  options.shuffle = !a.in_order;
  options.numbers = a.numbers == "f32" ? Multiplied::kF32 : Multiplied::kBf16;
  return options;
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
    shape.n_ctx = a.options.sequence_length;
    shape.name = fs::path(a.output).stem().string();
    auto tokenizer = load_tokenizer(a.tokenizer);
    if (!tokenizer) fail(ErrorCode::kNotFound, "{}: not a tokenizer", a.tokenizer);
    choose_eos(*tokenizer, a.eos);
    return new_model(shape, std::move(*tokenizer), a.options.seed);
  }
  Model model = load_model(a.from, {.tokenizer = a.tokenizer});
  if (a.options.sequence_length > model.config.n_ctx_train) {
    fail(ErrorCode::kUsage, "--ctx {}: {} was made for contexts of {}", a.options.sequence_length, a.from, model.config.n_ctx_train);
  }
  own_weights(model);
  return model;
}

DataSet data_of(const PretrainArguments& a) {
  DataSetOptions options;
  options.files.assign(a.files.begin(), a.files.end());
  options.validation_files.assign(a.validation_files.begin(), a.validation_files.end());
  options.validation_share = a.validation_share;
  options.seed = a.options.seed;
  // Pieces of several sequences, but not so many that a small text is one record.
  options.index.piece_bytes = static_cast<uint32_t>(std::clamp<int64_t>(16 * a.options.sequence_length, 1 << 10, 32 << 10));
  return DataSet::open(options);
}

// "step 120/1000  loss 3.214  lr 3.0e-4  12.3 K tokens/s  3m 10s left", rewritten in place on a terminal, else nothing.
class StepLine {
 public:
  explicit StepLine(int64_t steps) : steps_(steps), draws_(isatty(STDERR_FILENO) == 1) {}
  ~StepLine() {
    if (drawn_) fmt::print(stderr, "\n");
  }
  void show(const StepRecord& r) {
    if (!draws_) return;
    tokens_per_step_ = static_cast<double>(r.tokens) / static_cast<double>(r.step);
    const double left = static_cast<double>(steps_ - r.step) * tokens_per_step_ / r.tokens_per_second;
    fmt::print(stderr, "\r\033[Kstep {}/{}  loss {:.3f}  lr {:.1e}  {} tokens/s  {} left", r.step, steps_, r.loss, r.learning_rate,
               format_count(static_cast<uint64_t>(r.tokens_per_second)), format_duration(left));
    std::fflush(stderr);
    drawn_ = true;
  }

 private:
  int64_t steps_;
  bool draws_, drawn_ = false;
  double tokens_per_step_ = 0;
};

Tensor converted(const Tensor& from, DType type) {
  std::byte* data = nullptr;
  Tensor to = Tensor::allocate(type, from.shape, &data);
  encode_row(type, from.f32(), data, from.shape.elements());
  return to;
}

void save(const PretrainArguments& a, const Model& model) {
  if (!a.qat.empty()) {
    quantize(model, a.output, qat_of(a).types, a.options.n_threads);
    return;
  }
  const DType type = output_type(a.type);
  if (writes_gguf(a)) {
    return save_gguf(model, a.output, [&](const NamedTensor& t) { return gguf_dtype(t, type); });
  }
  Model typed = model;
  for (const NamedTensor& t : model.weights.all()) {
    if (t.tensor.shape.rank() > 1) typed.weights.set(t.name, converted(t.tensor, type));
  }
  save_hf(typed, a.output, {.decoded_dtype = type});
}

void print(const PretrainArguments& a, const Trainer& trainer, const TrainerReport& r) {
  if (a.json) {
    Json j = {{"path", r.finished ? Json(a.output) : Json()}, {"steps", r.steps}, {"tokens", r.tokens}, {"parameters", trainer.n_parameters()},
              {"loss", r.loss}, {"seconds", r.seconds}, {"tokens_per_s", r.tokens_per_second}, {"finished", r.finished}, {"folder", a.folder}};
    if (r.validation_loss > 0) j["validation_loss"] = r.validation_loss;
    fmt::print("{}\n", j.dump());
    return;
  }
  const std::string validation = r.validation_loss > 0 ? fmt::format(", validation loss {:.4f}", r.validation_loss) : "";
  fmt::print("{}: {} parameters, {} steps, {} tokens, loss {:.4f}{}, {} ({} tokens/s)\n", r.finished ? a.output : "stopped, go on with --resume",
             format_count(static_cast<uint64_t>(trainer.n_parameters())), r.steps, format_count(static_cast<uint64_t>(r.tokens)), r.loss,
             validation, format_duration(r.seconds), format_count(static_cast<uint64_t>(r.tokens_per_second)));
}

void pretrain(PretrainArguments a) {
  check(a);
  if (a.folder.empty()) a.folder = a.output + ".run";
  Model model = model_of(a);
  if (a.init_only) return save(a, model);
  const DataSet data = data_of(a);
  Trainer trainer(model, data, options_of(a), a.folder, lesson_of(a, model));
  if (a.resume) {
    if (!trainer.resume()) fail(ErrorCode::kNotFound, "{}: no checkpoint to resume from", a.folder);
  } else if (newest_checkpoint(fs::path(a.folder) / "checkpoints")) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: there are checkpoints of a run", a.folder), "go on with --resume, or name another --folder");
  }
  TrainerReport report;
  {
    InterruptWatch interrupt;
    StepLine line(a.options.steps);
    report = trainer.run([&](const StepRecord& r) {
      line.show(r);
      return !interrupt.take();
    });
  }
  if (report.finished) save(a, model);
  print(a, trainer, report);
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
  c.add_flag("--init-only", a.init_only, "write the model as it is before the first step");
}

void declare_training(CLI::App& c, PretrainArguments& a) {
  TrainerOptions& o = a.options;
  const auto from = [](std::vector<std::string> names) { return CLI::IsMember(std::move(names)); };
  c.add_option("--steps", o.steps, "of the optimizer")->capture_default_str();
  c.add_option("-c,--ctx", o.sequence_length, "tokens of a sequence")->capture_default_str();
  c.add_option("--batch", o.n_sequences, "sequences computed at a time")->capture_default_str();
  c.add_option("--accumulate", o.accumulation, "batches for each step")->capture_default_str();
  c.add_option("--lr", o.rate.peak, "highest learning rate")->capture_default_str();
  c.add_option("--schedule", a.schedule, "cosine, linear or constant")->check(from({"cosine", "linear", "constant"}))->capture_default_str();
  c.add_option("--warmup", o.rate.warmup_steps, "steps of rising learning rate")->capture_default_str();
  c.add_option("--final-lr", o.rate.final_share, "last learning rate, as a share of the highest")->capture_default_str();
  c.add_option("--optimizer", a.optimizer, "adamw, adamw8bit, lion or sgd")->check(from({"adamw", "adamw8bit", "lion", "sgd"}))->capture_default_str();
  c.add_option("--beta1", o.optimizer.beta1, "of the optimizer")->capture_default_str();
  c.add_option("--beta2", o.optimizer.beta2, "of the optimizer")->capture_default_str();
  c.add_option("--decay", o.optimizer.decay, "weight decay of matrices")->capture_default_str();
  c.add_option("--clip", o.clip, "largest norm of the gradient; 0: any")->capture_default_str();
  c.add_option("--numbers", a.numbers, "what products multiply: auto (bf16 where the CPU has a unit for it), f32")->check(from({"auto", "f32"}))
      ->capture_default_str();
  c.add_flag("--less-memory", o.less_memory, "compute values of layers twice instead of keeping them");
  c.add_flag("--in-order", a.in_order, "records as they lie in the files instead of shuffled");
  c.add_option("--seed", o.seed, "of new weights and of the order of the data")->capture_default_str();
  c.add_option("-t,--threads", o.n_threads, "threads (default: one per fast core, see doctor)")->check(CLI::Range(1, 1024));
}

void declare_qat(CLI::App& c, PretrainArguments& a) {
  c.add_option("--qat", a.qat, "train for a quantized file: a recipe of 'minnow quantize', or ternary (BitNet b1.58)");
  a.qat_types.declare(c);
  c.add_flag("--round-inputs", a.rounds_inputs, "with --qat: products see their inputs in 8 bits, as they run on a CPU; ternary does it always");
}

void declare_course(CLI::App& c, PretrainArguments& a) {
  TrainerOptions& o = a.options;
  c.add_option("--validation", a.validation_files, "files to measure on, which are not learned")->allow_extra_args(false);
  c.add_option("--validation-share", a.validation_share, "or a share of the records")->check(CLI::Range(0.0, 0.5))->capture_default_str();
  c.add_option("--evaluate-every", o.evaluate_every, "steps; 0: at the end only")->capture_default_str();
  c.add_option("--evaluation-batches", o.evaluation_batches, "at most")->capture_default_str();
  c.add_option("--checkpoint-every", o.checkpoint_every, "steps; 0: at the end only")->capture_default_str();
  c.add_option("--keep", o.keep_checkpoints, "checkpoints")->check(CLI::Range(1, 1000))->capture_default_str();
  c.add_option("--folder", a.folder, "for log.jsonl, loss.svg and checkpoints (default: OUTPUT.run)");
  c.add_flag("--resume", a.resume, "go on from the newest checkpoint in the folder, with the options of that run");
}

}  // namespace

void add_pretrain(CLI::App& app) {
  auto a = std::make_shared<PretrainArguments>();
  CLI::App* c = app.add_subcommand("pretrain", "train a language model on texts, from nothing or from another model");
  c->add_option("FILES", a->files, "texts, JSON lines with \"text\", or folders of them");
  c->add_option("-o,--output", a->output, "the model: NAME.gguf, or a folder for safetensors");
  c->add_option("--type", a->type, "of the matrices written: f32, f16 or bf16 (default: bf16)")->check(CLI::IsMember({"f32", "f16", "bf16"}));
  declare_model(*c, *a);
  declare_training(*c, *a);
  declare_qat(*c, *a);
  declare_course(*c, *a);
  c->add_option("--config", a->config, "a JSON file with values for options by their long names; the command line counts more");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow tokenizer train stories/ -o tokenizer.json --vocab-size 4096\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500\n"
            "  minnow pretrain stories/ -o small.gguf --tokenizer tokenizer.json --steps 5000 --lr 1e-3 --warmup 100 --checkpoint-every 500 --resume\n"
            "  minnow pretrain law/ -o law.gguf --from small.gguf --steps 1000 --lr 1e-4\n"
            "  minnow pretrain stories/ -o small-q3.gguf --from small.gguf --qat Q3_K_S --steps 500 --lr 2e-4\n"
            "  minnow pretrain --config recipe.json");
  c->callback([a, c] {
    apply_config(*c, a->config);
    pretrain(*a);
  });
}

}  // namespace minnow
