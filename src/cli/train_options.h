// Arguments that the commands of training share, and what they all print and write.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "models/model.h"
#include "train/new_model.h"
#include "train/trainer.h"

namespace minnow {

struct TrainingArguments {
  std::vector<std::string> files, validation_files;
  std::string output, folder, schedule = "cosine", optimizer = "adamw", numbers = "auto", type = "bf16", config;
  double validation_share = 0.01;
  TrainerOptions options;
  bool resume = false, json = false;

  void declare_training(CLI::App& command);  // --steps, -c/--ctx, --batch, --lr and the like
  void declare_course(CLI::App& command);    // --validation, --checkpoint-every, --folder, --resume and the like
  void declare_output(CLI::App& command);    // -o/--output, --type
  void declare_config(CLI::App& command);    // --config
  // Values of the configuration file for options that were not given; `positional` is the name of the option for files.
  void apply_config(CLI::App& command, const std::string& positional) const;

  TrainerOptions trainer_options() const;
  // The folder of the run: --folder, or the output's name with ".run".
  std::filesystem::path run_folder() const;
  // Text is cut into pieces for sequences of this length.
  DataSet data() const;
};

struct NewModelArguments {
  std::string tokenizer, eos;
  NewModelShape shape;
  bool untied = false;

  void declare(CLI::App& command);  // --layers, --dim and the like, --eos; not --tokenizer, whose meaning is the command's
  Model make(TokenizerSpec spec, const TrainingArguments& training) const;
};

// Runs with a line of progress on a terminal until the last step or Ctrl-C; resumes if that was asked for. Throws kUsage when the folder
// holds checkpoints and it was not, kNotFound when there is none to resume from.
TrainerReport run_training(Trainer& trainer, const TrainingArguments& arguments);
// To a .gguf file or a folder with safetensors; matrices in the type that was asked for.
void save_trained(const Model& model, const TrainingArguments& arguments);
// A line, or with --json an object, which `more` is added to.
void print_report(const Trainer& trainer, const TrainerReport& report, const TrainingArguments& arguments, const Json& more = Json::object());

}  // namespace minnow
