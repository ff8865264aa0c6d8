#include "cli/course.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "compress/retype.h"
#include "cpu/isa.h"
#include "models/receipt.h"
#include "models/save.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 1 << 20;

CLI::Option* option_of(CLI::App& command, const std::string& key) {
  if (key == "config" || key == "help") return nullptr;
  if (key == "files" || key == "base") return command.get_option_no_throw(key == "files" ? "FILES" : "BASE");
  return command.get_option_no_throw("--" + key);
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

}  // namespace

void CourseArguments::apply_config(CLI::App& command) const {
  if (config.empty()) return;
  const Json values = parse_json(read_text_file(config, kMaxConfigBytes), config);
  if (!values.is_object()) fail(ErrorCode::kInvalidInput, "{}: not an object of options", config);
  const auto text = [](const Json& v) { return v.is_string() ? v.get<std::string>() : v.dump(); };
  for (const auto& [key, value] : values.items()) {
    CLI::Option* option = option_of(command, key);
    if (option == nullptr) fail(ErrorCode::kInvalidInput, "{}: there is no option --{}", config, key);
    if (option->count() > 0) continue;
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      if (!one.is_primitive() || one.is_null()) fail(ErrorCode::kInvalidInput, "{}: {} is neither a text, a number nor a list of them", config, key);
      option->add_result(text(one));
    }
    option->run_callback();
  }
}

void CourseArguments::check(bool needs_files) {
  if (needs_files && files.empty()) fail(ErrorCode::kUsage, "no FILES to learn from");
  if (output.empty()) fail(ErrorCode::kUsage, "no --output");
  if (folder.empty()) folder = output + ".run";
}

TrainerOptions CourseArguments::trainer_options() const {
  TrainerOptions o = options;
  o.rate.shape = *rate_shape_from_name(schedule);
  o.optimizer.kind = *optimizer_from_name(optimizer);
  o.optimizer.seed = o.seed;
  o.shuffle = !in_order;
  o.numbers = numbers == "f32" ? Multiplied::kF32 : Multiplied::kBf16;
  return o;
}

DataSet CourseArguments::data() const {
  DataSetOptions o;
  o.files.assign(files.begin(), files.end());
  o.validation_files.assign(validation_files.begin(), validation_files.end());
  o.validation_share = validation_share;
  o.seed = options.seed;
  // Pieces of several sequences, but not so many that a small text is one record.
  o.index.piece_bytes = static_cast<uint32_t>(std::clamp<int64_t>(16 * options.sequence_length, 1 << 10, 32 << 10));
  return DataSet::open(o);
}

void CourseArguments::check_context(const Model& model) const {
  if (options.sequence_length > model.config.n_ctx_train) {
    fail(ErrorCode::kUsage, "--ctx {}: {} was made for contexts of {}", options.sequence_length, model.path.string(), model.config.n_ctx_train);
  }
}

TrainerReport CourseArguments::run(Trainer& trainer) const {
  if (resume) {
    if (!trainer.resume()) fail(ErrorCode::kNotFound, "{}: no checkpoint to resume from", folder);
  } else if (newest_checkpoint(fs::path(folder) / "checkpoints")) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: there are checkpoints of a run", folder), "go on with --resume, or name another --folder");
  }
  InterruptWatch interrupt;
  StepLine line(options.steps);
  return trainer.run([&](const StepRecord& r) {
    line.show(r);
    return !interrupt.take();
  });
}

void CourseArguments::write_receipt(const std::string& step, const std::vector<fs::path>& parents, const Trainer& trainer,
                                    const TrainerReport& r) const {
  Json measured = {{"parameters", trainer.n_parameters()}, {"tokens", r.tokens}, {"loss", r.loss}, {"tokens_per_s", r.tokens_per_second}, {"kernels", name(chosen_isa())}};
  if (r.validation_loss > 0) measured["validation_loss"] = r.validation_loss;
  std::vector<fs::path> data(files.begin(), files.end());
  data.insert(data.end(), validation_files.begin(), validation_files.end());
  minnow::write_receipt(output, {.step = step, .parents = parents, .data = data, .settings = trainer.settings(), .measured = measured});
}

void CourseArguments::print(const Trainer& trainer, const TrainerReport& r, const Json& more) const {
  if (json) {
    Json j = {{"path", r.finished ? Json(output) : Json()}, {"steps", r.steps}, {"tokens", r.tokens}, {"parameters", trainer.n_parameters()},
              {"loss", r.loss}, {"seconds", r.seconds}, {"tokens_per_s", r.tokens_per_second}, {"finished", r.finished}, {"folder", folder}};
    if (r.validation_loss > 0) j["validation_loss"] = r.validation_loss;
    j.update(more);
    fmt::print("{}\n", j.dump());
    return;
  }
  const std::string validation = r.validation_loss > 0 ? fmt::format(", validation loss {:.4f}", r.validation_loss) : "";
  fmt::print("{}: {} parameters, {} steps, {} tokens, loss {:.4f}{}, {} ({} tokens/s)\n", r.finished ? output : "stopped, go on with --resume",
             format_count(static_cast<uint64_t>(trainer.n_parameters())), r.steps, format_count(static_cast<uint64_t>(r.tokens)), r.loss,
             validation, format_duration(r.seconds), format_count(static_cast<uint64_t>(r.tokens_per_second)));
}

void CourseArguments::declare_training(CLI::App& c) {
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
  c.add_flag("--in-order", in_order, "records as they lie in the files instead of shuffled");
  c.add_option("--seed", o.seed, "of new weights and of the order of the data")->capture_default_str();
  c.add_option("-t,--threads", o.n_threads, "threads (default: one per fast core, see doctor)")->check(CLI::Range(1, 1024));
}

void CourseArguments::declare_course(CLI::App& c) {
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

void CourseArguments::declare_config(CLI::App& c) {
  c.add_option("--config", config, "a JSON file with values for options by their long names; the command line counts more");
  declare_json(c, json);
}

void save_model(const Model& model, const std::string& output, std::optional<DType> type) {
  const auto is_matrix = [](const NamedTensor& t) { return t.tensor.shape.rank() > 1 && info(t.tensor.dtype).is_weight; };
  if (fs::path(output).extension() == ".gguf") {
    return save_gguf(model, output, [&](const NamedTensor& t) { return type && is_matrix(t) ? gguf_dtype(t, *type) : t.tensor.dtype; });
  }
  if (fs::exists(output) && !fs::is_directory(output)) {
    fail(ErrorCode::kUsage, "{}: give a name that ends in .gguf, or a folder for safetensors", output);
  }
  Model typed = model;
  for (const NamedTensor& t : model.weights.all()) {
    if (type && is_matrix(t)) typed.weights.set(t.name, retyped(t.name, t.tensor, *type));
  }
  save_hf(typed, output, {.decoded_dtype = type.value_or(DType::kF16)});
}

CLI::Option* declare_type(CLI::App& c, std::string& type) {
  return c.add_option("--type", type, "of the matrices written: f32, f16 or bf16")->check(CLI::IsMember({"f32", "f16", "bf16"}));
}

std::optional<DType> float_type(const std::string& type) {
  return type.empty() ? std::nullopt : dtype_from_name(type);
}

}  // namespace minnow
