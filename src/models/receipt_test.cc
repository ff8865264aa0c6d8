#include "models/receipt.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/test_bytes.h"
#include "models/sha256.h"

namespace minnow {
namespace {

TEST(Digest, is_that_of_the_standard) {
  const testing::TemporaryFolder folder;
  // FIPS 180-4's examples.
  EXPECT_EQ(sha256_of_file(folder.write("abc", "abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of_file(folder.write("empty", "")).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_THROW(sha256_of_file(folder / "missing"), Error);
}

TEST(Receipt, names_what_came_in_and_what_came_out) {
  const testing::TemporaryFolder folder;
  const auto out = folder.write("small.gguf", "abc");
  std::filesystem::create_directory(folder / "parent");
  folder.write("parent/b", "b");
  folder.write("parent/a", "a");
  write_receipt(out, {.step = "quantize", .parents = {folder / "parent"}, .data = {}, .settings = {{"recipe", "Q8_0"}}, .measured = {}});
  const Json json = parse_json(read_text_file(folder / "small.receipt.json", 1 << 20), "receipt");
  EXPECT_EQ(json["step"], "quantize");
  EXPECT_EQ(json["output"][0]["name"], "small.gguf");
  EXPECT_EQ(json["output"][0]["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(json["parents"].size(), 2u);
  EXPECT_EQ(json["parents"][0]["name"], "parent/a");
  EXPECT_EQ(json["settings"]["recipe"], "Q8_0");
}

TEST(Receipt, lies_in_a_folder_when_the_model_is_one) {
  const testing::TemporaryFolder folder;
  EXPECT_EQ(receipt_path(folder.path()), folder / "receipt.json");
  EXPECT_EQ(receipt_path(folder / "m.gguf"), folder / "m.receipt.json");
}

}  // namespace
}  // namespace minnow
