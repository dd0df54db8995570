// Libraries that were cut off, told before the loader maps them.
#include "base/whole_library.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "support/temp_folder.h"

namespace octet {
namespace {

/// The C library's own file: any whole library will do.
std::string a_library() {
  Dl_info info{};
  EXPECT_NE(::dladdr(reinterpret_cast<void*>(&::qsort), &info), 0);
  return std::filesystem::canonical(info.dli_fname).string();
}

TEST(WholeLibrary, WholeOnesHaveNoFault) { EXPECT_EQ(library_fault(a_library()), ""); }

TEST(WholeLibrary, CutAnywhere) {
  const test::TempFolder folder;
  const std::string copy = folder.path() + "/cut.so";
  const std::uintmax_t size = std::filesystem::file_size(a_library());
  for (const std::uintmax_t left :
       {std::uintmax_t{64}, std::uintmax_t{100}, std::uintmax_t{1000}, size / 4, size / 2}) {
    std::filesystem::copy_file(a_library(), copy,
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(copy, left);
    const std::string fault = library_fault(copy);
    EXPECT_NE(fault.find(", found " + std::to_string(left) + " (cut off)"), std::string::npos)
        << left << ": " << fault;
  }
}

// The loader says "file too short", "invalid ELF header", "wrong ELF class" and the like.
TEST(WholeLibrary, WhatIsNoLibraryIsLeftToTheLoader) {
  const test::TempFolder folder;
  EXPECT_EQ(library_fault(folder.write("empty", {})), "");
  EXPECT_EQ(library_fault(folder.write("text", test::Bytes(5000, std::byte{'x'}))), "");
}

TEST(WholeLibrary, WhatIsNotThere) {
  const test::TempFolder folder;
  EXPECT_EQ(library_fault(folder.path() + "/none"), "No such file or directory");
}

TEST(WholeLibrary, IsFoundWhereTheLoaderLooksFirst) {
  const test::TempFolder folder;
  const char* before = ::getenv("LD_LIBRARY_PATH");
  const std::string kept = before == nullptr ? "" : before;
  folder.write("b/libocteta.so.1", {});
  folder.write("c/libocteta.so.1", {});
  const std::string path = folder.path();
  ::setenv("LD_LIBRARY_PATH", (path + "/a:" + path + "/b:" + path + "/c").c_str(), 1);
  EXPECT_EQ(locate_library("libocteta.so.1"), path + "/b/libocteta.so.1");
  EXPECT_EQ(locate_library("liboctetb.so.1"), "");
  EXPECT_NE(locate_library("libc.so.6"), "");
  ::setenv("LD_LIBRARY_PATH", kept.c_str(), 1);
}

}  // namespace
}  // namespace octet
