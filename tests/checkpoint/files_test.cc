#include "checkpoint/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "checkpoint/disk_file.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace octet {
namespace {

using test::bytes_of;
using test::expect_error;
using test::TempFolder;

std::string text_of(const ByteSource& source, std::uint64_t offset, std::size_t count) {
  std::string text(count, '?');
  source.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

constexpr unsigned char kConfig[] = {'{', '}'};
constexpr unsigned char kWeights[] = {'a', 'b', 'c', 'd'};
const EmbeddedFile kTable[] = {
    {"vae/weights", std::begin(kWeights), std::end(kWeights)},
    {"a.json", std::begin(kConfig), std::end(kConfig)},
    {"vae/empty", nullptr, nullptr},
};

// What must hold for a model's files wherever they are.
void expect_same_behaviour(const FileSet& files) {
  EXPECT_EQ(files.list(), (std::vector<std::string>{"a.json", "vae/empty", "vae/weights"}));
  EXPECT_TRUE(files.has("vae/weights"));
  for (const char* absent : {"", "vae", "weights", "vae/", "VAE/weights", "/a.json"}) {
    EXPECT_FALSE(files.has(absent)) << absent;
  }
  const auto source = files.open("vae/weights");
  EXPECT_EQ(source->size(), 4u);
  EXPECT_EQ(source->name(), files.location() + "/vae/weights");
  EXPECT_EQ(text_of(*source, 1, 2), "bc");
  EXPECT_EQ(text_of(*source, 4, 0), "");
  const std::string name = source->name();
  expect_error(Code::kIo, name, [&] { (void)text_of(*source, 3, 2); });
  expect_error(Code::kIo, name, [&] { (void)text_of(*source, 5, 0); });
  expect_error(Code::kIo, name, [&] { (void)text_of(*source, ~std::uint64_t{0}, 2); });
  EXPECT_EQ(files.open("vae/empty")->size(), 0u);
  EXPECT_EQ(read_text(files, "a.json"), "{}");
  EXPECT_EQ(read_text(files, "vae/empty"), "");
  expect_error(Code::kIo, "at most 3 bytes", [&] { (void)read_text(files, "vae/weights", 3); });
  EXPECT_EQ(read_text(files, "vae/weights", 4), "abcd");
  expect_error(Code::kIo, "absent", [&] { (void)files.open("absent"); });
}

TEST(FileSet, Embedded) {
  const auto files = open_embedded("built-in:tiny", kTable);
  EXPECT_EQ(files->location(), "built-in:tiny");
  expect_same_behaviour(*files);
}

TEST(FileSet, Folder) {
  const TempFolder folder;
  folder.write("a.json", bytes_of("{}"));
  folder.write("vae/weights", bytes_of("abcd"));
  folder.write("vae/empty", {});
  const auto files = open_folder(folder.path());
  EXPECT_EQ(files->location(), folder.path());
  expect_same_behaviour(*files);
}

TEST(FileSet, FolderLooksTwoLevelsDeep) {
  const TempFolder folder;
  folder.write("one/two.txt", {});
  folder.write("one/two/three.txt", {});
  EXPECT_EQ(open_folder(folder.path())->list(), (std::vector<std::string>{"one/two.txt"}));
}

TEST(FileSet, LinksAreFollowedAndLoopsEnd) {
  const TempFolder folder;
  folder.write("store/blob", bytes_of("linked"));
  std::filesystem::create_directory(folder.path() + "/vae");
  std::filesystem::create_symlink("../store/blob", folder.path() + "/vae/weights");
  std::filesystem::create_directory_symlink("..", folder.path() + "/vae/loop");
  std::filesystem::create_symlink("nowhere", folder.path() + "/vae/broken");
  const auto files = open_folder(folder.path());
  EXPECT_EQ(read_text(*files, "vae/weights"), "linked");
  expect_error(Code::kIo, "vae/broken", [&] { (void)files->open("vae/broken"); });
}

TEST(FileSet, WhatIsNotAFolder) {
  const TempFolder folder;
  const std::string file = folder.write("file", bytes_of("x"));
  expect_error(Code::kIo, file, [&] { (void)open_folder(file); });
  expect_error(Code::kIo, "absent", [&] { (void)open_folder(folder.path() + "/absent"); });
  expect_error(Code::kIo, "folder", [&] { (void)open_folder(""); });
}

TEST(ByteSource, WhatIsNotARegularFile) {
  const TempFolder folder;
  expect_error(Code::kIo, "regular file", [&] { (void)open_file(folder.path()); });
  expect_error(Code::kIo, "regular file", [&] { (void)open_file("/dev/zero"); });
  expect_error(Code::kIo, "cannot be opened", [&] { (void)open_file(folder.path() + "/absent"); });
  const std::string pipe = folder.path() + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ::alarm(10);  // opening a pipe without a writer must not wait
  expect_error(Code::kIo, "regular file", [&] { (void)open_file(pipe); });
  ::alarm(0);
}

TEST(ByteSource, AFileThatShrinksWhileItIsRead) {
  const TempFolder folder;
  const std::string path = folder.write("weights", test::Bytes(1 << 16));
  const auto source = open_file(path);
  test::Bytes bytes(1 << 16);
  EXPECT_NO_THROW(source->read(0, bytes));
  ASSERT_EQ(::truncate(path.c_str(), 1000), 0);
  expect_error(Code::kIo, "shorter", [&] { source->read(0, bytes); });
  expect_error(Code::kIo, "shorter", [&] { source->read(1000, std::span(bytes).first(1)); });
  expect_error(Code::kIo, "changed", [&] { source->read(0, std::span(bytes).first(1000)); });
}

// Names may change while a file is read, its bytes may not.
TEST(ByteSource, AFileThatChangesWhileItIsRead) {
  const TempFolder folder;
  for (const PageCache cache : {PageCache::kUse, PageCache::kAvoid}) {
    const std::string path = folder.write("weights", test::Bytes(1 << 17));
    test::Bytes bytes(1 << 17);
    const auto source = open_disk_file(path, cache);
    ASSERT_EQ(::rename(path.c_str(), (path + "-2").c_str()), 0);
    EXPECT_NO_THROW(source->read(0, bytes));
    ASSERT_EQ(::unlink((path + "-2").c_str()), 0);
    EXPECT_NO_THROW(source->read(0, bytes));

    folder.write("weights", test::Bytes(1 << 17));
    const auto longer = open_disk_file(path, cache);
    ASSERT_EQ(::truncate(path.c_str(), 1 << 18), 0);
    expect_error(Code::kIo, path + ": file was changed", [&] { longer->read(0, bytes); });

    // The same size; whoever writes cannot but change the time.
    const auto other = open_disk_file(path, cache);
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = 1, .tv_nsec = 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    expect_error(Code::kIo, "changed", [&] { other->read(3, std::span(bytes).first(1)); });
  }
}

TEST(ByteSource, KnowsWhoMayWrite) {
  const TempFolder folder;
  const std::string path = folder.write("weights", bytes_of("x"));
  for (const auto& [mode, all] : {std::pair{0600, false}, std::pair{0664, false},
                                  std::pair{0666, true}, std::pair{0602, true}}) {
    ASSERT_EQ(::chmod(path.c_str(), static_cast<mode_t>(mode)), 0);
    EXPECT_EQ(open_file(path)->writable_by_all(), all) << mode;
  }
  EXPECT_FALSE(open_memory("x", {})->writable_by_all());
}

test::Bytes some_bytes(std::size_t count) {
  test::Bytes bytes(count);
  std::uint32_t state = 1;
  for (std::byte& b : bytes)
    b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(ByteSource, AroundThePageCacheTheSameBytesCome) {
  const TempFolder folder;
  const test::Bytes all = some_bytes((std::size_t{5} << 20) + 1234);
  const std::string path = folder.write("weights", all);
  const auto direct = open_disk_file(path, PageCache::kAvoid);
  EXPECT_EQ(direct->size(), all.size());
  for (const std::size_t offset : {0, 1, 4095, 4096, 1 << 21, (1 << 21) - 1}) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{65536}, std::size_t{70001},
                                    std::size_t{1} << 21, all.size() - offset}) {
      test::Bytes found(count + 1, std::byte{0x5a});
      direct->read(offset, std::span(found).first(count));
      EXPECT_EQ(std::memcmp(found.data(), all.data() + offset, count), 0) << offset << " " << count;
      EXPECT_EQ(found[count], std::byte{0x5a});
    }
  }
  expect_error(Code::kIo, path, [&] {
    test::Bytes b(2);
    direct->read(all.size() - 1, b);
  });
}

TEST(ByteSource, TheFastestWayGivesTheSameBytes) {
  const TempFolder folder;
  const test::Bytes all = some_bytes((std::size_t{33} << 20) + 1234);
  const std::string path = folder.write("weights", all);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::fsync(file), 0);
  for (const bool cold : {false, true}) {
    if (cold) {
      ASSERT_EQ(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
    }
    const auto source = open_disk_file(path, PageCache::kFastest);
    test::Bytes found(all.size());
    for (std::size_t at = 0; at < all.size(); at += 1234567) {
      const std::size_t count = std::min<std::size_t>(1234567, all.size() - at);
      source->read(at, std::span(found).subspan(at, count));
    }
    EXPECT_EQ(found, all) << cold;
  }
  ::close(file);
}

TEST(ByteSource, AroundThePageCacheAFileThatShrinksIsAnErrorToo) {
  const TempFolder folder;
  const std::string path = folder.write("weights", some_bytes(std::size_t{3} << 20));
  const auto source = open_disk_file(path, PageCache::kAvoid);
  test::Bytes bytes(std::size_t{3} << 20);
  for (const long left : {5 << 19, 70000, 4096, 4095, 0}) {
    ASSERT_EQ(::truncate(path.c_str(), left), 0);
    expect_error(Code::kIo, "became shorter", [&] { source->read(0, bytes); });
    expect_error(Code::kIo, "became shorter",
                 [&] { source->read(1 << 20, std::span(bytes).first(2 << 20)); });
  }
}

TEST(ByteSource, NoDescriptorIsLeft) {
  const TempFolder folder;
  const std::string path = folder.write("weights", bytes_of("x"));
  struct rlimit limit {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t rounds = std::min<rlim_t>(limit.rlim_cur, 20000) + 10;
  for (rlim_t i = 0; i < rounds; ++i) {
    ASSERT_NO_THROW((void)open_file(path));
    ASSERT_THROW((void)open_file(folder.path()), Error);
  }
}

}  // namespace
}  // namespace octet
