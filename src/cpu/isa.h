// Which instruction sets this machine has, and which one is used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace minnow {

// Ascending on each architecture: of those that a machine has, the last is the fastest. Each means itself and:
enum class Isa {
  kBaseline,     // x86-64 (SSE2), or any other CPU
  kNeon,         // every 64-bit Arm CPU
  kNeonDotprod,  // DotProd
  kNeonI8mm,     // DotProd, I8MM, BF16
  kAvx2,         // FMA, F16C
  kAvxVnni,      // AVX2, FMA, F16C
  kAvx512,       // F, BW, DQ, VL, VNNI
  kAvx512Bf16,   // F, BW, DQ, VL, VNNI
  kAmx,          // those and TILE, BF16; the system must let programs use tiles
};

std::string_view name(Isa isa);  // as its folder: "baseline", "neon_dotprod", "avx512bf16", ...

// What this machine can run, lowest first.
const std::vector<Isa>& available_isas();

// The best available one, or the lower one that the environment variable MINNOW_ISA names.
// Throws kInvalidInput when that is unknown or not available here.
Isa chosen_isa();

// Whether the hardware fetches a contiguous stream in time by itself, so that asking for it only slows it down.
bool follows_streams();

// Features that doctor prints, e.g. "avx512_vnni": those of this CPU that minnow knows of.
std::vector<std::string> cpu_features();

}  // namespace minnow
