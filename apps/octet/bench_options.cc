#include "bench_options.h"

#include "base/format.h"
#include "flag_parser.h"
#include "flags.h"
#include "model_flags.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp =
    R"(octet bench: measure how long pictures take, and where the time goes

Usage: octet bench [flags]

Draws the same prompt several times, from text to the bytes of a PNG, and
reports medians. Nothing is written. synthetic:NAME as --model measures a model
whose files are not at hand: exact shapes, random weights (NAME: sd3.5-large,
sd3.5-medium or sd3-medium; @bf16 behind it for BF16 instead of FP8, @fp8-static
for FP8 with static scales per tensor).

Examples:
  octet bench --model synthetic:sd3.5-large --device cuda --batch 1,4
  octet bench --model synthetic:sd3.5-large --device cuda --ops

)";

std::vector<Flag> bench_flags(BenchOptions& o) {
  std::vector<Flag> flags;
  const char* work = "What is measured";
  flags.push_back({.name = "--width",
                   .value = "N",
                   .group = work,
                   .help = "width in pixels",
                   .normal = "from the model",
                   .target = &o.request.width,
                   .range = {.low = 16, .high = 16384, .multiple = 16}});
  flags.push_back({.name = "--height",
                   .value = "N",
                   .group = work,
                   .help = "height in pixels",
                   .normal = "from the model",
                   .target = &o.request.height,
                   .range = {.low = 16, .high = 16384, .multiple = 16}});
  flags.push_back({.name = "--steps",
                   .value = "N",
                   .group = work,
                   .help = "denoising steps",
                   .normal = "from the model",
                   .target = &o.request.steps,
                   .range = {.low = 1, .high = 1000}});
  flags.push_back({.name = "--guidance",
                   .value = "X",
                   .group = work,
                   .help = "guidance scale; 1 or less measures without guidance",
                   .normal = "from the model",
                   .target = &o.request.guidance,
                   .range = {.low = 0, .high = 100}});
  flags.push_back({.name = "--t5-length",
                   .value = "N",
                   .group = work,
                   .help = "tokens of the T5 text encoder",
                   .normal = "from the model",
                   .target = &o.request.t5_length,
                   .range = {.low = 1, .high = 512}});
  flags.push_back({.name = "--batch",
                   .value = "LIST",
                   .group = work,
                   .help = "pictures drawn at once, one measurement for each number",
                   .normal = "1",
                   .target = &o.batches,
                   .range = {.low = 1, .high = 64}});
  flags.push_back({.name = "--clients",
                   .value = "N",
                   .group = work,
                   .help =
                       "instead: N clients, each with a picture at a time, in one running batch, "
                       "against one picture after the other",
                   .target = &o.clients,
                   .range = {.low = 1, .high = 64}});
  flags.push_back({.name = "--warmup",
                   .value = "N",
                   .group = work,
                   .help = "runs that are not counted",
                   .normal = std::to_string(o.warmup),
                   .target = &o.warmup,
                   .range = {.low = 0, .high = 100}});
  flags.push_back({.name = "--rounds",
                   .value = "N",
                   .group = work,
                   .help = "runs that are counted",
                   .normal = std::to_string(o.rounds),
                   .target = &o.rounds,
                   .range = {.low = 1, .high = 1000}});
  flags.push_back({.name = "--ops",
                   .group = work,
                   .help = "also a table of all ops: time, rate, share, distance to the ceiling "
                           "measured on this device. Two steps are run, with a clock around "
                           "every op",
                   .target = &o.ops});
  flags.push_back(
      {.name = "--json", .group = work, .help = "print one JSON object", .target = &o.json});
  add_model_flags(o.engine, flags);
  add_machine_flags(o.engine, flags);
  return flags;
}

}  // namespace

bool read_bench_options(Words words, BenchOptions& options) {
  options.request.prompt = "a lighthouse on a cliff above a stormy sea, oil on canvas";
  options.request.seed = 1;
  const std::vector<Flag> flags = bench_flags(options);
  const CommandLine line = split_command_line(flags, words);
  if (line.help) {
    write_stdout(kHelp + describe(flags));
    return false;
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  if (!line.words.empty()) {
    throw Error(Code::kInvalidArgument, format("octet bench: expected flags only, found '%s'",
                                               excerpt(line.words[0]).c_str()));
  }
  return true;
}

}  // namespace octet::cli
