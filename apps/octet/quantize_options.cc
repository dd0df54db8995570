#include "quantize_options.h"

#include <filesystem>
#include <vector>

#include "base/format.h"
#include "flag_parser.h"
#include "flags.h"
#include "model_flags.h"
#include "octet/error.h"
#include "prompt_file.h"

namespace octet::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::kInvalidArgument, message);
}

/// The flags as texts and numbers, before they become options.
struct Given {
  std::string to = "fp8", calibration, holdout, out, gate;
  std::string layout = "diffusers", weight_scale, modulation = "keep";
  std::optional<std::string> variant;
  std::string lock;
  ModelParts parts;
  std::optional<int> calibration_steps, gate_steps, width, height;
  std::optional<std::uint64_t> seed;
  std::optional<float> percentile, block_error;
  std::optional<float> min_psnr, min_ssim, max_gmsd, max_layer_error;
  int threads = 0;
  bool accept = false, json = false, quiet = false;
};

std::string number_text(double value) { return format("%g", value); }

void add_file_flags(Given& g, std::vector<Flag>& flags) {
  const char* group = "Files";
  flags.push_back({.name = "--to",
                   .value = "TYPE",
                   .group = group,
                   .help = "what to quantise to",
                   .normal = "fp8",
                   .target = &g.to,
                   .choices = {"fp8"}});
  flags.push_back({.name = "--calibration",
                   .value = "FILE",
                   .group = group,
                   .help = "prompts to calibrate with, one a line",
                   .target = &g.calibration});
  flags.push_back({.name = "--holdout",
                   .value = "FILE",
                   .group = group,
                   .help = "prompts to judge the result by, one a line",
                   .normal = "every third prompt of --calibration",
                   .target = &g.holdout});
  flags.push_back({.name = "--out",
                   .letter = "-o",
                   .value = "PATH",
                   .group = group,
                   .help = "the file to write (.safetensors), or a model folder that gets the "
                           "variant fp8",
                   .target = &g.out});
  flags.push_back({.name = "--gate",
                   .value = "FILE",
                   .group = group,
                   .help = "judge this FP8 transformer instead of making one",
                   .target = &g.gate});
  flags.push_back({.name = "--variant",
                   .value = "NAME",
                   .group = group,
                   .help = "which of the model's variants is the source",
                   .normal = "a 16- or 32-bit one that is there",
                   .target = &g.variant});
  flags.push_back({.name = "--lock",
                   .value = "FILE",
                   .group = group,
                   .help = "lock that MODEL must match, from octet lock",
                   .normal = "none",
                   .target = &g.lock});
}

void add_quantisation_flags(Given& g, std::vector<Flag>& flags) {
  const char* group = "What becomes FP8";
  const QuantizeOptions normal;
  flags.push_back({.name = "--layout",
                   .value = "NAME",
                   .group = group,
                   .help = "names and scales of the file",
                   .normal = "diffusers",
                   .target = &g.layout,
                   .choices = {"diffusers", "comfyui"}});
  flags.push_back({.name = "--weight-scale",
                   .value = "KIND",
                   .group = group,
                   .help = "one scale per output channel or per weight",
                   .normal = "row; tensor for --layout comfyui, which has no other",
                   .target = &g.weight_scale,
                   .choices = {"row", "tensor"}});
  flags.push_back({.name = "--input-percentile",
                   .value = "X",
                   .group = group,
                   .help = "static input scales cover this percentile of the inputs' magnitudes",
                   .normal = "100, the largest",
                   .target = &g.percentile,
                   .range = {.low = 50, .high = 100, .above_low = true}});
  flags.push_back({.name = "--modulation",
                   .value = "KIND",
                   .group = group,
                   .help = "modulation weights: keep them in 16 bit or store them as FP8 (their "
                           "inputs stay 16-bit)",
                   .normal = "keep",
                   .target = &g.modulation,
                   .choices = {"keep", "fp8"}});
  flags.push_back({.name = "--block-error",
                   .value = "X",
                   .group = group,
                   .help = "a block with a layer of a larger relative error stays in 16 bit",
                   .normal = number_text(normal.block_error),
                   .target = &g.block_error,
                   .range = {.low = 0}});
}

void add_run_flags(Given& g, std::vector<Flag>& flags) {
  const char* group = "Pictures";
  flags.push_back({.name = "--calibration-steps",
                   .value = "N",
                   .group = group,
                   .help = "denoising steps of a calibration picture",
                   .normal = "from the model",
                   .target = &g.calibration_steps,
                   .range = {.low = 1, .high = 1000}});
  flags.push_back({.name = "--gate-steps",
                   .value = "N",
                   .group = group,
                   .help = "denoising steps of a held-out picture",
                   .normal = "from the model",
                   .target = &g.gate_steps,
                   .range = {.low = 1, .high = 1000}});
  flags.push_back({.name = "--width",
                   .value = "N",
                   .group = group,
                   .help = "width in pixels, a multiple of 16",
                   .normal = "from the model",
                   .target = &g.width,
                   .range = {.low = 16, .high = 16384, .multiple = 16}});
  flags.push_back({.name = "--height",
                   .value = "N",
                   .group = group,
                   .help = "height in pixels, a multiple of 16",
                   .normal = "from the model",
                   .target = &g.height,
                   .range = {.low = 16, .high = 16384, .multiple = 16}});
  flags.push_back({.name = "--seed",
                   .value = "N",
                   .group = group,
                   .help = "of the first held-out picture",
                   .normal = "0",
                   .target = &g.seed});
  flags.push_back({.name = "--threads",
                   .value = "N",
                   .group = group,
                   .help = "processor threads; the result does not depend on them",
                   .normal = "all that this process may use",
                   .target = &g.threads,
                   .range = {.low = 0, .high = 1024}});
}

void add_gate_flags(Given& g, std::vector<Flag>& flags) {
  const char* group = "Quality gate";
  const GateLimits normal;
  flags.push_back({.name = "--min-psnr",
                   .value = "DB",
                   .group = group,
                   .help = "lowest mean PSNR of the held-out pictures",
                   .normal = number_text(normal.psnr),
                   .target = &g.min_psnr,
                   .range = {.low = 0}});
  flags.push_back({.name = "--min-ssim",
                   .value = "X",
                   .group = group,
                   .help = "lowest mean SSIM",
                   .normal = number_text(normal.ssim),
                   .target = &g.min_ssim,
                   .range = {.low = 0, .high = 1}});
  flags.push_back({.name = "--max-gmsd",
                   .value = "X",
                   .group = group,
                   .help = "largest mean GMSD, a perceptual distance",
                   .normal = number_text(normal.gmsd),
                   .target = &g.max_gmsd,
                   .range = {.low = 0}});
  flags.push_back({.name = "--max-layer-error",
                   .value = "X",
                   .group = group,
                   .help = "largest relative error of a layer's output",
                   .normal = number_text(normal.layer_error),
                   .target = &g.max_layer_error,
                   .range = {.low = 0}});
  flags.push_back({.name = "--accept-quality-loss",
                   .group = group,
                   .help = "write the file even if it breaks a limit; its metadata says so",
                   .target = &g.accept});
}

void add_output_flags(Given& g, std::vector<Flag>& flags) {
  const char* group = "Output";
  flags.push_back({.name = "--json",
                   .group = group,
                   .help = "print the report as one JSON object on standard output",
                   .target = &g.json});
  flags.push_back(
      {.name = "--quiet", .group = group, .help = "print nothing but errors", .target = &g.quiet});
}

std::vector<Flag> all_flags(Given& g) {
  std::vector<Flag> flags;
  add_file_flags(g, flags);
  add_part_flags(g.parts, flags);
  add_quantisation_flags(g, flags);
  add_run_flags(g, flags);
  add_gate_flags(g, flags);
  add_output_flags(g, flags);
  return flags;
}

/// A file name, or a model folder, whose transformer gets the variant.
std::string resolve_out(const std::string& path) {
  namespace fs = std::filesystem;
  if (path.ends_with(".safetensors")) return path;
  std::error_code error;
  if (fs::is_directory(fs::path(path) / "transformer", error)) {
    return (fs::path(path) / "transformer/diffusion_pytorch_model.fp8.safetensors").string();
  }
  refuse(
      "--out: expected a name that ends in .safetensors or a folder with a folder transformer, "
      "found '" +
      excerpt(path) + "'");
}

void read_files(const Given& g, QuantizeOptions& o) {
  if (!g.gate.empty()) {
    if (!g.calibration.empty() || !g.out.empty()) {
      refuse("--gate: expected neither --calibration nor --out beside it, found one");
    }
    if (g.holdout.empty()) refuse("--gate: expected --holdout FILE as well, found none");
    o.candidate = g.gate;
    o.holdout = read_prompts("--holdout", g.holdout);
    return;
  }
  if (g.calibration.empty()) {
    refuse(
        "--calibration: expected a file of prompts, found none; without calibration there are "
        "no input scales");
  }
  if (g.out.empty()) refuse("--out: expected where to write, found nothing");
  o.out = resolve_out(g.out);
  o.calibration = read_prompts("--calibration", g.calibration);
  if (!g.holdout.empty()) {
    o.holdout = read_prompts("--holdout", g.holdout);
    return;
  }
  const std::size_t all = o.calibration.size();
  o.holdout = take_every_third(o.calibration);
  if (o.holdout.empty()) {
    refuse(
        format("--calibration: expected at least 3 prompts, of which every third is for "
               "judging, found %zu; or give --holdout",
               all));
  }
}

void set(std::optional<float> from, double& to) {
  if (from) to = static_cast<double>(*from);
}

void fill(const Given& g, QuantizeOptions& o) {
  o.variant = g.variant;
  o.lock = g.lock;
  o.parts = g.parts;
  o.layout = g.layout == "comfyui" ? Fp8Layout::kComfyUi : Fp8Layout::kDiffusers;
  const bool comfy = o.layout == Fp8Layout::kComfyUi;
  if (comfy && g.weight_scale == "row") {
    refuse("--weight-scale: expected tensor with --layout comfyui, which has no other, found row");
  }
  o.weight_scale = comfy || g.weight_scale == "tensor" ? WeightScale::kTensor : WeightScale::kRow;
  if (g.percentile && *g.percentile < 100) o.percentile = static_cast<double>(*g.percentile);
  o.modulation_fp8 = g.modulation == "fp8";
  set(g.block_error, o.block_error);
  o.calibration_steps = g.calibration_steps;
  o.gate_steps = g.gate_steps;
  o.width = g.width;
  o.height = g.height;
  o.seed = g.seed.value_or(0);
  o.threads = g.threads;
  set(g.min_psnr, o.limits.psnr);
  set(g.min_ssim, o.limits.ssim);
  set(g.max_gmsd, o.limits.gmsd);
  set(g.max_layer_error, o.limits.layer_error);
  o.accept_quality_loss = g.accept;
}

}  // namespace

std::string quantize_help() {
  Given given;
  return "octet quantize: makes the FP8 variant of a model's transformer, and judges it\n"
         "\n"
         "Usage: octet quantize MODEL --calibration PROMPTS.txt --out PATH [flags]\n"
         "       octet quantize MODEL --gate FILE --holdout PROMPTS.txt [flags]\n"
         "\n"
         "MODEL is a folder in the diffusers layout, or a single file with its parts in the files "
         "of\n"
         "the flags below. It draws the prompts on the CPU in FP32; the inputs seen there give "
         "one\n"
         "static scale per layer. Then source and result draw\n"
         "held-out prompts from the same noise. A result that breaks a limit is not written and\n"
         "the exit code is 7.\n" +
         describe(all_flags(given));
}

QuantizeCommand read_quantize_options(std::span<const std::string> words, bool* help) {
  Given given;
  const std::vector<Flag> flags = all_flags(given);
  const CommandLine line = split_command_line(flags, words);
  *help = line.help;
  if (line.help) return {};
  for (const GivenFlag& flag : line.flags) store(*flag.flag, flag.text);
  if (line.words.size() != 1) {
    refuse(format("MODEL: expected one model, found %zu words", line.words.size()));
  }
  QuantizeCommand command{.options = {}, .json = given.json, .quiet = given.quiet};
  command.options.model = line.words[0];
  fill(given, command.options);
  read_files(given, command.options);
  return command;
}

}  // namespace octet::cli
