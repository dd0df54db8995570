// LoRA against diffusers' own loading of the same files in FP32 (data/lora/make_lora.py), in every
// style of names, on weights stored as FP32, FP16 and FP8.
#include <gtest/gtest.h>

#include "checkpoint/lora_patch.h"
#include "pipeline/golden_forward.h"
#include "support/errors.h"
#include "support/tensors.h"

namespace octet::test {
namespace {

const std::string kArch = "sd35-medium";
const std::string kData = std::string(OCTET_TEST_DATA) + "/model/data/lora/";

/// Another file's tensors as FP32.
class FloatFile final : public TensorFile {
 public:
  explicit FloatFile(std::shared_ptr<const TensorFile> file) : file_(std::move(file)) {
    for (auto [name, info] : file_->tensors()) {
      info.dtype = DType::kF32;
      info.dtype_name = "F32";
      tensors_[name] = info;
    }
  }
  const std::string& name() const override { return file_->name(); }
  const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
  const std::map<std::string, std::string>& metadata() const override { return file_->metadata(); }
  void read_rows(const TensorInfo& tensor, RowRange rows,
                 std::span<std::byte> destination) const override {
    TensorInfo source = tensor;  // the shape may be another one than the file's
    source.dtype = file_->tensors().at(tensor.name).dtype;
    source.dtype_name = file_->tensors().at(tensor.name).dtype_name;
    Bytes bytes(static_cast<std::size_t>(rows.count) * row_bytes(source));
    file_->read_rows(source, rows, bytes);
    decode_to_f32(*source.dtype, bytes.data(), reinterpret_cast<float*>(destination.data()),
                  destination.size() / sizeof(float));
  }

 private:
  std::shared_ptr<const TensorFile> file_;
  std::map<std::string, TensorInfo> tensors_;
};

struct Part {
  const char* component;
  const char* file;
};
constexpr Part kTransformer{"transformer", "diffusion_pytorch_model.safetensors"};
constexpr Part kClip{"text_encoder", "model.safetensors"};

std::shared_ptr<const TensorFile> open_part(const Part& part) {
  return open_tensor_file(
      open_file(golden_folder(kArch) + "/model/" + part.component + "/" + part.file));
}

/// "first.mmdit": one of the results of diffusers.
std::vector<float> expected(const std::string& name) {
  const SafetensorsFile file(open_file(kData + "expected.safetensors"));
  const Bytes bytes = file.read(file.tensors().at(name));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::vector<WeightedLora> loras(const std::vector<std::pair<std::string, float>>& files) {
  std::vector<WeightedLora> result;
  for (const auto& [name, weight] : files) {
    result.push_back({.file = std::make_shared<LoraFile>(open_tensor_file(open_file(kData + name))),
                      .weight = weight});
  }
  return result;
}

class LoraForward : public testing::Test {
 protected:
  template <typename Model, typename... Options>
  Model load(const Part& part, std::shared_ptr<const TensorFile> file,
             std::vector<WeightedLora> changes, const Options&... options) {
    WeightReader reader(part.component, {std::move(file)});
    LoraPatch patch(part.component, std::move(changes), reader.layers(), pool_);
    reader.patch_with(patch);
    Model loaded(Loader(reader, *golden_.backend, Compute::kF32), options...);
    reader.finish();
    patch.finish();
    errors_ = patch.errors();
    layers_ = patch.layers_of(0);
    return loaded;
  }

  std::vector<float> mmdit(std::shared_ptr<const TensorFile> file,
                           std::vector<WeightedLora> changes) {
    const auto loaded = load<Mmdit>(kTransformer, std::move(file), std::move(changes));
    return forward(golden_, loaded, {});
  }
  std::vector<float> mmdit(std::vector<WeightedLora> changes) {
    return mmdit(std::make_shared<FloatFile>(open_part(kTransformer)), std::move(changes));
  }

  // Hidden states, then the pooled row.
  std::pair<std::vector<float>, std::vector<float>> clip(std::vector<WeightedLora> changes) {
    const ModelFolder folder(open_folder(golden_folder(kArch) + "/model"));
    const auto loaded = load<ClipTextEncoder>(kClip, std::make_shared<FloatFile>(open_part(kClip)),
                                              std::move(changes),
                                              folder.clip_options("text_encoder", Act::kQuickGelu));
    Arena arena(golden_.backend->allocate(std::size_t{16} << 20));
    const Ctx ctx{*golden_.backend, arena};
    const std::vector<std::int32_t> tokens = golden_.tensors.ids("tokens.clip_l");
    const auto count = static_cast<std::int64_t>(tokens.size());
    const Tensor ids = arena.tensor(DType::kI32, {1, count});
    ctx.backend.upload(ids, std::as_bytes(std::span(tokens)));
    const Tensor hidden = arena.tensor(DType::kF32, {1, count, loaded.width()});
    const Tensor pooled = arena.tensor(DType::kF32, {1, loaded.pooled_width()});
    const std::int64_t end = std::max_element(tokens.begin(), tokens.end()) - tokens.begin();
    loaded.forward(ctx, hidden, pooled, ids, {&end, 1});
    return {get(ctx, hidden), get(ctx, pooled)};
  }

  GoldenModel golden_{kArch, "f32", {}};
  ThreadPool pool_{2};
  std::map<std::string, RoundingError> errors_;
  int layers_ = 0;
};

constexpr double kTolerance = 1e-5;

TEST_F(LoraForward, WithoutIsTheSame) {
  EXPECT_LE(relative_l2(mmdit({}), expected("none.mmdit")), kTolerance);
  EXPECT_GT(relative_l2(expected("first.mmdit"), expected("none.mmdit")), 0.1);
  EXPECT_GT(relative_l2(expected("first.hidden"), expected("none.hidden")), 0.01);
}

TEST_F(LoraForward, EveryStyleOfNamesIsWhatDiffusersComputes) {
  for (const char* file : {"peft.safetensors", "kohya.safetensors", "comfy.safetensors"}) {
    SCOPED_TRACE(file);
    EXPECT_LE(relative_l2(mmdit(loras({{file, 1}})), expected("first.mmdit")), kTolerance);
    EXPECT_EQ(layers_, 33) << "q, k and v counted one by one";
    const auto [hidden, pooled] = clip(loras({{file, 1}}));
    EXPECT_LE(relative_l2(hidden, expected("first.hidden")), kTolerance);
    EXPECT_LE(relative_l2(pooled, expected("first.pooled")), kTolerance);
  }
}

TEST_F(LoraForward, TwoFilesWithWeightsOfTheirOwn) {
  for (const char* file : {"peft.safetensors", "kohya.safetensors"}) {
    const auto both = loras({{file, 0.75f}, {"second.safetensors", -0.5f}});
    EXPECT_LE(relative_l2(mmdit(both), expected("both.mmdit")), kTolerance) << file;
    EXPECT_LE(relative_l2(clip(both).first, expected("both.hidden")), kTolerance) << file;
  }
}

TEST_F(LoraForward, WeightZeroChangesNothing) {
  EXPECT_EQ(mmdit(loras({{"peft.safetensors", 0}})), mmdit({}));
}

// The model as stored: FP16 is rounded once more.
TEST_F(LoraForward, SixteenBitWeightsStayWhatTheyAre) {
  const auto out = mmdit(open_part(kTransformer), loras({{"peft.safetensors", 1}}));
  EXPECT_LE(relative_l2(out, expected("first.mmdit")), 2e-3);
  ASSERT_EQ(errors_.count("F16"), 1u);
  EXPECT_GT(errors_.at("F16").relative(), 1e-5);
  EXPECT_LT(errors_.at("F16").relative(), 5e-4);
}

TEST_F(LoraForward, NumberOfThreadsDoesNotMatter) {
  const auto changes = loras({{"kohya.safetensors", 1}});
  const auto two = mmdit(open_part(kTransformer), changes);
  ThreadPool one(1);
  WeightReader reader("transformer", {open_part(kTransformer)});
  LoraPatch patch("transformer", changes, reader.layers(), one);
  reader.patch_with(patch);
  const Mmdit loaded(Loader(reader, *golden_.backend, Compute::kF32));
  EXPECT_EQ(forward(golden_, loaded, {}), two);
}

TEST_F(LoraForward, LayersThatTheModelLacksAreNamed) {
  const auto refuse = [&](const std::string& part, const std::string& module) {
    TensorMap map;
    map[module + ".lora_A.weight"] = tensor_of({1, 128}, std::vector<float>(128, 1));
    map[module + ".lora_B.weight"] = tensor_of({128, 1}, std::vector<float>(128, 1));
    const auto file = std::make_shared<LoraFile>(
        open_tensor_file(source_of("style.safetensors", safetensors_of(map))));
    expect_error(Code::kModelMismatch, part, [&] { (void)mmdit({{file, 1}}); });
  };
  refuse("found 1 others (transformer.transformer_blocks.2.attn.to_q)",
         "transformer.transformer_blocks.2.attn.to_q");
  refuse("found 1 others (unet.mid_block.to_q)", "unet.mid_block.to_q");
  refuse("found 1 others (lora_unet_joint_blocks_1_context_block_mlp_fc1)",
         "lora_unet_joint_blocks_1_context_block_mlp_fc1");
  refuse("expected [512, 128] for layer transformer_blocks.0.ff.net.0.proj",
         "transformer.transformer_blocks.0.ff.net.0.proj");
  refuse("expected [384, 128]", "diffusion_model.joint_blocks.0.x_block.attn.qkv");
}

}  // namespace
}  // namespace octet::test
