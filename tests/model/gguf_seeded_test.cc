// Whole models in every GGUF type, k-quants too, which the `gguf` package reads but cannot quantise
// to. The bytes are drawn from the tensors' names, here as in data/gguf/make_seeded.py: the digest
// says that they are the file that the package wrote, and diffusers and transformers computed with
// what it decodes.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "model/t5.h"
#include "pipeline/golden_forward.h"
#include "support/gguf_bytes.h"

namespace octet::test {
namespace {

const std::string kSeeded = std::string(OCTET_TEST_DATA) + "/model/data/gguf/seeded.safetensors";
constexpr double kTolerance = 1e-5;

const GoldenTensors& expected() {
  static const GoldenTensors tensors(kSeeded);
  return tensors;
}

/// Digests and shapes of what the package wrote.
nlohmann::json about_files() {
  return nlohmann::json::parse(SafetensorsFile(open_file(kSeeded)).metadata().at("files"));
}

/// SplitMix64 from the FNV-1a digest of a name.
Bytes random_bytes(const std::string& name, std::size_t count) {
  std::uint64_t state = 0xCBF29CE484222325;
  for (const char c : name) state = (state ^ static_cast<std::uint8_t>(c)) * 0x100000001B3;
  Bytes bytes;
  while (bytes.size() < count) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    put(bytes, z ^ (z >> 31), 8);
  }
  bytes.resize(count);
  return bytes;
}

Bytes drawn_floats(const std::string& name, std::size_t count) {
  const Bytes bits = random_bytes(name, 4 * count);
  const bool norm =
      name.find("norm") != std::string::npos || name.find(".ln_") != std::string::npos;
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t u = 0;
    std::memcpy(&u, &bits[4 * i], 4);
    values[i] = (static_cast<float>(u >> 8) * 0x1p-24f - 0.5f) / 4 + (norm ? 1.0f : 0.0f);
  }
  Bytes bytes(4 * count);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A field of 16 bits in every block: the bits of `keep` stay random, `exponent` is set.
struct Half {
  std::size_t at;
  unsigned keep, exponent;
};
struct Type {
  const char* name;
  std::uint32_t id;
  std::size_t values, bytes;  // of a block
  std::vector<Half> halves;
};
void PrintTo(const Type& type, std::ostream* out) { *out << type.name; }
const Type kTypes[] = {{"F16", 1, 1, 2, {{0, 0x83FF, 0x2800}}},
                       {"BF16", 30, 1, 2, {{0, 0x807F, 0x3D00}}},
                       {"Q8_0", 8, 32, 34, {{0, 0x3FF, 0x1000}}},
                       {"Q4_0", 2, 32, 18, {{0, 0x3FF, 0x2000}}},
                       {"Q4_1", 3, 32, 20, {{0, 0x3FF, 0x2000}, {2, 0x3FF, 0xAC00}}},
                       {"Q5_0", 6, 32, 22, {{0, 0x3FF, 0x1C00}}},
                       {"Q5_1", 7, 32, 24, {{0, 0x3FF, 0x1C00}, {2, 0x3FF, 0xAC00}}},
                       {"Q4_K", 12, 256, 144, {{0, 0x3FF, 0x0800}, {2, 0x3FF, 0x1400}}},
                       {"Q5_K", 13, 256, 176, {{0, 0x3FF, 0x0400}, {2, 0x3FF, 0x1400}}},
                       {"Q6_K", 14, 256, 210, {{208, 0x1FF, 0x0200}}}};

Bytes drawn_blocks(const std::string& name, std::size_t count, const Type& type) {
  Bytes bytes = random_bytes(name, count / type.values * type.bytes);
  for (std::size_t block = 0; block < bytes.size(); block += type.bytes) {
    for (const Half& h : type.halves) {
      std::uint16_t word = 0;
      std::memcpy(&word, &bytes[block + h.at], 2);
      word = static_cast<std::uint16_t>((word & h.keep) | h.exponent);
      std::memcpy(&bytes[block + h.at], &word, 2);
    }
  }
  return bytes;
}

/// The file of a model, "mmdit" or "t5", whose matrices have one type.
Bytes drawn_file(const std::string& model, const std::string& architecture, const Type& type) {
  GgufParts parts{.entries = {gguf_entry("general.architecture", 8, gguf_text(architecture))}};
  Bytes data;
  const nlohmann::json about = about_files();
  for (const auto& tensor : about[model + ".tensors"]) {
    GgufInfo info{.name = tensor[0], .offset = data.size()};
    std::size_t count = 1;
    for (std::size_t i = tensor.size() - 1; i > 0; --i) {
      info.dims.push_back(tensor[i].get<std::uint64_t>());
      count *= info.dims.back();
    }
    const bool blocks = info.dims.size() == 2 && info.name.find("rel_b") == std::string::npos;
    info.type = blocks ? type.id : 0;
    const Bytes bytes =
        blocks ? drawn_blocks(info.name, count, type) : drawn_floats(info.name, count);
    data.insert(data.end(), bytes.begin(), bytes.end());
    while (data.size() % parts.alignment != 0) data.push_back({});
    parts.infos.push_back(std::move(info));
  }
  Bytes file = gguf_of(parts);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

class SeededGguf : public ::testing::TestWithParam<Type> {
 protected:
  // A reader of the file, which must be the one that the package wrote.
  WeightReader reader(const std::string& model, const std::string& architecture,
                      const ComponentSpec& spec) const {
    Bytes file = drawn_file(model, architecture, GetParam());
    EXPECT_EQ(sha256_hex(file), about_files()[key(model)]);
    return {spec, {open_tensor_file(source_of(model + ".gguf", std::move(file)))}};
  }
  std::string key(const std::string& model) const { return model + "." + GetParam().name; }
  void expect_result(const std::vector<float>& out, const std::string& model) const {
    EXPECT_LE(relative_l2(out, expected().get(key(model)).values), kTolerance);
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend({.threads = 2});
};

TEST_P(SeededGguf, TransformerIsDiffusers) {
  WeightReader weights = reader("mmdit", "sd3", {.name = "transformer", .family = Family::kMmdit});
  const Mmdit mmdit(Loader(weights, *backend_, Compute::kF32));
  EXPECT_NO_THROW(weights.finish());
  const auto stored = weights.dtype_bytes();
  EXPECT_TRUE(std::any_of(stored.begin(), stored.end(), [](const auto& d) {
    return d.first == GetParam().name && d.second > 0;
  }));
  expect_result(forward(*backend_, mmdit, expected(), "in.", {}), "mmdit");
}

TEST_P(SeededGguf, T5IsTransformers) {
  WeightReader weights =
      reader("t5", "t5encoder", {.name = "text_encoder_3", .family = Family::kT5});
  const T5Encoder t5(Loader(weights, *backend_, Compute::kF32), {});
  EXPECT_NO_THROW(weights.finish());
  const std::vector<std::int32_t> ids = expected().ids("in.ids");
  const auto tokens = static_cast<std::int64_t>(ids.size());
  Arena arena(backend_->allocate(std::size_t{16} << 20));
  const Ctx ctx{*backend_, arena};
  const Tensor input = arena.tensor(DType::kI32, {1, tokens});
  backend_->upload(input, std::as_bytes(std::span(ids)));
  const Tensor hidden = arena.tensor(DType::kF32, {1, tokens, t5.width()});
  t5.forward(ctx, hidden, input);
  expect_result(get(ctx, hidden), "t5");
}

INSTANTIATE_TEST_SUITE_P(Types, SeededGguf, ::testing::ValuesIn(kTypes),
                         [](const auto& type) { return std::string(type.param.name); });

}  // namespace
}  // namespace octet::test
