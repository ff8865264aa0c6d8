#include "cpu/isa.h"

#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/error.h"

namespace minnow {
namespace {

struct Feature {
  const char* name;  // as Linux prints it in /proc/cpuinfo
  bool present;
};

#if defined(__x86_64__)

#define MINNOW_CPU_HAS(feature) (__builtin_cpu_supports(feature) != 0)  // the builtin wants a literal

// Clang 14 has no names for these two. They count only beside AVX2, from which it is known that the system saves the
// registers.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
}
bool has_avx_vnni_bit() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || a < 1) return false;  // a: the last subleaf
  __cpuid_count(7, 1, a, b, c, d);
  return (a >> 4 & 1) != 0;
}

bool has_avx2() { return MINNOW_CPU_HAS("avx2") && MINNOW_CPU_HAS("fma") && has_f16c(); }
bool has_avx_vnni() { return has_avx2() && has_avx_vnni_bit(); }
bool has_avx512() {
  return has_avx2() && MINNOW_CPU_HAS("avx512f") && MINNOW_CPU_HAS("avx512bw") &&
         MINNOW_CPU_HAS("avx512dq") && MINNOW_CPU_HAS("avx512vl") && MINNOW_CPU_HAS("avx512vnni");
}

// Tiles are 8 KB of registers: Linux gives them to a process that asks. Clang 14 has no names for these two either.
bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTile = 1u << 24, kBf16 = 1u << 22;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTile) == 0 || (d & kBf16) == 0) return false;
  constexpr long kAskForState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
}

// Zen 3 and 4.
bool is_amd_family_19h() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__builtin_cpu_is("amd") || __get_cpuid(1, &a, &b, &c, &d) == 0) return false;
  return (a >> 8 & 0xF) + (a >> 20 & 0xFF) == 0x19;
}

std::vector<Feature> features() {
  return {
      {"sse4_2", MINNOW_CPU_HAS("sse4.2")},
      {"avx", MINNOW_CPU_HAS("avx")},
      {"avx2", MINNOW_CPU_HAS("avx2")},
      {"fma", MINNOW_CPU_HAS("fma")},
      {"f16c", has_f16c()},
      {"avx_vnni", has_avx_vnni()},
      {"avx512f", MINNOW_CPU_HAS("avx512f")},
      {"avx512bw", MINNOW_CPU_HAS("avx512bw")},
      {"avx512_vnni", MINNOW_CPU_HAS("avx512vnni")},
      {"avx512_bf16", MINNOW_CPU_HAS("avx512bf16")},
      {"amx_bf16", has_amx()},
  };
}

std::vector<Isa> detect() {
  std::vector<Isa> isas = {Isa::kBaseline};
  if (has_avx2()) isas.push_back(Isa::kAvx2);
  if (has_avx_vnni()) isas.push_back(Isa::kAvxVnni);
  if (has_avx512()) isas.push_back(Isa::kAvx512);
  if (has_avx512() && MINNOW_CPU_HAS("avx512bf16")) isas.push_back(Isa::kAvx512Bf16);
  if (isas.back() == Isa::kAvx512Bf16 && has_amx()) isas.push_back(Isa::kAmx);
  return isas;
}

#elif defined(__aarch64__)

bool has_dotprod() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
bool has_i8mm() { return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }
bool has_bf16() { return (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0; }

std::vector<Feature> features() {
  return {{"asimd", true}, {"asimddp", has_dotprod()}, {"i8mm", has_i8mm()}, {"bf16", has_bf16()}};
}

std::vector<Isa> detect() {
  std::vector<Isa> isas = {Isa::kBaseline, Isa::kNeon};
  if (has_dotprod()) isas.push_back(Isa::kNeonDotprod);
  if (has_dotprod() && has_i8mm() && has_bf16()) isas.push_back(Isa::kNeonI8mm);
  return isas;
}

#else

std::vector<Feature> features() { return {}; }
std::vector<Isa> detect() { return {Isa::kBaseline}; }

#endif

}  // namespace

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::kBaseline: return "baseline";
    case Isa::kNeon: return "neon";
    case Isa::kNeonDotprod: return "neon_dotprod";
    case Isa::kNeonI8mm: return "neon_i8mm";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvxVnni: return "avxvnni";
    case Isa::kAvx512: return "avx512";
    case Isa::kAvx512Bf16: return "avx512bf16";
    case Isa::kAmx: return "amx";
  }
  return "?";
}

const std::vector<Isa>& available_isas() {
  static const std::vector<Isa> isas = detect();
  return isas;
}

Isa chosen_isa() {
  const char* wanted = std::getenv("MINNOW_ISA");
  if (wanted == nullptr || *wanted == '\0') return available_isas().back();
  std::string names;
  for (const Isa isa : available_isas()) {
    if (name(isa) == wanted) return isa;
    names += (names.empty() ? "" : ", ") + std::string(name(isa));
  }
  throw Error(ErrorCode::kInvalidInput, fmt::format("MINNOW_ISA={} is not available on this CPU", wanted),
              "choose one of: " + names);
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> names;
  for (const Feature& f : features()) {
    if (f.present) names.emplace_back(f.name);
  }
  return names;
}

bool follows_streams() {
#if defined(__x86_64__)
  static const bool follows = is_amd_family_19h();  // measured on Zen 4: docs/performance.md
  return follows;
#else
  return false;
#endif
}

}  // namespace minnow
