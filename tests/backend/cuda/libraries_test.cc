// Libraries that are missing, too old or incomplete: one error of the device kind, with a remedy.
// CTest runs each case on its own with its stub first in the loader's path; without one they skip.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "backend/cuda/cublaslt.h"
#include "backend/cuda/cuda_backend.h"
#include "octet/error.h"
#include "support/temp_folder.h"

namespace octet {
namespace {

bool stubbed(const std::string& name) {
  const char* stub = std::getenv("OCTET_TEST_STUB");
  return stub != nullptr && stub == name;
}

// Sets OCTET_CUDA_LIBS while it lives.
struct NamedFolders {
  explicit NamedFolders(const std::string& folders) {
    setenv("OCTET_CUDA_LIBS", folders.c_str(), 1);
  }
  ~NamedFolders() { unsetenv("OCTET_CUDA_LIBS"); }
  NamedFolders(const NamedFolders&) = delete;
  NamedFolders& operator=(const NamedFolders&) = delete;
};

template <typename Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kDevice) << e.what();
    const std::string text = e.what();
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  ADD_FAILURE() << "accepted";
  return "";
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(CudaLibraries, Missing) {
  const std::string text =
      refusal([] { SharedLibrary({"liboctet-is-not-there.so.9"}, "install it"); });
  EXPECT_SAYS(text, "liboctet-is-not-there.so.9");
  EXPECT_SAYS(text, "install it");
}

TEST(CudaLibraries, cublaslt_other) {
  if (!stubbed("cublaslt_other")) GTEST_SKIP() << "needs its stub in the loader's path";
  const std::string text = refusal([] { cuda::CublasLt(); });
  EXPECT_SAYS(text, "expected cuBLASLt 13, found version 140100");
  EXPECT_SAYS(text, "OCTET_CUDA_LIBS");
}

TEST(CudaLibraries, cublaslt_bare) {
  if (!stubbed("cublaslt_bare")) GTEST_SKIP() << "needs its stub in the loader's path";
  const std::string text = refusal([] { cuda::CublasLt(); });
  EXPECT_SAYS(text, "expected the function cublasLtCreate, found none");
  EXPECT_SAYS(text, "OCTET_CUDA_LIBS");
}

// The folder that the user names goes before the loader's path, as the remedy promises.
TEST(CudaLibraries, NamedFolderFirst) {
  const NamedFolders named("/not/there::" OCTET_TEST_STUBS "/cublaslt_other");
  EXPECT_SAYS(refusal([] { cuda::CublasLt(); }),
              "/cublaslt_other/libcublasLt.so.13: expected cuBL");
}

TEST(CudaLibraries, NamedFolderHoldsSomethingElse) {
  const test::TempFolder folder;
  const std::string file = folder.write("libcublasLt.so.13", test::Bytes(16));
  const NamedFolders named(folder.path());
  const std::string text = refusal([] { cuda::CublasLt(); });
  EXPECT_SAYS(text, file + ", named by OCTET_CUDA_LIBS: expected a library, found: ");
}

// Folders without the library do not hide the one that the loader finds.
TEST(CudaLibraries, NamedFolderIsEmpty) {
  const test::TempFolder folder;
  const NamedFolders named(folder.path());
  const SharedLibrary found({"libc.so.6"}, "");
  EXPECT_EQ(found.path(), "libc.so.6");
}

TEST(CudaLibraries, driver_old) {
  if (!stubbed("driver_old")) GTEST_SKIP() << "needs its stub in the loader's path";
  const std::string text = refusal([] { (void)make_cuda_backend(); });
  EXPECT_SAYS(text, "the driver supports CUDA 11.8, expected 13.0 or newer; update it");
  EXPECT_SAYS(text, "--device cpu");
}

}  // namespace
}  // namespace octet
