#include <gtest/gtest.h>

#include "base/file.h"
#include "models/family.h"

namespace minnow {
namespace {

TEST(FamilyDocs, TheTableOfModelsIsTheRegistry) {
  const std::string page = read_text_file(MINNOW_SOURCE_DIR "/docs/models.md", 1 << 20);
  EXPECT_NE(page.find(families_markdown()), std::string::npos)
      << "docs/models.md does not hold this table:\n" << families_markdown();
}

TEST(FamilyDocs, EveryFamilyHasItsOwnNamesAndThoseThatShareAGgufNameComeInOrder) {
  for (const Family* f : kFamilies) {
    EXPECT_FALSE(f->models.empty());
    EXPECT_EQ(family_from_hf(f->hf_architectures[0], ""), f) << f->hf_architectures[0];
    const Family* by_type = family_from_hf("", f->hf_model_type);
    ASSERT_NE(by_type, nullptr);
    EXPECT_EQ(by_type->hf_model_type, f->hf_model_type);
    EXPECT_NE(family_from_gguf_name(f->gguf_name), nullptr);
  }
}

}  // namespace
}  // namespace minnow
