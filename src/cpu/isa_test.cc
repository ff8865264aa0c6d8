#include "cpu/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/error.h"
#include "cpu/executor.h"

namespace minnow {
namespace {

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
  for (const Isa isa : {Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
    const auto& have = available_isas();
    if (std::find(have.begin(), have.end(), isa) != have.end()) continue;
    set(std::string(name(isa)));
    EXPECT_THROW(chosen_isa(), Error);
  }
}

TEST(Isa, BaselineIsAlwaysThereAndLevelsAscend) {
  const auto& isas = available_isas();
  EXPECT_EQ(isas.front(), Isa::kBaseline);
  EXPECT_TRUE(std::is_sorted(isas.begin(), isas.end()));
}

TEST(Isa, EveryAvailableLevelHasAWholeTable) {
  for (const Isa isa : available_isas()) {
    const Kernels& table = kernels_for(isa);
    void (*entries[sizeof(Kernels) / sizeof(void (*)())])();
    static_assert(sizeof(entries) == sizeof(table));
    __builtin_memcpy(entries, &table, sizeof(table));
    const int without_bf16 = (table.round_bf16 == nullptr) + (table.matmul_f16_as_bf16 == nullptr) +
                             (table.matmul_bf16_as_bf16 == nullptr) + (table.bf16_rate == nullptr);
    EXPECT_TRUE(without_bf16 == 0 || without_bf16 == 4) << name(isa);
    EXPECT_EQ(std::count(std::begin(entries), std::end(entries), nullptr), without_bf16) << name(isa);
  }
}

}  // namespace
}  // namespace minnow
