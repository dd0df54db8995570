// Atomic writes: contents, replacement, and what is left behind when they fail.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "octet/error.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

class AtomicFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "octet-atomic-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void expect_io_error(const std::string& path, std::span<const std::byte> bytes,
                       const std::string& reason) {
    try {
      write_file_atomically(path, bytes);
      ADD_FAILURE() << "written: " << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kIo);
      EXPECT_NE(std::string(e.what()).find(reason), std::string::npos) << e.what();
      EXPECT_EQ(std::string(e.what()).rfind(path, 0), 0u) << e.what();
    }
  }

  fs::path folder_;
};

TEST_F(AtomicFile, WritesAndReplaces) {
  const fs::path path = folder_ / "out.png";
  write_file_atomically(path, bytes_of("first"));
  EXPECT_EQ(content(path), "first");
  write_file_atomically(path, bytes_of(""));
  EXPECT_EQ(content(path), "");
  const std::string large(3 << 20, 'x');
  write_file_atomically(path, bytes_of(large));
  EXPECT_EQ(content(path), large);
  EXPECT_EQ(entries(folder_), 1u);
}

TEST_F(AtomicFile, AnOpenReaderKeepsTheOldFile) {
  const fs::path path = folder_ / "out.png";
  write_file_atomically(path, bytes_of("old"));
  std::ifstream reader(path);
  write_file_atomically(path, bytes_of("new, longer"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "old");
  EXPECT_EQ(content(path), "new, longer");
}

TEST_F(AtomicFile, FollowsLinksAndTakesLongNames) {
  write_file_atomically(folder_ / "real.png", bytes_of("1"));
  fs::create_symlink("real.png", folder_ / "link.png");
  write_file_atomically(folder_ / "link.png", bytes_of("2"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.png"));
  EXPECT_EQ(content(folder_ / "real.png"), "2");
  const std::string name(251, 'n');
  write_file_atomically(folder_ / (name + ".png"), bytes_of("3"));
  EXPECT_EQ(content(folder_ / (name + ".png")), "3");
  EXPECT_EQ(entries(folder_), 3u);
}

TEST_F(AtomicFile, RelativeNamesWork) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  write_file_atomically("out.png", bytes_of("x"));
  fs::current_path(before);
  EXPECT_EQ(content(folder_ / "out.png"), "x");
}

TEST_F(AtomicFile, BadTargetsAreNamed) {
  expect_io_error(folder_ / "missing" / "out.png", bytes_of("x"), "No such file or directory");
  expect_io_error(folder_, bytes_of("x"), "Is a directory");
  expect_io_error("", bytes_of("x"), "No such file");
  write_file_atomically(folder_ / "file", bytes_of("x"));
  expect_io_error(folder_ / "file" / "out.png", bytes_of("x"), "Not a directory");
  EXPECT_EQ(entries(folder_), 1u);
}

TEST_F(AtomicFile, DevicesAreWrittenDirectly) {
  write_file_atomically("/dev/null", bytes_of("x"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  if (fs::exists("/dev/full")) expect_io_error("/dev/full", bytes_of("x"), "No space left");
}

// Every file of this process is limited, as by a full disk: the old file stays, nothing else.
TEST_F(AtomicFile, AFullDiskLeavesTheOldFile) {
  const fs::path path = folder_ / "out.png";
  write_file_atomically(path, bytes_of("old"));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  expect_io_error(path, bytes_of(std::string(100000, 'x')), "File too large");
  expect_io_error(folder_ / "new.png", bytes_of(std::string(100000, 'x')), "File too large");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(entries(folder_), 1u);
}

TEST_F(AtomicFile, AFullFileSystemLeavesTheOldFile) {
  const fs::path mounted = folder_ / "small";
  fs::create_directory(mounted);
  if (::mount("none", mounted.c_str(), "tmpfs", 0, "size=64k") != 0) GTEST_SKIP() << "not root";
  const fs::path path = mounted / "out.png";
  write_file_atomically(path, bytes_of("old"));
  expect_io_error(path, bytes_of(std::string(1 << 20, 'x')), "No space left on device");
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(entries(mounted), 1u);
  ::umount(mounted.c_str());
}

// A root without /proc: unnamed files cannot be given a name, so a named temporary file is used.
TEST_F(AtomicFile, WorksWithoutProc) {
  write_file_atomically(folder_ / "out.png", bytes_of("old"));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::chroot(folder_.c_str()) != 0) ::_exit(77);
    try {
      write_file_atomically("/out.png", bytes_of("new"));
      write_file_atomically("/second.png", bytes_of("second"));
      const rlimit small{4096, 4096};
      ::setrlimit(RLIMIT_FSIZE, &small);
      std::signal(SIGXFSZ, SIG_IGN);
      write_file_atomically("/out.png", bytes_of(std::string(9999, 'x')));
      ::_exit(2);
    } catch (const Error& e) {
      ::_exit(std::string(e.what()).find("File too large") != std::string::npos ? 0 : 3);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "not root";
  EXPECT_EQ(status, 0);
  EXPECT_EQ(content(folder_ / "out.png"), "new");
  EXPECT_EQ(content(folder_ / "second.png"), "second");
  EXPECT_EQ(entries(folder_), 2u);
}

// A file that is a mount point cannot be replaced; the temporary one must go again.
TEST_F(AtomicFile, AFailedRenameLeavesNothing) {
  const fs::path path = folder_ / "out.png";
  write_file_atomically(path, bytes_of("old"));
  if (::mount(path.c_str(), path.c_str(), "", MS_BIND, "") != 0) GTEST_SKIP() << "not root";
  expect_io_error(path, bytes_of("new"), "busy");
  ::umount(path.c_str());
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(entries(folder_), 1u);
}

TEST_F(AtomicFile, AReadOnlyFolderIsRefused) {
  fs::create_directory(folder_ / "locked");
  ::chmod((folder_ / "locked").c_str(), 0555);
  if (::geteuid() == 0) {  // root passes every permission check; another user does not
    ::chmod(folder_.c_str(), 0755);
    ASSERT_EQ(::seteuid(65534), 0);
    expect_io_error(folder_ / "locked" / "out.png", bytes_of("x"), "Permission denied");
    ASSERT_EQ(::seteuid(0), 0);
  } else {
    expect_io_error(folder_ / "locked" / "out.png", bytes_of("x"), "Permission denied");
  }
  EXPECT_EQ(entries(folder_ / "locked"), 0u);
}

TEST_F(AtomicFile, ParallelWritersLeaveOneWholeFile) {
  const fs::path path = folder_ / "out.png";
  std::vector<std::thread> threads;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    threads.emplace_back([&, letter] {
      const std::string text(50000, letter);
      for (int i = 0; i < 5; ++i) write_file_atomically(path, bytes_of(text));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = content(path);
  EXPECT_EQ(text, std::string(50000, text.at(0)));
  EXPECT_EQ(entries(folder_), 1u);
}

TEST_F(AtomicFile, WriteAllReportsABrokenPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_THROW(write_all(ends[1], bytes_of("x"), "standard output"), Error);
  std::signal(SIGPIPE, handler);
  ::close(ends[1]);
}

TEST_F(AtomicFile, PendingFileIsReadableButHasNoName) {
  const std::string path = folder_ / "out.bin";
  std::ofstream(path) << "old";
  {
    PendingFile file(path);
    file.append(bytes_of("abcdef"));
    file.append(bytes_of("ghi"));
    file.overwrite(2, bytes_of("CD"));
    file.append(bytes_of("j"));
    EXPECT_EQ(content(file.readable_name()), "abCDefghij");
    EXPECT_EQ(content(path), "old");
    file.commit();
    EXPECT_EQ(content(path), "abCDefghij");
  }
  EXPECT_EQ(content(path), "abCDefghij");
  EXPECT_EQ(entries(folder_), 1u);
}

TEST_F(AtomicFile, PendingFileWithoutCommitLeavesNothing) {
  {
    PendingFile file(folder_ / "out.bin");
    file.append(bytes_of("abc"));
  }
  EXPECT_EQ(entries(folder_), 0u);
}

TEST_F(AtomicFile, PendingFileRefusesWhatIsNoFile) {
  for (const std::string& path : {(folder_ / "no" / "x").string(), folder_.string(),
                                  std::string("/dev/null"), std::string()}) {
    try {
      const PendingFile file(path);
      ADD_FAILURE() << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kIo);
    }
  }
}

}  // namespace
}  // namespace octet
