#include "respond/model_names.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/test_refusal.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

class ModelNamesIn : public testing::Test {
 protected:
  ModelNamesIn() {
    std::string pattern = (fs::temp_directory_path() / "minnow-names-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ModelNamesIn() override { fs::remove_all(folder_); }
  fs::path file(const std::string& name, const std::string& text = "abc") const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  static std::vector<std::string> names(const std::vector<ModelEntry>& entries) {
    std::vector<std::string> out;
    for (const ModelEntry& e : entries) out.push_back(e.name);
    return out;
  }

  fs::path folder_;
};

TEST(ModelNames, AreWhatStandsBeforeTheEndingOfAFile) {
  EXPECT_EQ(model_name("a/Qwen3-0.6B-Q8_0.gguf"), "Qwen3-0.6B-Q8_0");
  EXPECT_EQ(model_name("a/big-00001-of-00003.gguf"), "big");
  EXPECT_EQ(model_name("a/big-0001-of-00003.gguf"), "big-0001-of-00003");
  EXPECT_EQ(model_name("models/qwen2.5-0.5b"), "qwen2.5-0.5b") << "a folder";
  EXPECT_EQ(model_name("models/qwen2.5-0.5b/"), "qwen2.5-0.5b");
  EXPECT_EQ(model_name("stories15M.bin"), "stories15M");
}

TEST_F(ModelNamesIn, AreFoundInAnyCaseWithTheTagOrTheEnding) {
  ModelNames names({});
  names.add(model_entry(file("Tiny-1.5.gguf")));
  for (const char* name : {"Tiny-1.5", "tiny-1.5", "tiny-1.5:latest", "TINY-1.5.gguf", "library/tiny-1.5", "Library/Tiny-1.5:latest",
                           "registry.ollama.ai/library/tiny-1.5:latest", "https://registry.ollama.ai/library/tiny-1.5"}) {
    const ModelEntry* entry = names.find(name);
    ASSERT_NE(entry, nullptr) << name;
    EXPECT_EQ(entry->name, "Tiny-1.5");
    EXPECT_EQ(entry->bytes, 3u);
    EXPECT_GT(entry->modified_unix, 1'600'000'000);
  }
  for (const char* name : {"", "tiny", "tiny-1.5:other", "../Tiny-1.5", ":latest", ".gguf", "library/", "somebody/tiny-1.5"}) {
    EXPECT_EQ(names.find(name), nullptr) << name;
  }
  EXPECT_EQ(names.nearest("tiny-1.6"), "Tiny-1.5");
  EXPECT_EQ(names.nearest("something else"), "");
}

TEST_F(ModelNamesIn, OneNameIsOneFile) {
  ModelNames names({});
  names.add(model_entry(file("a.gguf")));
  names.add(model_entry(folder_ / "." / "a.gguf"));
  fs::create_directory(folder_ / "b");
  EXPECT_FALSE(test::refusal([&] { names.add(model_entry(file("b/A.gguf"))); }).empty());
  EXPECT_FALSE(test::refusal([&] { names.add(model_entry(folder_ / "none.gguf")); }).empty());
  EXPECT_FALSE(test::refusal([&] { names.add({.name = "", .path = "x"}); }).empty());
  EXPECT_EQ(names.all().size(), 1u);
}

TEST_F(ModelNamesIn, FilesOfAFolderThatAnotherHidesAreTold) {
  ModelNames names({folder_});
  file("good.gguf");
  file("GOOD.gguf");
  file("big-00001-of-00002.gguf");
  file("big-00002-of-00002.gguf");
  names.read_folders();
  ASSERT_EQ(names.hidden().size(), 1u);
  EXPECT_EQ(names.hidden()[0].rfind((folder_ / "good.gguf").string() + ": is not served, " + (folder_ / "GOOD.gguf").string(), 0), 0u) << names.hidden()[0];
  fs::remove(folder_ / "GOOD.gguf");
  names.read_folders();
  EXPECT_TRUE(names.hidden().empty());
  names.add(model_entry(folder_ / "good.gguf"));
  names.read_folders();
  EXPECT_TRUE(names.hidden().empty()) << "the same file";
  fs::create_directory(folder_ / "b");
  names.add(model_entry(file("b/Big.gguf")));
  names.read_folders();
  EXPECT_EQ(names.hidden().size(), 1u) << "named by a path, it goes before";
}

TEST_F(ModelNamesIn, FoldersAreReadAgain) {
  ModelNames names({folder_, folder_ / "none"});
  file("one.gguf");
  file("two-00001-of-00002.gguf");
  file("two-00002-of-00002.gguf");
  file("notes.txt");
  EXPECT_TRUE(names.all().empty());
  names.read_folders();
  EXPECT_EQ(this->names(names.all()), (std::vector<std::string>{"one", "two"}));
  fs::remove(folder_ / "one.gguf");
  file("three.gguf");
  names.read_folders();
  EXPECT_EQ(this->names(names.all()), (std::vector<std::string>{"three", "two"}));
  fs::create_directory(folder_ / "b");
  names.add(model_entry(file("b/two.gguf", "abcdef")));
  EXPECT_EQ(names.find("two")->bytes, 6u) << "what was added goes before";
}

}  // namespace
}  // namespace minnow
