#include "pipeline/sampling.h"

#include <vector>

#include "base/check.h"
#include "pipeline/settings.h"

namespace octet {
namespace {

// The prompts' side of the run, which the rows of the batch share.
std::vector<Conditioning> condition(Ctx ctx, const Mmdit& mmdit,
                                    std::span<const EncodedPrompt> prompts,
                                    std::span<const float> timesteps) {
  std::vector<Conditioning> all;
  for (const EncodedPrompt& prompt : prompts) {
    all.push_back(make_conditioning(ctx.arena, mmdit, prompt, timesteps.size()));
  }
  modulate(ctx, mmdit, all, prompts, timesteps);
  return all;
}

}  // namespace

Guidance request_guidance(const GenerateRequest& request, const UsedSettings& settings,
                          const Mmdit& mmdit) {
  return Guidance({.scale = settings.guidance,
                   .skip_layers = request.skip_layers,
                   .skip_scale = settings.skip_scale,
                   .skip_start = settings.skip_start,
                   .skip_end = settings.skip_end,
                   .first_step = settings.skipped_steps},
                  static_cast<int>(mmdit.config().depth),
                  settings.skipped_steps + settings.run_steps);
}

Row request_row(const GenerateRequest& request, const UsedSettings& settings) {
  return Row(find_sampler(settings.sampler), run_sigmas(settings, request.compat));
}

void sample(Ctx ctx, SamplingArgs& args) {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t batch = args.latents.dim(0);
  OCTET_CHECK(static_cast<std::int64_t>(args.rows.size()) == batch, "rows of the batch");
  const std::vector<float> timesteps = timesteps_of(args.rows.front());
  std::vector<EncodedPrompt> prompts{args.cond};
  if (args.guidance.uses_uncond()) prompts.push_back(args.uncond);
  const std::vector<Conditioning> conditions = condition(ctx, args.mmdit, prompts, timesteps);
  if (args.on_modulation) args.on_modulation();
  std::vector<Track> tracks;
  for (std::int64_t b = 0; b < batch; ++b) {
    tracks.push_back(make_track(ctx, {.row = args.rows[static_cast<std::size_t>(b)],
                                      .guidance = &args.guidance,
                                      .cond = &conditions[0],
                                      .uncond = conditions.size() > 1 ? &conditions[1] : nullptr,
                                      .latents = slice(args.latents, 0, b, b + 1)}));
    if (!args.known.empty()) tracks.back().known = args.known[static_cast<std::size_t>(b)];
  }
  std::vector<Track*> all;
  for (Track& track : tracks) all.push_back(&track);
  Denoiser denoiser(args.mmdit);
  // Steps are reported when the device has finished them, not when they were handed to it.
  int reported = 0;
  const auto report_until = [&](int end) {
    for (; reported < end; ++reported) {
      if (args.on_step) args.on_step(reported);
    }
  };
  const auto steps = static_cast<int>(timesteps.size());
  for (int step = 0; step < steps; ++step) {
    denoiser.step(ctx, all);
    int running = ctx.backend.finish_unit();
    if (args.on_step_reads_latents || step + 1 == steps) {
      ctx.backend.synchronize();
      running = 0;
    }
    report_until(step + 1 - running);
  }
}

}  // namespace octet
