#include "cli/train_options.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "cli/interrupt.h"
#include "models/save.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 1 << 20;

DType output_type(const std::string& name) {
  if (name == "f32") return DType::kF32;
  return name == "f16" ? DType::kF16 : DType::kBF16;
}

// A tokenizer.json alone does not say which token ends a text.
void choose_eos(TokenizerSpec& spec, const std::string& wanted) {
  if (wanted.empty() && spec.eos != kNoToken) return;
  const std::string text = wanted.empty() ? "<|endoftext|>" : wanted;
  const auto at = std::find_if(spec.tokens.begin(), spec.tokens.end(), [&](const auto& t) { return t.text == text; });
  if (at == spec.tokens.end()) fail(ErrorCode::kUsage, "the tokenizer has no token {}; name the one that ends a text with --eos", text);
  spec.eos = static_cast<TokenId>(at - spec.tokens.begin());
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

}  // namespace

// Values of a JSON object for the options that were not given: {"layers": 6, "lr": 1e-3, "untied": true, "files": ["a.txt"]}.
void TrainingArguments::apply_config(CLI::App& command, const std::string& positional) const {
  const std::string& path = config;
  if (path.empty()) return;
  const Json given = parse_json(read_text_file(path, kMaxConfigBytes), path);
  if (!given.is_object()) fail(ErrorCode::kInvalidInput, "{}: not an object of options", path);
  const auto text = [](const Json& v) { return v.is_string() ? v.get<std::string>() : v.dump(); };
  for (const auto& [key, value] : given.items()) {
    CLI::Option* option = key == "files" ? command.get_option_no_throw(positional) : command.get_option_no_throw("--" + key);
    if (option == nullptr || key == "config" || key == "help") fail(ErrorCode::kInvalidInput, "{}: there is no option --{}", path, key);
    if (option->count() > 0) continue;
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      if (!one.is_primitive() || one.is_null()) fail(ErrorCode::kInvalidInput, "{}: {} is neither a text, a number nor a list of them", path, key);
      option->add_result(text(one));
    }
    option->run_callback();
  }
}

TrainerOptions TrainingArguments::trainer_options() const {
  TrainerOptions made = options;
  made.rate.shape = *rate_shape_from_name(schedule);
  made.optimizer.kind = *optimizer_from_name(optimizer);
  made.optimizer.seed = made.seed;
  made.numbers = numbers == "f32" ? Multiplied::kF32 : Multiplied::kBf16;
  return made;
}

fs::path TrainingArguments::run_folder() const { return folder.empty() ? output + ".run" : folder; }

DataSet TrainingArguments::data() const {
  DataSetOptions made;
  made.files.assign(files.begin(), files.end());
  made.validation_files.assign(validation_files.begin(), validation_files.end());
  made.validation_share = validation_share;
  made.seed = options.seed;
  // Pieces of several sequences, but not so many that a small text is one record.
  made.index.piece_bytes = static_cast<uint32_t>(std::clamp<int64_t>(16 * options.sequence_length, 1 << 10, 32 << 10));
  return DataSet::open(made);
}

void TrainingArguments::declare_training(CLI::App& c) {
  TrainerOptions& o = options;
  const auto from = [](std::vector<std::string> names) { return CLI::IsMember(std::move(names)); };
  c.add_option("--steps", o.steps, "of the optimizer")->capture_default_str();
  c.add_option("-c,--ctx", o.sequence_length, "tokens of a sequence")->capture_default_str();
  c.add_option("--batch", o.n_sequences, "sequences computed at a time")->capture_default_str();
  c.add_option("--accumulate", o.accumulation, "batches for each step")->capture_default_str();
  c.add_option("--lr", o.rate.peak, "highest learning rate")->capture_default_str();
  c.add_option("--schedule", schedule, "cosine, linear or constant")->check(from({"cosine", "linear", "constant"}))->capture_default_str();
  c.add_option("--warmup", o.rate.warmup_steps, "steps of rising learning rate")->capture_default_str();
  c.add_option("--final-lr", o.rate.final_share, "last learning rate, as a share of the highest")->capture_default_str();
  c.add_option("--optimizer", optimizer, "adamw, adamw8bit, lion or sgd")->check(from({"adamw", "adamw8bit", "lion", "sgd"}))->capture_default_str();
  c.add_option("--beta1", o.optimizer.beta1, "of the optimizer")->capture_default_str();
  c.add_option("--beta2", o.optimizer.beta2, "of the optimizer")->capture_default_str();
  c.add_option("--decay", o.optimizer.decay, "weight decay of matrices")->capture_default_str();
  c.add_option("--clip", o.clip, "largest norm of the gradient; 0: any")->capture_default_str();
  c.add_option("--numbers", numbers, "what products multiply: auto (bf16 where the CPU has a unit for it), f32")->check(from({"auto", "f32"}))
      ->capture_default_str();
  c.add_flag("--less-memory", o.less_memory, "compute values of layers twice instead of keeping them");
  c.add_option("--seed", o.seed, "of new weights and of the order of the data")->capture_default_str();
  c.add_option("-t,--threads", o.n_threads, "threads (default: one per fast core, see doctor)")->check(CLI::Range(1, 1024));
}

void TrainingArguments::declare_course(CLI::App& c) {
  TrainerOptions& o = options;
  c.add_option("--validation", validation_files, "files to measure on, which are not learned")->allow_extra_args(false);
  c.add_option("--validation-share", validation_share, "or a share of the records")->check(CLI::Range(0.0, 0.5))->capture_default_str();
  c.add_option("--evaluate-every", o.evaluate_every, "steps; 0: at the end only")->capture_default_str();
  c.add_option("--evaluation-batches", o.evaluation_batches, "at most")->capture_default_str();
  c.add_option("--checkpoint-every", o.checkpoint_every, "steps; 0: at the end only")->capture_default_str();
  c.add_option("--keep", o.keep_checkpoints, "checkpoints")->check(CLI::Range(1, 1000))->capture_default_str();
  c.add_option("--folder", folder, "for log.jsonl, loss.svg and checkpoints (default: OUTPUT.run)");
  c.add_flag("--resume", resume, "go on from the newest checkpoint in the folder, with the options of that run");
}

void TrainingArguments::declare_output(CLI::App& c) {
  c.add_option("-o,--output", output, "the model: NAME.gguf, or a folder for safetensors");
  c.add_option("--type", type, "of the matrices written: f32, f16 or bf16")->check(CLI::IsMember({"f32", "f16", "bf16"}))->capture_default_str();
}

void TrainingArguments::declare_config(CLI::App& c) {
  c.add_option("--config", config, "a JSON file with values for options by their long names; the command line counts more");
}

void NewModelArguments::declare(CLI::App& c) {
  c.add_option("--eos", eos, "the token that ends a text (default: the tokenizer's, or <|endoftext|>)");
  c.add_option("--layers", shape.n_layers, "of a new model")->check(CLI::Range(1, 1000))->capture_default_str();
  c.add_option("--dim", shape.n_embd, "width of a new model")->check(CLI::Range(2, 1 << 16))->capture_default_str();
  c.add_option("--heads", shape.n_heads, "of a new model's attention")->check(CLI::Range(1, 1024))->capture_default_str();
  c.add_option("--kv-heads", shape.n_kv_heads, "heads of keys and values (default: as many as heads)")->check(CLI::Range(1, 1024));
  c.add_option("--ff", shape.n_ff, "width of the feed-forward part (default: 8/3 of the width)")->check(CLI::Range(1, 1 << 20));
  c.add_flag("--untied", untied, "an output projection of its own beside the embedding");
}

Model NewModelArguments::make(TokenizerSpec spec, const TrainingArguments& training) const {
  NewModelShape made = shape;
  made.tied = !untied;
  made.n_ctx = training.options.sequence_length;
  made.name = fs::path(training.output).stem().string();
  choose_eos(spec, eos);
  return new_model(made, std::move(spec), training.options.seed);
}

TrainerReport run_training(Trainer& trainer, const TrainingArguments& a) {
  const fs::path folder = a.run_folder();
  if (a.resume) {
    if (!trainer.resume()) fail(ErrorCode::kNotFound, "{}: no checkpoint to resume from", folder.string());
  } else if (newest_checkpoint(folder / "checkpoints")) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: there are checkpoints of a run", folder.string()), "go on with --resume, or name another --folder");
  }
  InterruptWatch interrupt;
  StepLine line(a.options.steps);
  return trainer.run([&](const StepRecord& r) {
    line.show(r);
    return !interrupt.take();
  });
}

void save_trained(const Model& model, const TrainingArguments& a) {
  const DType type = output_type(a.type);
  if (fs::path(a.output).extension() == ".gguf") {
    return save_gguf(model, a.output, [&](const NamedTensor& t) { return gguf_dtype(t, type); });
  }
  Model typed = model;
  for (const NamedTensor& t : model.weights.all()) {
    if (t.tensor.shape.rank() > 1) typed.weights.set(t.name, converted(t.tensor, type));
  }
  save_hf(typed, a.output, {.decoded_dtype = type});
}

void print_report(const Trainer& trainer, const TrainerReport& r, const TrainingArguments& a, const Json& more) {
  if (a.json) {
    Json j = {{"path", r.finished ? Json(a.output) : Json()}, {"steps", r.steps}, {"tokens", r.tokens}, {"parameters", trainer.n_parameters()},
              {"loss", r.loss}, {"seconds", r.seconds}, {"tokens_per_s", r.tokens_per_second}, {"finished", r.finished}, {"folder", a.run_folder().string()}};
    if (r.validation_loss > 0) j["validation_loss"] = r.validation_loss;
    j.update(more);
    fmt::print("{}\n", j.dump());
    return;
  }
  const std::string validation = r.validation_loss > 0 ? fmt::format(", validation loss {:.4f}", r.validation_loss) : "";
  fmt::print("{}: {} parameters, {} steps, {} tokens, loss {:.4f}{}, {} ({} tokens/s)\n", r.finished ? a.output : "stopped, go on with --resume",
             format_count(static_cast<uint64_t>(trainer.n_parameters())), r.steps, format_count(static_cast<uint64_t>(r.tokens)), r.loss,
             validation, format_duration(r.seconds), format_count(static_cast<uint64_t>(r.tokens_per_second)));
}

}  // namespace minnow
