#include "pipeline/decoding.h"

#include "backend/ops_checked.h"
#include "pipeline/finite_check.h"

namespace octet {

Picture decode_picture(Ctx ctx, const DecodeArgs& args) {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t factor = args.vae.spatial_factor();
  const Dims dims{1, factor * args.latents.dim(2), factor * args.latents.dim(3), 3};
  const Tensor image = ctx.arena.tensor(DType::kF32, 4, dims);
  const auto run = [&](Ctx c) { args.vae.decode(c, image, args.latents); };
  run(ctx);
  require_finite(ctx, {image}, "picture decoding", run);
  const Tensor bytes = ctx.arena.tensor(DType::kU8, 4, dims);
  ops::to_u8(ctx, {.dst = bytes,
                   .src = image,
                   .rounding = args.compat == Compat::kDiffusers ? Rounding::kNearest
                                                                 : Rounding::kTruncate});
  Picture picture{.width = static_cast<int>(dims[2]),
                  .height = static_cast<int>(dims[1]),
                  .rgb = std::vector<std::uint8_t>(bytes.bytes()),
                  .seed = args.seed};
  ctx.backend.download(std::as_writable_bytes(std::span(picture.rgb)), bytes);
  if (args.look) args.look(image);
  return picture;
}

}  // namespace octet
