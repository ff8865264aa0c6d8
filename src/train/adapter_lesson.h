// The lesson that trains an adapter beside a frozen model.
#pragma once

#include <memory>

#include "models/adapter.h"
#include "train/lesson.h"

namespace minnow {

// Trains A, B and magnitudes, in the adapter's own memory; the base may be of any types. Both must outlive the trainer.
Lesson adapter_lesson(const Model& base, const Adapter& adapter);

}  // namespace minnow
