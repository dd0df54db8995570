// Locks of whole models on disk: what is noticed, at which depth, and that an engine with a lock
// refuses before it loads.
#include <gtest/gtest.h>

#include <filesystem>

#include "octet/inspect.h"
#include "octet/lock.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::bytes_of;
using test::expect_error;
using Lines = std::vector<std::string>;

const std::string kFp8 = "transformer/diffusion_pytorch_model.fp8.safetensors";
const std::string kVae = "vae/diffusion_pytorch_model.safetensors";

class Locked : public testing::Test {
 protected:
  Locked() {
    files_ = test::tiny_folder({});
    files_.merge(test::tiny_folder({.fp8 = true}));
    for (const auto& [name, bytes] : files_) folder_.write("model/" + name, bytes);
    lock();
  }
  void lock(const std::optional<std::string>& variant = {}) {
    lock_ = folder_.write("octet.lock",
                          bytes_of(lock_model({.model = model_, .variant = variant}, {})));
  }
  void replace_in_lock(const std::string& from, const std::string& to) {
    std::string text = lock_model({.model = model_}, {});
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    folder_.write("octet.lock", bytes_of(text.replace(at, from.size(), to)));
  }
  Lines check(bool every_byte = false) {
    return verify_lock({.model = model_, .lock = lock_}, every_byte, {}).differences;
  }
  /// One difference at least, and this one among them; an engine with the lock refuses.
  void expect_difference(const std::string& part, bool every_byte = false) {
    const Lines lines = check(every_byte);
    bool found = false;
    for (const std::string& line : lines) found = found || line.find(part) != std::string::npos;
    EXPECT_TRUE(found) << part << " is not in " << testing::PrintToString(lines);
    if (!every_byte) {
      expect_error(Code::kRefused, "locked", [&] { Engine({.model = model_, .lock = lock_}); });
    }
  }

  test::TempFolder folder_;
  std::string model_ = folder_.path() + "/model", lock_;
  std::map<std::string, test::Bytes> files_;
};

TEST_F(Locked, NothingDiffers) {
  EXPECT_EQ(check(), Lines{});
  EXPECT_EQ(check(true), Lines{});
  const LockReport report = verify_lock({.model = model_, .lock = lock_}, true, {});
  std::uint64_t bytes = 0;
  for (const auto& [name, content] : files_) bytes += content.size();
  EXPECT_EQ(report.files, files_.size());
  EXPECT_EQ(report.bytes, bytes);
  EXPECT_NO_THROW(Engine({.model = model_, .threads = 1, .lock = lock_}));
  EXPECT_EQ(lock_model({.model = model_}, {}), lock_model({.model = model_}, {}));
}

TEST_F(Locked, ALockInsideTheModelIsNotPartOfIt) {
  std::filesystem::copy(lock_, model_ + "/octet.lock");
  EXPECT_EQ(check(true), Lines{});
}

TEST_F(Locked, FilesMissingAndExtra) {
  std::filesystem::remove(model_ + "/scheduler/scheduler_config.json");
  expect_difference("file scheduler/scheduler_config.json: locked present, found missing");
  folder_.write("model/vae/more.json", bytes_of("{}"));
  expect_difference("file vae/more.json: locked absent, found present");
}

TEST_F(Locked, AFileThatIsNeededIsMissing) {
  std::filesystem::remove(model_ + "/" + kVae);
  expect_difference("file " + kVae + ": locked present, found missing");
  expect_difference("model: locked one that can be loaded, found ");
}

TEST_F(Locked, EveryByteOfSmallFiles) {
  files_["vae/config.json"].back() = std::byte{' '};  // for the line end: same size, same meaning
  folder_.write("model/vae/config.json", files_["vae/config.json"]);
  expect_difference("file vae/config.json: sha256: locked ");
}

TEST_F(Locked, TokenizersHaveADigestOfTheirOwn) {
  files_["tokenizer_2/merges.txt"].push_back(std::byte{'\n'});
  folder_.write("model/tokenizer_2/merges.txt", files_["tokenizer_2/merges.txt"]);
  expect_difference("tokenizer tokenizer_2: sha256: locked ");
}

TEST_F(Locked, HeadersOfWeights) {
  test::Bytes& bytes = files_[kFp8];
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t at = text.find("F8_E4M3");
  bytes[at + 4] = std::byte{'5'}, bytes[at + 6] = std::byte{'2'};  // F8_E5M2
  folder_.write("model/" + kFp8, bytes);
  expect_difference("header sha256: locked ");
  expect_difference("found F16 ");  // the dtype map: no F8_E5M2 before
}

TEST_F(Locked, ValuesOfWeightsAreSeenByReadingEveryByte) {
  files_[kVae].back() ^= std::byte{1};
  folder_.write("model/" + kVae, files_[kVae]);
  EXPECT_EQ(check(), Lines{}) << "headers are the same";
  expect_difference("file " + kVae + ": sha256: locked ", true);
  EXPECT_NO_THROW(Engine({.model = model_, .threads = 1, .lock = lock_}));
  expect_error(Code::kRefused, "file " + kVae + ": sha256: locked ",
               [&] { Engine({.model = model_, .lock = lock_, .lock_full = true}); });
}

TEST_F(Locked, IsRefusedBeforeAnythingIsLoaded) {
  files_[kVae].pop_back();
  folder_.write("model/" + kVae, files_[kVae]);
  expect_error(Code::kCorruptFile, "truncated", [&] { Engine({.model = model_}); });
  expect_difference("file " + kVae + ": size: locked ");
  expect_error(Code::kRefused, " more); octet verify",
               [&] { Engine({.model = model_, .lock = lock_}); });
}

TEST_F(Locked, EngineAndNumericsMustBeTheSame) {
  replace_in_lock("engine = \"", "engine = \"9.");
  expect_difference("engine version: locked 9.");
  replace_in_lock("numerics = ", "numerics = 9");
  expect_difference("numerics version: locked 9");
}

TEST_F(Locked, PartsMustBeTheSame) {
  replace_in_lock("dtypes = \"F16\"", "dtypes = \"BF16\"");
  expect_difference("component transformer: dtypes: locked BF16, found F16");
}

TEST_F(Locked, TheVariantIsTheLocks) {
  lock("fp8");
  EXPECT_EQ(check(), Lines{});
  const Engine engine({.model = model_, .threads = 1, .lock = lock_});
  EXPECT_EQ(engine.model().variant, "fp8");
  expect_error(Code::kRefused, "variant: locked fp8, found fp16",
               [&] { Engine({.model = model_, .variant = "fp16", .lock = lock_}); });
  lock();
  expect_error(Code::kRefused, "variant: locked (none), found fp8",
               [&] { Engine({.model = model_, .variant = "fp8", .lock = lock_}); });
}

TEST_F(Locked, LorasBelongToTheModel) {
  const std::string lora = folder_.write("style.safetensors", files_.at(kVae));
  const std::vector<LoraOption> loras = {{.path = lora, .weight = 0.5f}};
  folder_.write("octet.lock", bytes_of(lock_model({.model = model_, .loras = loras}, {})));
  const auto lines = [&](const std::vector<LoraOption>& given, bool every_byte) {
    return verify_lock({.model = model_, .loras = given, .lock = lock_}, every_byte, {})
        .differences;
  };
  const std::string name = "lora/1/style.safetensors";
  EXPECT_EQ(lines(loras, true), Lines{});
  EXPECT_EQ(lines({}, false), (Lines{"file " + name + ": locked present, found missing",
                                     "LoRA " + name + ": locked present, found missing"}));
  EXPECT_EQ(lines({{.path = lora, .weight = 1}}, false),
            Lines{name + ": weight: locked 0.5, found 1"});
  EXPECT_EQ(lines({loras[0], loras[0]}, false).size(), 2u) << "one too many: file and LoRA";
  test::Bytes other = files_.at(kVae);
  other.back() ^= std::byte{1};
  folder_.write("style.safetensors", other);
  EXPECT_EQ(lines(loras, false), Lines{}) << "headers only";
  EXPECT_EQ(lines(loras, true).size(), 1u);
  std::filesystem::remove(lora);
  EXPECT_NE(lines(loras, false), Lines{});
  expect_error(Code::kRefused, name, [&] { Engine({.model = model_, .lock = lock_}); });
}

TEST_F(Locked, InspectionRefusesToo) {
  EXPECT_NO_THROW((void)inspect_model({.model = model_, .lock = lock_}));
  folder_.write("model/model_index.json", bytes_of("{ }"));
  expect_error(Code::kRefused, "model_index.json",
               [&] { (void)inspect_model({.model = model_, .lock = lock_}); });
}

TEST_F(Locked, LocksThatAreNone) {
  folder_.write("octet.lock", bytes_of("not = toml = at all"));
  expect_error(Code::kRefused, "octet.lock: line 1", [&] { (void)check(); });
  expect_error(Code::kRefused, "octet.lock: line 1",
               [&] { Engine({.model = model_, .lock = lock_}); });
  std::filesystem::remove(lock_);
  expect_error(Code::kIo, "octet.lock", [&] { (void)check(); });
  std::filesystem::create_directory(lock_);
  expect_error(Code::kIo, "regular file", [&] { (void)check(); });
  lock_ = folder_.write("large.lock", test::Bytes((std::size_t{16} << 20) + 1));
  expect_error(Code::kRefused, "at most", [&] { (void)check(); });
}

TEST_F(Locked, ModelsThatCannotBeLocked) {
  expect_error(Code::kIo, "no such path", [] { (void)lock_model({.model = "absent/x"}, {}); });
  expect_error(Code::kIo, "no such path",
               [&] { (void)verify_lock({.model = "absent/x", .lock = lock_}, false, {}); });
  expect_error(Code::kModelMismatch, "variant",
               [&] { (void)lock_model({.model = model_, .variant = "fp32"}, {}); });
  files_[kVae].pop_back();
  folder_.write("model/" + kVae, files_[kVae]);
  expect_error(Code::kCorruptFile, kVae, [&] { (void)lock_model({.model = model_}, {}); });
}

TEST_F(Locked, CanBeInterrupted) {
  const ByteHook stop = [](std::uint64_t, std::uint64_t) { return false; };
  expect_error(Code::kCancelled, "interrupted", [&] { (void)lock_model({.model = model_}, stop); });
}

TEST(LockedBuiltIn, TheEmojiModel) {
  const test::TempFolder folder;
  const std::string lock = folder.write("l", bytes_of(lock_model({.model = "emoji"}, {})));
  EXPECT_EQ(verify_lock({.model = "emoji", .lock = lock}, true, {}).differences, Lines{});
}

}  // namespace
}  // namespace octet
