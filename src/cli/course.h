// What every command that trains has in common: the options of a course of training, its data, its run and its report.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace minnow {

struct CourseArguments {
  std::vector<std::string> files, validation_files;
  std::string output, folder, schedule = "cosine", optimizer = "adamw", numbers = "auto", config;
  double validation_share = 0.01;
  TrainerOptions options;
  bool in_order = false, resume = false, json = false;

  void declare_training(CLI::App& command);  // steps, batches, optimizer
  void declare_course(CLI::App& command);    // validation, checkpoints, resuming
  void declare_config(CLI::App& command);    // --config, --json

  // Values of the --config file for the options that were not given: {"steps": 6, "lr": 1e-3, "files": ["a.txt"]}.
  void apply_config(CLI::App& command) const;
  // Throws kUsage when files (where they are needed) or the output are missing. Fills in the folder.
  void check(bool needs_files = true);
  TrainerOptions trainer_options() const;
  DataSet data() const;
  // Refuses contexts that the model was not made for.
  void check_context(const Model& model) const;
  // To the end, or until Ctrl-C; resumes or refuses to when there are checkpoints.
  TrainerReport run(Trainer& trainer) const;
  // Beside the output, which is there.
  void write_receipt(const std::string& step, const std::vector<std::filesystem::path>& parents, const Trainer& trainer,
                     const TrainerReport& report) const;
  // One line, or JSON with `more` in it.
  void print(const Trainer& trainer, const TrainerReport& report, const Json& more = Json::object()) const;
};

// NAME.gguf, or a folder for safetensors. `type`: of all matrices; nothing: as they are (quantized ones of a folder become F16).
void save_model(const Model& model, const std::string& output, std::optional<DType> type);
// --type of such an output: f32, f16 or bf16.
CLI::Option* declare_type(CLI::App& command, std::string& type);
std::optional<DType> float_type(const std::string& type);

}  // namespace minnow
