#include "serve/tls.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace minnow {
namespace {

class TlsTest : public testing::Test {
 protected:
  TlsTest() { std::filesystem::create_directories(folder_); }
  ~TlsTest() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / ("tls_test_" + std::to_string(::getpid()));
};

ErrorCode code_of(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  try {
    TlsContext(certificate, key);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST_F(TlsTest, FilesMustBeThere) { EXPECT_EQ(code_of(folder_ / "none", file("key", "x")), ErrorCode::kNotFound); }

TEST_F(TlsTest, FilesMustBeCertificatesAndKeys) {
  EXPECT_EQ(code_of(file("cert", "nonsense"), file("key", "nonsense")), ErrorCode::kInvalidInput);
  const std::string broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(code_of(file("cert", broken), file("key", broken)), ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace minnow
