// MMDiT: the denoiser of SD3 and SD3.5 ("Scaling Rectified Flow Transformers", arXiv 2403.03206;
// dual attention of SD3.5 Medium: MMDiT-X).
//
// Two entry points. modulation() computes the adaLN vectors of a whole run in one batched pass:
// they depend only on timestep and pooled text, and are a third of the weights. forward() is one
// step: it reads latents, text and the modulation rows of this step and predicts the velocity
// v = noise - data.
//
// Letters: B rows of the batch, N image tokens, L text tokens, D width, H heads. In the joint
// sequence image tokens come first, as in diffusers; there is no mask and no rotary position, so
// the order changes nothing but the order of sums.
//
// Immutable after load; forward() may be called from several threads with different Ctx.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/layers.h"

namespace octet {

/// Everything is read off the tensor shapes.
struct MmditConfig {
  std::int64_t depth = 0;  // joint blocks
  std::int64_t width = 0;  // D
  std::int64_t head_dim = 64;
  std::int64_t patch = 2;
  std::int64_t in_channels = 16;
  std::int64_t out_channels = 16;
  std::int64_t text_width = 0;     // columns of the text rows, 4096 in the full models
  std::int64_t pooled_width = 0;   // 2048 in the full models
  std::int64_t position_side = 0;  // P of the stored position table, in patches
  bool qk_norm = false;
  std::vector<bool> dual;  // per block: has a second, image-only attention

  [[nodiscard]] std::int64_t heads() const { return width / head_dim; }
  /// "sd3.5-large-like: 5 blocks, width 320".
  [[nodiscard]] std::string describe() const;
};

/// Projections of one stream into and out of an attention.
struct AttentionWeights {
  Weight qkv;  // rows: q, k, v
  std::optional<Parameter> norm_q, norm_k;
  std::optional<Weight> proj;  // absent where the result is not used
};

struct MlpWeights {
  Weight fc1, fc2;
};

/// A residual stream together with the branches that the next norm adds to it.
struct Stream {
  Tensor x;                              // [B, tokens, D]
  std::array<GatedBranch, 2> pending{};  // empty: nothing to add
  std::array<Tensor, 2> branch{};        // memory for the values of `pending`
};

/// The adaLN vectors of one stream in one block, views [B, D] into a modulation row.
struct Modulation {
  Tensor shift_msa, scale_msa, gate_msa;
  Tensor shift_mlp, scale_mlp, gate_mlp;
  Tensor shift_msa2, scale_msa2, gate_msa2;  // dual blocks only
};

/// One joint block: two streams, one attention over both.
struct JointBlock {
  AttentionWeights image, text;
  std::optional<AttentionWeights> dual;  // attn2, image tokens only
  MlpWeights image_mlp;
  std::optional<MlpWeights> text_mlp;  // absent in the last block: text only gives k and v

  void forward(Ctx ctx, Stream& image_stream, Stream& text_stream, const Modulation& image_mod,
               const Modulation& text_mod) const;

  std::int64_t heads = 0;
  Compute compute = Compute::kF32;

 private:
  void joint_attention(Ctx ctx, Stream& x, Stream& c, const Modulation& xm,
                       const Modulation& cm) const;
  void image_attention(Ctx ctx, const Activation& input, Stream& x, const Tensor& gate) const;
  void project(Ctx ctx, const AttentionWeights& w, const Activation& input,
               const Tensor& qkv) const;
};

/// What a prompt's modulation is computed from and to where.
struct ModulationRows {
  Tensor dst;     // FP32 [R, modulation_width()]
  Tensor pooled;  // FP32 [R, pooled_width]
};

struct MmditInput {
  Tensor latents;                      // FP32 [B, C, H, W]
  Tensor text;                         // FP32/BF16 [B, L, text_width]
  Tensor modulation;                   // FP32 [B, modulation_width()]
  std::span<const int> skip_layers{};  // blocks that pass both streams through unchanged
};

class Mmdit {
 public:
  /// Reads every tensor of a transformer in diffusers naming. `loader.compute` is used by the
  /// attention and MLP layers; embedders, modulation and output never round inputs to 8 bits.
  explicit Mmdit(const Loader& loader);

  [[nodiscard]] const MmditConfig& config() const { return config_; }
  /// Columns of a modulation row: 6 D per stream and block, 9 D with dual attention, 2 D at the
  /// end.
  [[nodiscard]] std::int64_t modulation_width() const { return modulation_width_; }

  /// Timesteps FP32 [R] (1000 sigma). Every weight is used for all prompts before the next one, so
  /// that weights which wait in host memory come once.
  void modulation(Ctx ctx, std::span<const ModulationRows> prompts, const Tensor& timesteps) const;

  /// dst FP32 [B, C, H, W]: the velocity.
  void forward(Ctx ctx, const Tensor& dst, const MmditInput& in) const;

 private:
  // A linear that produces `chunks` vectors of width D at `offset` of the modulation row.
  struct ModulationLayer {
    Weight weight;
    std::int64_t offset = 0;
    std::int64_t chunks = 0;
  };

  void load_block(const Loader& load, std::int64_t index);
  ModulationLayer load_modulation(const Loader& load, const std::string& name, std::int64_t chunks);
  Modulation chunks(const Tensor& row, const ModulationLayer& layer, bool scale_first) const;
  Stream make_stream(Ctx ctx, std::int64_t batch, std::int64_t tokens) const;
  void embed_image(Ctx ctx, const Tensor& x, const Tensor& latents) const;

  MmditConfig config_;
  std::int64_t modulation_width_ = 0;
  DType stream_dtype_ = DType::kF32;
  Weight patch_embed_, context_embedder_, proj_out_;
  Weight time_fc1_, time_fc2_, pooled_fc1_, pooled_fc2_;
  Parameter position_;
  std::vector<JointBlock> blocks_;
  std::vector<ModulationLayer> image_mod_, text_mod_;
  ModulationLayer final_mod_;
};

}  // namespace octet
