// The model, its lock, and the memory that a request is planned to take.
#include <gtest/gtest.h>

#include <filesystem>

#include "doctor/findings.h"
#include "octet/inspect.h"
#include "octet/lock.h"
#include "support/temp_folder.h"
#include "support/tiny_pipeline.h"

namespace octet::doctor {
namespace {

using test::expect_result;

const std::string kVae = "vae/diffusion_pytorch_model.safetensors";

class OfAModel : public testing::Test {
 protected:
  OfAModel() {
    files_ = test::tiny_folder({});
    for (const auto& [name, bytes] : files_) folder_.write("model/" + name, bytes);
    subject_.engine.model = folder_.path() + "/model";
    subject_.engine.device = "cpu";
    subject_.engine.threads = 1;
  }
  void lock() {
    subject_.engine.lock = folder_.write(
        "octet.lock", test::bytes_of(lock_model({.model = subject_.engine.model}, {})));
  }
  void change_last_byte(const std::string& name) {
    files_[name].back() ^= std::byte{1};
    folder_.write("model/" + name, files_[name]);
  }

  test::TempFolder folder_;
  std::map<std::string, test::Bytes> files_;
  Subject subject_;
};

TEST_F(OfAModel, IsWhole) {
  expect_result(check_model(subject_, Depth::kFull), Level::kOk, {"/model: ", " files"});
  expect_result(check_lock(subject_, Depth::kFull), Level::kOk, {"no lock is given"});
}

TEST_F(OfAModel, IsNotAskedFor) {
  subject_.uses_model = false;
  subject_.engine.model = "/nowhere";
  expect_result(check_model(subject_, Depth::kFull), Level::kOk, {"no model is asked for"});
  expect_result(check_disk_speed(subject_, Depth::kFull), Level::kOk, {"not on a disk"});
  expect_result(check_memory(subject_, Depth::kFull), Level::kOk, {"MiB of memory can be had"});
}

TEST_F(OfAModel, LacksAPart) {
  std::filesystem::remove(subject_.engine.model + "/" + kVae);
  expect_result(check_model(subject_, Depth::kFull), Level::kFailure, {"vae"}, "octet inspect '");
}

TEST_F(OfAModel, IsNowhere) {
  subject_.engine.model = folder_.path() + "/none";
  expect_result(check_model(subject_, Depth::kFull), Level::kFailure, {"/none", "expected"},
                "octet inspect '");
  expect_result(check_memory(subject_, Depth::kFull), Level::kOk, {"can be had"});
}

TEST_F(OfAModel, IsAsLocked) {
  lock();
  expect_result(check_lock(subject_, Depth::kFull), Level::kOk, {"every byte of"});
}

// Headers are the same: only who reads every byte sees it.
TEST_F(OfAModel, HasAnotherByteThanLocked) {
  lock();
  change_last_byte(kVae);
  expect_result(check_lock(subject_, Depth::kFull), Level::kFailure,
                {"file " + kVae + ": sha256: locked ", ", found "}, "octet verify '");
  expect_result(check_model(subject_, Depth::kFull), Level::kOk, {"/model: "});
}

TEST_F(OfAModel, HasALockThatIsNone) {
  subject_.engine.lock = folder_.path() + "/none.lock";
  expect_result(check_lock(subject_, Depth::kFull), Level::kFailure, {"none.lock"}, "octet lock");
}

TEST_F(OfAModel, IsPlannedForTheRequestsSize) {
  const auto planned_bytes = [&](int side) {
    EngineOptions options = subject_.engine;
    options.memory.request.width = options.memory.request.height = side;
    const ModelInspection i = inspect_model(options);
    EXPECT_EQ(i.request.size(), 2u);
    EXPECT_EQ(i.request.at(0).device, "cpu");
    EXPECT_EQ(i.request.at(0).problem, "");
    return i.request.at(0).none;
  };
  EXPECT_GT(planned_bytes(48), 0u);
  EXPECT_LT(planned_bytes(48), planned_bytes(112));
  expect_result(check_memory(subject_, Depth::kFull), Level::kOk, {"is planned to take"});
}

TEST_F(OfAModel, ADiskThatIsTooSmallToMeasureIsNoWarning) {
  expect_result(check_disk_speed(subject_, Depth::kFull), Level::kOk, {"too small to measure"});
}

}  // namespace
}  // namespace octet::doctor
