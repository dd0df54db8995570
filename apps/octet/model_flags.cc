#include "model_flags.h"

namespace octet::cli {
namespace {

constexpr const char* kGroup = "Model and machine";

bool is_device(const std::string& text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return true;
  const std::string start = "cuda:";
  const std::string index = text.starts_with(start) ? text.substr(start.size()) : "";
  return !index.empty() && index.size() <= 3 &&
         index.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

void add_model_flags(EngineOptions& o, std::vector<Flag>& flags) {
  flags.push_back({.name = "--model",
                   .value = "PATH|NAME",
                   .group = kGroup,
                   .help = "folder in the diffusers layout, or the name of a built-in model",
                   .normal = o.model,
                   .target = &o.model,
                   .accepts = is_not_empty,
                   .expected = "a folder or the name of a built-in model"});
  add_model_choice_flags(o, flags);
  flags.push_back({.name = "--lora",
                   .value = "FILE[:WEIGHT]",
                   .group = kGroup,
                   .help = "LoRA to add to the model, in the names of diffusers, kohya or ComfyUI; "
                           "may be given several times",
                   .normal = "none; weight 1",
                   .target = &o.loras,
                   .range = {.low = -100, .high = 100},
                   .repeats = true});
  flags.push_back({.name = "--lock",
                   .value = "FILE",
                   .group = kGroup,
                   .help = "lock that the model must match, from octet lock; anything that differs "
                           "is refused",
                   .normal = "none",
                   .target = &o.lock,
                   .accepts = is_not_empty,
                   .expected = "the name of a lock file"});
}

void add_model_choice_flags(EngineOptions& o, std::vector<Flag>& flags) {
  flags.push_back({.name = "--variant",
                   .value = "NAME",
                   .group = kGroup,
                   .help = "which weights of the folder: fp8, fp16, bf16, fp32",
                   .normal = "what is there",
                   .target = &o.variant,
                   .accepts = is_not_empty,
                   .expected = "the name of a variant such as fp8"});
}

void add_machine_flags(EngineOptions& o, std::vector<Flag>& flags) {
  flags.push_back({.name = "--device",
                   .value = "NAME",
                   .group = kGroup,
                   .help = "where to compute: auto, cpu, cuda or cuda:1",
                   .normal = "auto",
                   .target = &o.device,
                   .accepts = is_device,
                   .expected = "auto, cpu, cuda or cuda:N"});
  flags.push_back({.name = "--compute",
                   .value = "TYPE",
                   .group = kGroup,
                   .help = "which numbers to compute in",
                   .normal = "auto",
                   .target = &o.compute,
                   .choices = {"auto", "f32", "bf16", "w8a16", "fp8"}});
  flags.push_back({.name = "--threads",
                   .value = "N",
                   .group = kGroup,
                   .help = "CPU threads; never changes the picture",
                   .normal = "all that this process may use",
                   .target = &o.threads,
                   .range = {.low = 1, .high = 1024}});
}

}  // namespace octet::cli
