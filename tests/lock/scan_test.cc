// What a scan sees of files, at both depths.
#include "lock/scan.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/sha256.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "support/tensors.h"

namespace octet {
namespace {

using test::Bytes;
using test::bytes_of;

Bytes weights() {
  test::TensorMap map;
  map["a"] = test::tensor_of({3}, {-1, 0, 1}, DType::kF8E4M3);
  map["b"] = test::tensor_of({2, 3}, {1, 2, 3, 4, 5, 6});
  map["c"] = test::tensor_of({1}, {1});
  return test::safetensors_of(map);
}

std::map<std::string, Bytes> model() {
  return {{"vae/w.safetensors", weights()},
          {"config.json", bytes_of("{}")},
          {"empty.txt", {}},
          {".gitattributes", bytes_of("x")},
          {".cache/y", bytes_of("x")},
          {"vae/.hidden", bytes_of("x")},
          {"octet.lock", bytes_of("x")}};
}

std::vector<LockedFile> scan(const std::map<std::string, Bytes>& files, ScanDepth depth) {
  return scan_files(test::MemoryFiles(files), depth, {});
}

TEST(Scan, LeavesOutHiddenFilesAndLocks) {
  EXPECT_EQ(lockable_files(test::MemoryFiles(model())),
            (std::vector<std::string>{"config.json", "empty.txt", "vae/w.safetensors"}));
}

TEST(Scan, HeadersAndSmallFiles) {
  const auto files = scan(model(), ScanDepth::kHeaders);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0],
            (LockedFile{.name = "config.json", .size = 2, .sha256 = sha256_hex(bytes_of("{}"))}));
  EXPECT_EQ(files[1], (LockedFile{.name = "empty.txt", .size = 0, .sha256 = sha256_hex({})}));
  const Bytes bytes = weights();
  const std::size_t header = bytes.size() - 3 - 24 - 4;
  EXPECT_EQ(files[2], (LockedFile{.name = "vae/w.safetensors",
                                  .size = bytes.size(),
                                  .header_sha256 = sha256_hex(std::span(bytes).first(header)),
                                  .dtypes = {{.dtype = "F32", .tensors = 2, .bytes = 28},
                                             {.dtype = "F8_E4M3", .tensors = 1, .bytes = 3}}}));
}

TEST(Scan, EveryByte) {
  const auto files = scan(model(), ScanDepth::kEveryByte);
  EXPECT_EQ(files[2].sha256, sha256_hex(weights()));
  for (std::size_t at = 0; at < weights().size(); ++at) {
    auto changed = model();
    changed["vae/w.safetensors"][at] ^= std::byte{1};
    EXPECT_NE(scan(changed, ScanDepth::kEveryByte)[2], files[2]) << at;
  }
}

// Larger than a few blocks, so that reading ahead is tested too.
TEST(Scan, LargeFiles) {
  Bytes large((std::size_t{20} << 20) + 12345);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::byte>(i * i >> 7);
  const auto files = scan({{"a.bin", large}, {"b.bin", bytes_of("b")}}, ScanDepth::kEveryByte);
  EXPECT_EQ(files[0].sha256, sha256_hex(large));
  EXPECT_EQ(files[1].sha256, sha256_hex(bytes_of("b")));
  large.resize(std::size_t{16} << 20);  // whole blocks
  EXPECT_EQ(scan({{"a.bin", large}}, ScanDepth::kEveryByte)[0].sha256, sha256_hex(large));
}

TEST(Scan, LargeFilesThatAreNoWeightsAreReadByDepthOnly) {
  const Bytes large((std::size_t{64} << 20) + 1);
  EXPECT_EQ(scan({{"a.bin", large}}, ScanDepth::kHeaders)[0].sha256, "");
}

TEST(Scan, FilesThatCannotBeReadAreProblems) {
  auto files = model();
  files["vae/w.safetensors"].resize(20);
  const auto found = scan(files, ScanDepth::kHeaders);
  EXPECT_NE(found[2].problem, "");
  EXPECT_EQ(found[2].size, 20u);
  EXPECT_EQ(found[0].problem, "");

  const test::TempFolder folder;
  folder.write("a.json", bytes_of("{}"));
  std::filesystem::create_symlink("nowhere", folder.path() + "/broken");
  const auto on_disk = scan_files(*open_folder(folder.path()), ScanDepth::kEveryByte, {});
  ASSERT_EQ(on_disk.size(), 2u);
  EXPECT_NE(on_disk[1].problem.find("broken"), std::string::npos) << on_disk[1].problem;
}

TEST(Scan, ProgressEndsAtTheTotalAndCanCancel) {
  const test::MemoryFiles files({{"a.bin", Bytes(std::size_t{30} << 20)}, {"b.bin", Bytes(5)}});
  std::uint64_t last = 0, all = 0;
  int calls = 0;
  (void)scan_files(files, ScanDepth::kEveryByte, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GT(done, last);
    last = done, all = total;
    ++calls;
    return true;
  });
  EXPECT_EQ(last, (std::uint64_t{30} << 20) + 5);
  EXPECT_EQ(all, last);
  EXPECT_EQ(calls, 5);
  test::expect_error(Code::kCancelled, "interrupted", [&] {
    (void)scan_files(files, ScanDepth::kEveryByte,
                     [](std::uint64_t, std::uint64_t) { return false; });
  });
}

TEST(Scan, DigestOfFilesKnowsNamesAndBorders) {
  const auto digest = [](const std::map<std::string, Bytes>& files) {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : files) names.push_back(name);
    return digest_of_files(test::MemoryFiles(files), names);
  };
  const std::string one = digest({{"a", bytes_of("xy")}, {"b", bytes_of("z")}});
  EXPECT_EQ(one.size(), 64u);
  EXPECT_NE(one, digest({{"a", bytes_of("x")}, {"b", bytes_of("yz")}}));
  EXPECT_NE(one, digest({{"a", bytes_of("xy")}, {"c", bytes_of("z")}}));
  EXPECT_EQ(one, digest({{"a", bytes_of("xy")}, {"b", bytes_of("z")}}));
}

}  // namespace
}  // namespace octet
