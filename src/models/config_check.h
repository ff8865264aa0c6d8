// What every source of a config has to satisfy.
#pragma once

#include <string>

#include "models/config.h"

namespace minnow {

// Throws kInvalidInput naming the source when numbers contradict each other or are not finite and sensible.
void check_config(const ModelConfig& config, const std::string& source);

}  // namespace minnow
