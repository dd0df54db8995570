// Errors of loading and writing, worded as the findings that they are.
#include "support/errors.h"

#include <gtest/gtest.h>

#include "doctor/doctor.h"

namespace octet::doctor {
namespace {

std::string named_as(Code code, const std::string& text, const std::string& device = "auto") {
  const Error error = named({code, text}, {.model = "m", .device = device});
  EXPECT_EQ(error.code(), code);
  return error.what();
}

TEST(NamedErrors, OfTheModelsFiles) {
  for (const Code code :
       {Code::kIo, Code::kCorruptFile, Code::kModelMismatch, Code::kUnsupported}) {
    EXPECT_EQ(named_as(code, "vae: no weights"),
              "model: vae: no weights; octet inspect 'm' says more");
    EXPECT_EQ(named_as(code, "model: expected a folder"),
              "model: expected a folder; octet inspect 'm' says more")
        << "not twice";
  }
}

TEST(NamedErrors, ThatHaveAnIdKeepIt) {
  EXPECT_EQ(named_as(Code::kRefused, "model-lock: l: a differs"), "model-lock: l: a differs");
  EXPECT_EQ(named_as(Code::kOutOfMemory, "limits: no thread"), "limits: no thread");
  EXPECT_EQ(named_as(Code::kOutOfMemory, "memory: too little"), "memory: too little");
  EXPECT_EQ(named_as(Code::kIo, "output: full"), "output: full");
}

TEST(NamedErrors, OfMemory) {
  EXPECT_EQ(named_as(Code::kOutOfMemory, "no room"), "memory: no room");
  EXPECT_EQ(named_as(Code::kOutOfMemory, "no room", "cpu"), "memory: no room");
  EXPECT_EQ(named_as(Code::kOutOfMemory, "no room", "cuda:1"), "gpu-memory: no room");
}

// Of the GPU unless it is said to be the host's, also where "auto" has chosen a GPU.
TEST(NamedErrors, OfMemoryWhileDrawing) {
  const auto said = [](const char* text, const std::string& device) {
    return std::string(named_memory({Code::kOutOfMemory, text}, device).what());
  };
  EXPECT_EQ(said("memory: 3 MiB are free", "cuda: NVIDIA H200"), "gpu-memory: 3 MiB are free");
  EXPECT_EQ(said("memory: 3 MiB are free", "cpu: x"), "memory: 3 MiB are free");
  EXPECT_EQ(said("cuda: too little", "auto"), "gpu-memory: cuda: too little");
  EXPECT_EQ(said("cuda: too little host memory to pin", "cuda"),
            "memory: cuda: too little host memory to pin");
  EXPECT_EQ(said("memory: weights wait in host memory", "cuda"),
            "memory: weights wait in host memory");
  EXPECT_EQ(said("limits: no thread", "cuda"), "limits: no thread");
  EXPECT_EQ(std::string(named_memory({Code::kIo, "a"}, "cuda").what()), "a");
}

TEST(CheckOf, AnErrorsText) {
  EXPECT_EQ(check_of({Code::kDevice, "driver: absent; install it"}), "driver");
  EXPECT_EQ(check_of({Code::kDevice, "driver-version: 12.4"}), "driver-version");
  EXPECT_EQ(check_of({Code::kDevice, "exit code 6"}), "");
  EXPECT_EQ(check_of({Code::kDevice, "driver"}), "");
  EXPECT_EQ(check_of({Code::kInvalidArgument, "model: expected one that is served"}), "");
}

TEST(NamedErrors, ThatNoCheckIsAboutStayAsTheyAre) {
  for (const Code code :
       {Code::kInternal, Code::kInvalidArgument, Code::kDevice, Code::kRefused, Code::kCancelled}) {
    EXPECT_EQ(named_as(code, "width: expected a multiple"), "width: expected a multiple");
  }
}

TEST(NamedErrors, OfResults) {
  EXPECT_EQ(std::string(named_output({Code::kIo, "a.png: cannot write: disk full"}).what()),
            "output: a.png: cannot write: disk full; free some room there, or name another folder "
            "with -o");
  EXPECT_EQ(std::string(named_output({Code::kIo, "output: full"}).what()), "output: full");
  EXPECT_EQ(std::string(named_output({Code::kCancelled, "interrupted"}).what()), "interrupted");
}

}  // namespace
}  // namespace octet::doctor
