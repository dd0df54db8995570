// Which GPUs a list of architectures serves. Needs no GPU.
#include "base/machine_code.h"

#include <gtest/gtest.h>

#include "octet/error.h"

namespace octet::cuda {
namespace {

constexpr const char* kRelease = "80-real 86-real 89-real 90a-real 100 120-real";

TEST(MachineCode, OneArchitectureIsForOneGpu) {
  EXPECT_TRUE(has_machine_code("90a-real", {9, 0}));
  for (const GpuVersion other : {GpuVersion{8, 0}, {8, 9}, {9, 1}, {10, 0}, {12, 0}}) {
    EXPECT_FALSE(has_machine_code("90a-real", other)) << other.major << "." << other.minor;
  }
}

TEST(MachineCode, ALaterGpuOfTheSameMajorNumber) {
  EXPECT_TRUE(has_machine_code("80-real", {8, 0}));
  EXPECT_TRUE(has_machine_code("80-real", {8, 7}));
  EXPECT_FALSE(has_machine_code("86-real", {8, 0}));
  EXPECT_FALSE(has_machine_code("86-real", {9, 0}));
}

TEST(MachineCode, PtxServesAllThatComeAfter) {
  for (const char* list : {"100", "100-virtual"}) {
    EXPECT_TRUE(has_machine_code(list, {10, 0})) << list;
    EXPECT_TRUE(has_machine_code(list, {11, 0})) << list;
    EXPECT_TRUE(has_machine_code(list, {13, 1})) << list;
    EXPECT_FALSE(has_machine_code(list, {9, 0})) << list;
  }
}

TEST(MachineCode, TheReleaseHasAllSinceAmpere) {
  for (const GpuVersion gpu : {GpuVersion{8, 0},
                               {8, 6},
                               {8, 7},
                               {8, 9},
                               {9, 0},
                               {10, 0},
                               {10, 3},
                               {11, 0},
                               {12, 0},
                               {12, 1}}) {
    EXPECT_NO_THROW(require_machine_code(kRelease, "GPU", gpu)) << gpu.major << "." << gpu.minor;
  }
  for (const GpuVersion gpu : {GpuVersion{6, 1}, {7, 0}, {7, 5}}) {
    EXPECT_FALSE(has_machine_code(kRelease, gpu)) << gpu.major << "." << gpu.minor;
  }
}

TEST(MachineCode, RefusalNamesTheGpu) {
  try {
    require_machine_code("90a-real", "NVIDIA A100", {8, 0});
    FAIL() << "not refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kDevice);
    EXPECT_STREQ(
        e.what(),
        "device: NVIDIA A100: expected a GPU of a compute capability that this program has "
        "kernels for (90a-real), found 8.0; use --device cpu");
  }
}

}  // namespace
}  // namespace octet::cuda
