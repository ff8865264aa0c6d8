#include "cpu/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "base/error.h"
#include "cpu/dense_matmul.h"
#include "cpu/executor.h"

namespace minnow {
namespace {

constexpr Isa kAllLevels[] = {Isa::kBaseline, Isa::kNeon,    Isa::kNeonDotprod, Isa::kNeonI8mm,
                              Isa::kAvx2,     Isa::kAvxVnni, Isa::kAvx512,      Isa::kAvx512Bf16, Isa::kAmx};

bool is_available(Isa isa) {
  const auto& have = available_isas();
  return std::find(have.begin(), have.end(), isa) != have.end();
}

// Sets MINNOW_ISA for the length of a test.
class IsaVariable : public testing::Test {
 protected:
  IsaVariable() {
    if (const char* value = std::getenv("MINNOW_ISA")) before_ = value;
  }
  ~IsaVariable() override {
    if (before_) {
      ::setenv("MINNOW_ISA", before_->c_str(), 1);
    } else {
      ::unsetenv("MINNOW_ISA");
    }
  }
  static void set(const std::string& value) { ::setenv("MINNOW_ISA", value.c_str(), 1); }

 private:
  std::optional<std::string> before_;
};

TEST_F(IsaVariable, UnsetOrEmptyChoosesTheBest) {
  ::unsetenv("MINNOW_ISA");
  EXPECT_EQ(chosen_isa(), available_isas().back());
  set("");
  EXPECT_EQ(chosen_isa(), available_isas().back());
}

TEST_F(IsaVariable, NamesAnyAvailableLevel) {
  for (const Isa isa : available_isas()) {
    set(std::string(name(isa)));
    EXPECT_EQ(chosen_isa(), isa);
  }
}

TEST_F(IsaVariable, AnUnknownNameIsRefusedWithTheChoices) {
  for (const char* wrong : {"avx9", "AVX2", " baseline", "baseline,avx2"}) {
    set(wrong);
    try {
      chosen_isa();
      ADD_FAILURE() << "accepted " << wrong;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
      EXPECT_NE(std::string(e.what()).find(wrong), std::string::npos) << e.what();
      for (const Isa isa : available_isas())
        EXPECT_NE(e.hint().find(name(isa)), std::string::npos) << e.hint();
    }
  }
}

TEST_F(IsaVariable, ALevelOfAnotherCpuIsRefused) {
  for (const Isa isa : kAllLevels) {
    if (is_available(isa)) continue;
    set(std::string(name(isa)));
    EXPECT_THROW(chosen_isa(), Error);
  }
}

TEST(Isa, BaselineIsAlwaysThereAndLevelsAscend) {
  const auto& isas = available_isas();
  EXPECT_EQ(isas.front(), Isa::kBaseline);
  EXPECT_TRUE(std::is_sorted(isas.begin(), isas.end()));
}

TEST(Isa, LevelsHaveNamesAndTablesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Isa isa : kAllLevels) names.insert(name(isa));
  EXPECT_EQ(names.size(), std::size(kAllLevels));
  std::set<const TrainKernels*> tables;
  for (const Isa isa : available_isas()) tables.insert(&train_kernels_for(isa));
  EXPECT_EQ(tables.size(), available_isas().size());
}

// The kernel knows by its own means what the CPU has.
TEST(Isa, AgreesWithTheFeaturesThatTheKernelLists) {
#if defined(MINNOW_EMULATED) || !defined(__x86_64__)
  GTEST_SKIP() << "the list would be that of another CPU";
#endif
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && line.rfind("flags", 0) != 0) {}
  std::istringstream words(line);
  std::set<std::string> flags;
  for (std::string word; words >> word;) flags.insert(word);
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo lists no flags";
  const auto all = [&](std::initializer_list<const char*> wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const char* f) { return flags.count(f) > 0; });
  };
  const bool avx2 = all({"avx2", "fma", "f16c"});
  const bool avx512 = avx2 && all({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"});
  EXPECT_EQ(is_available(Isa::kAvx2), avx2);
  EXPECT_EQ(is_available(Isa::kAvxVnni), avx2 && all({"avx_vnni"}));
  EXPECT_EQ(is_available(Isa::kAvx512), avx512);
  EXPECT_EQ(is_available(Isa::kAvx512Bf16), avx512 && all({"avx512_bf16"}));
  // The kernel may keep tiles to itself.
  if (!(avx512 && all({"avx512_bf16", "amx_tile", "amx_bf16"}))) EXPECT_FALSE(is_available(Isa::kAmx));
}

TEST(Isa, OnAnEmulatedCpuTheBestLevelIsTheOneThatItHas) {
  const char* cpu = std::getenv("QEMU_CPU");
  if (cpu == nullptr) GTEST_SKIP() << "runs under qemu-user with QEMU_CPU";
  const std::map<std::string, Isa> levels = {
      {"cortex-a72", Isa::kNeon}, {"cortex-a76", Isa::kNeonDotprod}, {"max", Isa::kNeonI8mm}};
  EXPECT_EQ(name(available_isas().back()), name(levels.at(cpu)));
}

TEST(Isa, EveryAvailableLevelHasAWholeTable) {
  for (const Isa isa : available_isas()) {
    const Kernels& table = kernels_for(isa);
    void (*entries[sizeof(Kernels) / sizeof(void (*)())])();
    static_assert(sizeof(entries) == sizeof(table));
    __builtin_memcpy(entries, &table, sizeof(table));
    const int without_bf16 = (table.round_bf16 == nullptr) + (table.matmul_f16_as_bf16 == nullptr) +
                             (table.matmul_bf16_as_bf16 == nullptr) + (table.bf16_rate == nullptr);
    EXPECT_EQ(without_bf16, table.bf16_products() ? 0 : 4) << name(isa);
    EXPECT_EQ(std::count(std::begin(entries), std::end(entries), nullptr), without_bf16) << name(isa);
  }
}

}  // namespace
}  // namespace minnow
