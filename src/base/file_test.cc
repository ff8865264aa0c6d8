#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "base/error.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "minnow-file-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  static ErrorCode code_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      return e.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::kInternal;
  }

  fs::path folder_;
};

TEST_F(FileTest, IdentityChangesWithTheFileAndOnlyThen) {
  const auto path = write("a", "hello");
  const FileIdentity first = MappedFile::open(path)->identity();
  EXPECT_EQ(first.size, 5u);
  EXPECT_EQ(first, MappedFile::open(path)->identity());
  const auto modified = fs::last_write_time(path);
  ::usleep(20'000);  // a tick of the file system's clock
  write("a", "world");
  fs::last_write_time(path, modified);
  EXPECT_NE(first, MappedFile::open(path)->identity()) << "also when its time of modification was set back";
}

TEST_F(FileTest, OwnersAreTheirFiles) {
  const auto map = MappedFile::open(write("a", "hello"));
  EXPECT_EQ(MappedFile::owned_by(map), map.get());
  EXPECT_EQ(MappedFile::owned_by(std::make_shared<int>(1)), nullptr);
  EXPECT_EQ(MappedFile::owned_by(nullptr), nullptr);
}

TEST_F(FileTest, PopulatingChangesNothingButWhatIsThere) {
  const auto map = MappedFile::open(write("a", std::string(100'000, 'x')));
  populate_pages(map->bytes());
  populate_pages({});
  EXPECT_EQ(map->bytes()[99'999], std::byte{'x'});
}

TEST_F(FileTest, AMapShowsTheBytesOfTheFile) {
  const auto path = write("a", "hello");
  const auto map = MappedFile::open(path);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(map->bytes().data()), map->bytes().size()), "hello");
  EXPECT_EQ(map->path(), path);
}

TEST_F(FileTest, AnEmptyFileMapsToNoBytes) {
  const auto map = MappedFile::open(write("empty", ""));
  EXPECT_TRUE(map->bytes().empty());
  MappedFile::will_need(map->bytes());
  MappedFile::release(map->bytes());
}

TEST_F(FileTest, ReleasedPagesReadTheSameAgain) {
  const auto map = MappedFile::open(write("big", std::string(1 << 20, 'x')));
  const auto bytes = map->bytes();
  MappedFile::will_need(bytes.subspan(3, 9));
  MappedFile::will_need(bytes);
  MappedFile::release(bytes.subspan(1, bytes.size() - 2));
  EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{'x'}; }));
}

TEST_F(FileTest, OnlyRegularFilesAreRead) {
  const auto fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const fs::path& path :
       {folder_, fs::path("/dev/zero"), fifo}) {  // reading the last two would never end
    EXPECT_EQ(code_of([&] { MappedFile::open(path); }), ErrorCode::kIo) << path;
    EXPECT_EQ(code_of([&] { read_text_file(path, 100); }), ErrorCode::kIo) << path;
  }
  EXPECT_EQ(code_of([&] { MappedFile::open(folder_ / "none"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { read_text_file(folder_ / "none", 100); }), ErrorCode::kNotFound);
}

TEST_F(FileTest, ReadsTextUpToTheLimit) {
  const std::string text("with \0 zero", 11);
  const auto path = write("t", text);
  EXPECT_EQ(read_text_file(path, 11), text);
  EXPECT_EQ(code_of([&] { read_text_file(path, 10); }), ErrorCode::kLimit);
  EXPECT_EQ(read_text_file(write("e", ""), 0), "");
}

TEST_F(FileTest, AnAtomicFileAppearsOnlyWhenCommitted) {
  const auto path = folder_ / "out";
  {
    AtomicFile file(path);
    file.write("some ");
    EXPECT_FALSE(fs::exists(path));
    file.write("text");
    file.commit();
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_EQ(read_text_file(path, 100), "some text");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AnAtomicFileWithoutCommitLeavesNothingAndTheOldFileUntouched) {
  const auto path = write("out", "old");
  {
    AtomicFile file(path);
    file.write(std::string(5 << 20, 'n'));  // past the buffer: some of it is on the disk
    EXPECT_EQ(read_text_file(path, 100), "old");
  }
  EXPECT_EQ(read_text_file(path, 100), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AnAtomicFileReplacesAnOlderOne) {
  const auto path = write("out", "old and longer");
  AtomicFile file(path);
  file.write("new");
  file.commit();
  EXPECT_EQ(read_text_file(path, 100), "new");
}

TEST_F(FileTest, AReaderOfTheOldFileKeepsIt) {
  const auto path = write("out", "old");
  const auto map = MappedFile::open(path);
  AtomicFile file(path);
  file.write("new");
  file.commit();
  EXPECT_EQ(static_cast<char>(map->bytes()[0]), 'o');
}

TEST_F(FileTest, AnAtomicFileRefusesToReplaceWhatIsNotARegularFile) {
  const auto fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const fs::path& path : {folder_, fifo, fs::path("/dev/null")}) {
    EXPECT_EQ(code_of([&] { AtomicFile file(path); }), ErrorCode::kIo) << path;
  }
  EXPECT_EQ(entries(), 1u);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(FileTest, AnAtomicFileInAMissingFolderIsNotFound) {
  EXPECT_EQ(code_of([&] { AtomicFile file(folder_ / "no" / "out"); }), ErrorCode::kNotFound);
}

TEST_F(FileTest, ARelativeNameIsWrittenToTheCurrentFolder) {
  const auto before = fs::current_path();
  fs::current_path(folder_);
  {
    AtomicFile file("relative");
    file.write("x");
    file.commit();
  }
  fs::current_path(before);
  EXPECT_EQ(read_text_file(folder_ / "relative", 10), "x");
}

TEST_F(FileTest, PaddingFillsUpWithZeros) {
  const auto path = folder_ / "out";
  AtomicFile file(path);
  file.pad_to(32);
  EXPECT_EQ(file.size(), 0u);
  file.write("abc");
  file.pad_to(256);
  EXPECT_EQ(file.size(), 256u);
  file.pad_to(256);
  file.pad_to(1);
  file.write(std::string((1 << 20) + 1, 'z'));
  file.pad_to(4096);
  const uint64_t size = file.size();
  EXPECT_EQ(size % 4096, 0u);
  file.commit();
  const std::string text = read_text_file(path, 10 << 20);
  EXPECT_EQ(text.size(), size);
  EXPECT_EQ(text.substr(0, 256), "abc" + std::string(253, '\0'));
  EXPECT_EQ(text.back(), '\0');
}

TEST_F(FileTest, AFailedWriteIsReportedAndLeavesNothing) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  // The folder vanishes: the rename cannot work.
  fs::create_directory(folder_ / "sub");
  AtomicFile file(folder_ / "sub" / "out");
  file.write("x");
  fs::remove_all(folder_ / "sub");
  EXPECT_EQ(code_of([&] { file.commit(); }), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace minnow
