// Blocks of 32 rows to panels (panels.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "cpu/panels.h"
#include "tensor/dtype.h"

namespace minnow {

// How weights of this type are packed; nullopt for types that have no panels.
std::optional<PanelType> panel_type(DType dtype);

// Packs panels [begin, end) of an [n_rows, k] matrix whose rows lie at `rows`, one after another; `out` is where panel
// 0 begins. False when rows that must have one scale (I2_S) do not.
bool pack_panels(DType dtype, const std::byte* rows, int64_t n_rows, int64_t k, std::byte* out, int64_t begin,
                 int64_t end);

}  // namespace minnow
