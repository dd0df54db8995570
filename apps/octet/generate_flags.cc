// The flag table of `octet generate` and the help text made from it.

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"
#include "generate_options.h"
#include "model_flags.h"

namespace octet::cli {
namespace {

constexpr const char* kFromModel = "from the model";

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.emplace_back(entry.name);
  return names;
}

void add_picture_flags(GenerateOptions& o, std::vector<Flag>& flags) {
  const char* group = "The picture";
  flags.push_back({.name = "--negative",
                   .value = "TEXT",
                   .group = group,
                   .help = "what the picture should not show",
                   .normal = "nothing",
                   .target = &o.request.negative_prompt});
  flags.push_back({.name = "--width",
                   .value = "N",
                   .group = group,
                   .help = "width in pixels, a multiple of 16",
                   .normal = kFromModel,
                   .target = &o.request.width,
                   .range = {.low = 16, .high = 16384, .multiple = 16}});
  flags.push_back({.name = "--height",
                   .value = "N",
                   .group = group,
                   .help = "height in pixels, a multiple of 16",
                   .normal = kFromModel,
                   .target = &o.request.height,
                   .range = {.low = 16, .high = 16384, .multiple = 16}});
  flags.push_back({.name = "--seed",
                   .value = "N",
                   .group = group,
                   .help = "number that picks the noise: same seed, same picture",
                   .normal = "drawn and reported",
                   .target = &o.request.seed});
  flags.push_back({.name = "--batch",
                   .value = "N",
                   .group = group,
                   .help = "pictures to draw, of the seeds N, N+1, ...",
                   .normal = "1",
                   .target = &o.request.batch,
                   .range = {.low = 1, .high = 64}});
  flags.push_back({.name = "--like",
                   .value = "FILE",
                   .group = group,
                   .help = "repeat the settings stored in a picture that Octet wrote; flags and a "
                           "PROMPT given here win over them",
                   .normal = "",
                   .target = &o.like_file,
                   .accepts = is_not_empty,
                   .expected = "the name of a picture"});
}

void add_init_flags(GenerateOptions& o, std::vector<Flag>& flags) {
  const char* group = "From a picture";
  flags.push_back({.name = "--init",
                   .value = "FILE",
                   .group = group,
                   .help = "begin with this picture (PNG, JPEG, WebP) instead of with noise; "
                           "without --width and --height it gives the size",
                   .normal = "",
                   .target = &o.init_file,
                   .accepts = is_not_empty,
                   .expected = "the name of a picture"});
  flags.push_back({.name = "--strength",
                   .value = "X",
                   .group = group,
                   .help = "how much of --init may change, above 0 to 1; of the steps, the last "
                           "STEPS * X run",
                   .normal = "0.6",
                   .target = &o.request.strength,
                   .range = {.low = 0, .high = 1, .above_low = true}});
  flags.push_back({.name = "--mask",
                   .value = "FILE",
                   .group = group,
                   .help = "draw only where this picture is white, keep --init where it is black",
                   .normal = "",
                   .target = &o.mask_file,
                   .accepts = is_not_empty,
                   .expected = "the name of a picture"});
}

void add_sampling_flags(GenerateOptions& o, std::vector<Flag>& flags) {
  const char* group = "How it is drawn";
  flags.push_back({.name = "--steps",
                   .value = "N",
                   .group = group,
                   .help = "denoising steps: more is slower and finer",
                   .normal = kFromModel,
                   .target = &o.request.steps,
                   .range = {.low = 1, .high = 1000}});
  flags.push_back({.name = "--guidance",
                   .value = "X",
                   .group = group,
                   .help = "how closely to follow the prompt, 0 to 100; 1 or less turns guidance "
                           "off and halves the time",
                   .normal = kFromModel,
                   .target = &o.request.guidance,
                   .range = {.low = 0, .high = 100}});
  flags.push_back({.name = "--shift",
                   .value = "X",
                   .group = group,
                   .help = "moves steps towards high noise, for large pictures",
                   .normal = kFromModel,
                   .target = &o.request.shift,
                   .range = {.low = kMinShift, .high = kMaxShift}});
  flags.push_back({.name = "--sampler",
                   .value = "NAME",
                   .group = group,
                   .help = "how to step",
                   .normal = kFromModel,
                   .target = &o.request.sampler,
                   .choices = names_of(samplers())});
  flags.push_back({.name = "--schedule",
                   .value = "NAME",
                   .group = group,
                   .help = "which noise levels to step through",
                   .normal = kFromModel,
                   .target = &o.request.schedule,
                   .choices = names_of(schedules())});
  flags.push_back({.name = "--t5-length",
                   .value = "N",
                   .group = group,
                   .help = "tokens of the T5 text encoder, 1 to 512",
                   .normal = kFromModel,
                   .target = &o.request.t5_length,
                   .range = {.low = 1, .high = 512}});
  flags.push_back({.name = "--compat",
                   .value = "NAME",
                   .group = group,
                   .help = "whose habits to follow where programs differ",
                   .normal = "diffusers",
                   .target = &o.request.compat,
                   .choices = {"diffusers", "comfyui", "reference"}});
}

void add_skip_flags(GenerateOptions& o, std::vector<Flag>& flags) {
  const char* group = "Skip-layer guidance";
  flags.push_back({.name = "--skip-layers",
                   .value = "LIST",
                   .group = group,
                   .help = "blocks to skip, for example 7,8,9",
                   .normal = "off",
                   .target = &o.request.skip_layers,
                   .range = {.low = 0, .high = 999}});
  flags.push_back({.name = "--skip-scale",
                   .value = "X",
                   .group = group,
                   .help = "its strength, 0 to 100",
                   .normal = "2.8",
                   .target = &o.request.skip_scale,
                   .range = {.low = 0, .high = 100}});
  flags.push_back({.name = "--skip-start",
                   .value = "X",
                   .group = group,
                   .help = "begins after this part of the steps, 0 to 1",
                   .normal = "0.01",
                   .target = &o.request.skip_start,
                   .range = {.low = 0, .high = 1}});
  flags.push_back({.name = "--skip-end",
                   .value = "X",
                   .group = group,
                   .help = "ends after this part of the steps, 0 to 1",
                   .normal = "0.2",
                   .target = &o.request.skip_end,
                   .range = {.low = 0, .high = 1}});
}

void add_output_flags(GenerateOptions& o, std::vector<Flag>& flags) {
  const char* group = "Output";
  flags.push_back({.name = "--output",
                   .letter = "-o",
                   .value = "FILE",
                   .group = group,
                   .help = "picture to write: .png, .jpg or .webp, or - for a PNG on standard "
                           "output. %d in the name counts pictures from 0; without it a batch "
                           "writes name-0.png, name-1.png, ... Existing files are replaced",
                   .normal = o.output,
                   .target = &o.output,
                   .accepts = is_not_empty,
                   .expected = "a file name, or - for standard output"});
  flags.push_back({.name = "--json",
                   .group = group,
                   .help = "print one JSON object with settings, timings, memory and paths on "
                           "standard output",
                   .normal = "",
                   .target = &o.json});
  flags.push_back({.name = "--no-provenance",
                   .group = group,
                   .help = "leave out the XMP that says that a model drew the picture, and how; "
                           "the settings in a PNG's own texts stay",
                   .normal = "",
                   .target = &o.no_provenance});
  flags.push_back({.name = "--quiet",
                   .group = group,
                   .help = "print nothing but errors",
                   .normal = "",
                   .target = &o.quiet});
  flags.push_back({.name = "--noise",
                   .value = "FILE",
                   .group = group,
                   .help = "start from the tensor 'noise' (F32) of a safetensors file instead of "
                           "the seed's noise",
                   .normal = "",
                   .target = &o.noise_file,
                   .accepts = is_not_empty,
                   .expected = "the name of a safetensors file"});
  flags.push_back({.name = "--dump",
                   .value = "FILE",
                   .group = group,
                   .help = "write embeddings, noise, latents and picture as FP32 tensors to a "
                           "safetensors file",
                   .normal = "",
                   .target = &o.dump_file,
                   .accepts = is_not_empty,
                   .expected = "a file name"});
  flags.push_back({.name = "--dump-steps",
                   .group = group,
                   .help = "with --dump: also the latents after every step",
                   .normal = "",
                   .target = &o.request.dump_steps});
}

constexpr const char* kHelpStart =
    R"(octet generate: draw pictures from a description

Usage: octet generate [PROMPT] [flags]

  PROMPT                  what to draw, in quotes; - reads it from standard
                          input. Put -- before a prompt that starts with a dash

Examples:
  octet generate "a red apple on a blue background"
      draws with the built-in model and writes out.png
  octet generate "a cat" --seed 7 --batch 4 -o cat-%d.png
      writes cat-0.png to cat-3.png, of the seeds 7 to 10
  octet generate --like cat-2.png -o again.png
      repeats one of them: same model, same settings, same picture
  octet generate "a lighthouse at dusk" --model ./stable-diffusion-3.5-large
      draws with a model folder in the diffusers layout
  octet generate "a green apple" --init cat-2.png --strength 0.7 --mask hole.png
      draws over a picture, here only where hole.png is white
  octet generate "a red apple" -o - | display
      sends the PNG to another program
)";

constexpr const char* kHelpEnd = R"(
Exit codes: 0 done, 2 usage or invalid request, 3 model cannot be used, 4 not
enough memory, 5 file cannot be read or written, 6 device, 7 refused by the
lock, 130 interrupted.
)";

}  // namespace

std::vector<Flag> generate_flags(GenerateOptions& options) {
  std::vector<Flag> flags;
  add_picture_flags(options, flags);
  add_init_flags(options, flags);
  add_output_flags(options, flags);
  add_sampling_flags(options, flags);
  add_model_flags(options.engine, flags);
  add_machine_flags(options.engine, flags);
  add_skip_flags(options, flags);
  return flags;
}

std::string generate_help() {
  GenerateOptions defaults;
  return kHelpStart + describe(generate_flags(defaults)) + kHelpEnd;
}

}  // namespace octet::cli
