// Devices that cannot be used: exit code 6 and one line with doctor's id and a remedy, in every
// build. The libraries of a broken installation are stubs that stand where the loader looks first;
// no GPU is needed.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "process.h"

namespace octet::test {
namespace {

using Words = std::vector<std::string>;

/// The program in an environment with `variables` ("NAME=value") added, in a folder of its own.
struct Attempt {
  TempFolder folder;
  ProcessResult result;
  bool json;
  Attempt(Words variables, const Words& arguments)
      : json(std::find(arguments.begin(), arguments.end(), "--json") != arguments.end()) {
    variables.emplace_back(OCTET_BINARY);
    variables.insert(variables.end(), arguments.begin(), arguments.end());
    result = run_process("/usr/bin/env", variables, {.folder = folder.path()});
  }
  void expect_refused(const Words& said) const {
    EXPECT_EQ(result.exit_code, 6) << result.err;
    EXPECT_TRUE(result.err.starts_with("octet: error: ")) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    for (const std::string& part : said) {
      EXPECT_NE(result.err.find(part), std::string::npos) << part << " is not in " << result.err;
    }
    // --json: the same line as an object.
    EXPECT_EQ(result.out.empty(), !json) << result.out;
    if (json) {
      EXPECT_NE(result.out.find("\"check\": \"driver\""), std::string::npos) << result.out;
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
};

const Words kDraw = {"generate", "a red apple", "--steps", "1", "--device", "cuda"};
const Words kMeasure = {"bench", "--steps", "1", "--device", "cuda", "--json"};

// Hidden, or not there at all, or a build without the backend: the same code and remedy.
TEST(Device, NoGpuIsVisible) {
  for (const std::string hidden :
       {"", "-1", "MIG-8a2f6a1e-8f4a-5d4e-9c1e-0123456789ab", "GPU-8a2f6a1e", "a\nb"}) {
    for (const Words& command : {kDraw, kMeasure}) {
      Attempt({"CUDA_VISIBLE_DEVICES=" + hidden}, command)
          .expect_refused({": error: driver: ", "use --device cpu"});
    }
  }
}

TEST(Device, AutoDrawsOnTheCpuAndSaysWhy) {
  const Attempt run({"CUDA_VISIBLE_DEVICES="}, {"generate", "a red apple", "--steps", "1"});
  EXPECT_EQ(run.result.exit_code, 0) << run.result.err;
  EXPECT_NE(run.result.err.find("device cpu"), std::string::npos) << run.result.err;
}

#ifdef OCTET_STUBS
TEST(Device, DriverTooOld) {
  Attempt({"LD_LIBRARY_PATH=" OCTET_STUBS "/driver_old"}, kDraw)
      .expect_refused(
          {": error: driver-version: ", "the driver supports CUDA 11.8, expected 13.0 or newer",
           "update it", "use --device cpu"});
}

// The library is of a newer CUDA than this program and still not usable.
TEST(Device, DriverThatDoesNotWork) {
  const Attempt run({"LD_LIBRARY_PATH=" OCTET_STUBS "/driver_new"}, kDraw);
  run.expect_refused(
      {": error: driver-match: ", "libcuda.so.1 is of CUDA 13.2", "install the one of the driver"});
  EXPECT_EQ(run.result.err.find("expected 13.0"), std::string::npos) << run.result.err;
}
#endif

}  // namespace
}  // namespace octet::test
