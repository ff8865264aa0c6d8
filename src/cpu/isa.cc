#include "cpu/isa.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"

namespace minnow {
namespace {

#if defined(__x86_64__)
#define MINNOW_CPU_HAS(feature) (__builtin_cpu_supports(feature) != 0)  // the builtin wants a literal
bool has_avx2() { return MINNOW_CPU_HAS("avx2") && MINNOW_CPU_HAS("fma") && MINNOW_CPU_HAS("f16c"); }
bool has_avx512() {
  return has_avx2() && MINNOW_CPU_HAS("avx512f") && MINNOW_CPU_HAS("avx512bw") && MINNOW_CPU_HAS("avx512dq") &&
         MINNOW_CPU_HAS("avx512vl") && MINNOW_CPU_HAS("avx512vnni") && MINNOW_CPU_HAS("avx512bf16");
}
#endif

std::vector<Isa> detect() {
  std::vector<Isa> isas = {Isa::kBaseline};
#if defined(__x86_64__)
  if (has_avx2()) isas.push_back(Isa::kAvx2);
  if (has_avx512()) isas.push_back(Isa::kAvx512);
#elif defined(__aarch64__)
  isas.push_back(Isa::kNeon);
#endif
  return isas;
}

}  // namespace

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::kBaseline: return "baseline";
    case Isa::kNeon: return "neon";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvx512: return "avx512";
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
  std::vector<std::string> features;
#if defined(__x86_64__)
  const std::pair<const char*, bool> known[] = {
      {"sse4_2", MINNOW_CPU_HAS("sse4.2")},         {"avx", MINNOW_CPU_HAS("avx")},
      {"avx2", MINNOW_CPU_HAS("avx2")},             {"fma", MINNOW_CPU_HAS("fma")},
      {"avx512f", MINNOW_CPU_HAS("avx512f")},       {"avx512bw", MINNOW_CPU_HAS("avx512bw")},
      {"avx512_vnni", MINNOW_CPU_HAS("avx512vnni")}, {"avx512_bf16", MINNOW_CPU_HAS("avx512bf16")},
  };
  for (const auto& [feature, present] : known) {
    if (present) features.emplace_back(feature);
  }
#elif defined(__aarch64__)
  features.emplace_back("neon");
#endif
  return features;
}

}  // namespace minnow
