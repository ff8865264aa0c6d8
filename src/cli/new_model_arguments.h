// The shape of a model that is made anew, as the commands that make one ask for it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cli/course.h"
#include "train/new_model.h"

namespace minnow {

struct NewModelArguments {
  std::string tokenizer, eos;
  NewModelShape shape;
  bool untied = false;

  void declare(CLI::App& command);  // --layers, --dim and the like, --eos; not --tokenizer, whose meaning is the command's
  Model make(TokenizerSpec spec, const CourseArguments& course) const;
};

}  // namespace minnow
