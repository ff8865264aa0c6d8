// Which instruction sets this machine has, and which one is used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace minnow {

// Ascending on each architecture. kAvx512 means F, BW, DQ, VL, VNNI and BF16 together.
enum class Isa { kBaseline, kNeon, kAvx2, kAvx512 };

std::string_view name(Isa isa);  // "baseline", "neon", "avx2", "avx512"

// What this machine can run, lowest first.
const std::vector<Isa>& available_isas();

// The best available one, or the lower one that the environment variable MINNOW_ISA names.
// Throws kInvalidInput when that is unknown or not available here.
Isa chosen_isa();

// Features that doctor prints, e.g. "avx512_vnni": those of this CPU that minnow knows of.
std::vector<std::string> cpu_features();

}  // namespace minnow
