// Folders for results and for the cache.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "doctor/findings.h"
#include "support/temp_folder.h"

namespace octet::doctor {
namespace {

using test::expect_result;

Results output_in(const std::string& folder) {
  return check_output({.output = folder}, Depth::kFast);
}

TEST(OutputFolder, ThatCanBeWritten) {
  const test::TempFolder folder;
  EXPECT_EQ(output_in(folder.path()).front().level, Level::kOk);
  expect_result(output_in(""), Level::kOk, {"no folder"});
}

TEST(OutputFolder, ThatIsNotThere) {
  expect_result(output_in("/nowhere/at/all"), Level::kFailure, {"No such file or directory"},
                "mkdir -p '/nowhere/at/all', or name another folder with -o");
}

TEST(OutputFolder, OfTheKernel) {
  expect_result(output_in("/proc"), Level::kFailure, {"/proc: 0.0 MB are free, expected room"});
}

class Cache : public testing::Test {
 protected:
  Cache() {
    for (const char* name : {"OCTET_CACHE", "XDG_CACHE_HOME", "HOME"}) {
      const char* value = ::getenv(name);
      if (value != nullptr) before_[name] = value;
      ::unsetenv(name);
    }
  }
  ~Cache() override {
    for (const char* name : {"OCTET_CACHE", "XDG_CACHE_HOME", "HOME"}) ::unsetenv(name);
    for (const auto& [name, value] : before_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  static Results check() { return check_cache({}, Depth::kFull); }

  std::map<std::string, std::string> before_;
  test::TempFolder folder_;
};

TEST_F(Cache, InTheOrderOfItsVariables) {
  expect_result(check(), Level::kWarning, {"none of OCTET_CACHE, XDG_CACHE_HOME and HOME"},
                "export OCTET_CACHE=");
  ::setenv("HOME", folder_.path().c_str(), 1);
  expect_result(check(), Level::kOk, {folder_.path() + "/.cache/octet can be written"});
  ::setenv("XDG_CACHE_HOME", (folder_.path() + "/xdg").c_str(), 1);
  expect_result(check(), Level::kOk, {folder_.path() + "/xdg/octet can be written"});
  ::setenv("OCTET_CACHE", (folder_.path() + "/own").c_str(), 1);
  expect_result(check(), Level::kOk, {folder_.path() + "/own can be written"});
  ::setenv("OCTET_CACHE", "", 1);
  expect_result(check(), Level::kOk, {"/xdg/octet can be written"});
}

TEST_F(Cache, WhereAFileStands) {
  ::setenv("OCTET_CACHE", folder_.write("file", {}).c_str(), 1);
  expect_result(check(), Level::kWarning, {"/file is not a folder"}, "export OCTET_CACHE=");
  ::setenv("OCTET_CACHE", (folder_.path() + "/file/below").c_str(), 1);
  expect_result(check(), Level::kWarning, {"/file is not a folder"}, "export OCTET_CACHE=");
}

TEST_F(Cache, IsNotMadeByLooking) {
  const std::string own = folder_.path() + "/own";
  ::setenv("OCTET_CACHE", own.c_str(), 1);
  (void)check();
  EXPECT_NE(::access(own.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace octet::doctor
