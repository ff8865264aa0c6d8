// A row of a packed matrix (panels.h) as floats: what an embedding that is also the output projection is read by, so that
// the file's rows need not be in memory besides.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/panels.h"

namespace minnow {

// y[0 .. k - 1]; `panels` is where panel 0 begins. As decode_row gives it, within a rounding for the types of codebooks.
void unpack_row(PanelType type, const std::byte* panels, int64_t row, int64_t k, float* y);

}  // namespace minnow
