// Why there is no GPU: the words for what the runtime and the environment say. Needs no GPU.
#include "backend/cuda/no_device.h"

#include <gtest/gtest.h>

#include <utility>

namespace octet::cuda {
namespace {

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(NoDevice, NoDriver) {
  const std::string text = reason_of({.status = cudaErrorInsufficientDriver, .driver = 0});
  EXPECT_EQ(text, "no NVIDIA driver is loaded; install one, or use --device cpu");
}

TEST(NoDevice, DriverTooOld) {
  for (const int old : {11080, 12090, CUDART_VERSION - 10}) {
    const std::string text = reason_of({.status = cudaErrorInsufficientDriver, .driver = old});
    EXPECT_SAYS(text, "expected 13.0 or newer; update it");
  }
}

// "supports CUDA 13.2, expected 13.0 or newer" would contradict itself.
TEST(NoDevice, DriverNewEnoughThatDoesNotWork) {
  for (const auto& [status, driver] : {std::pair{cudaErrorInsufficientDriver, CUDART_VERSION},
                                       {cudaErrorInsufficientDriver, 13020},
                                       {cudaErrorCallRequiresNewerDriver, 13020},
                                       {cudaErrorSystemDriverMismatch, 14000}}) {
    const std::string text = reason_of({.status = status, .driver = driver});
    EXPECT_EQ(text.find("expected"), std::string::npos) << text;
    EXPECT_SAYS(text, cudaGetErrorString(status));
    EXPECT_SAYS(text, "which is new enough, but does not work");
    EXPECT_SAYS(text, "LD_LIBRARY_PATH");
  }
}

TEST(NoDevice, NothingVisible) {
  for (const cudaError_t status : {cudaErrorNoDevice, cudaSuccess}) {
    EXPECT_SAYS(reason_of({.status = status, .driver = 13000}), "the driver shows no GPU");
    const std::string text =
        reason_of({.status = status, .driver = 13000, .visible = "MIG-8a2f6a1e\n"});
    EXPECT_SAYS(text, "CUDA_VISIBLE_DEVICES=\"MIG-8a2f6a1e?\"");
    EXPECT_SAYS(text, "UUID of a MIG slice");
    EXPECT_SAYS(reason_of({.status = status, .driver = 13000, .visible = ""}),
                "CUDA_VISIBLE_DEVICES=\"\"");
  }
}

TEST(NoDevice, OtherErrorsInTheRuntimesWords) {
  const std::string text = reason_of({.status = cudaErrorSystemNotReady, .driver = 13000});
  EXPECT_SAYS(text, cudaGetErrorString(cudaErrorSystemNotReady));
  EXPECT_SAYS(text, "--device cpu");
}

}  // namespace
}  // namespace octet::cuda
