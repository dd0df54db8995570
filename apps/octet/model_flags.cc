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

void add_part_flags(ModelParts& p, std::vector<Flag>& flags) {
  struct Row {
    const char *name, *help;
    std::string* target;
  };
  const Row rows[] = {
      {"--clip-l", "CLIP-L text encoder beside a single-file model", &p.clip_l},
      {"--clip-g", "CLIP-G text encoder", &p.clip_g},
      {"--t5", "T5 text encoder (optional)", &p.t5},
      {"--t5-tokenizer", "spiece.model or tokenizer.json of google/t5-v1_1-xxl, needed with T5",
       &p.t5_tokenizer},
      {"--vae", "VAE", &p.vae},
      {"--text-encoders", "folder in which text encoders and VAE are looked for", &p.folder}};
  for (const Row& row : rows) {
    flags.push_back({.name = row.name,
                     .value = row.target == &p.folder ? "FOLDER" : "FILE",
                     .group = kGroup,
                     .help = row.help,
                     .normal = "",
                     .target = row.target,
                     .accepts = is_not_empty,
                     .expected = "a path"});
  }
}

void add_model_flags(EngineOptions& o, std::vector<Flag>& flags) {
  flags.push_back({.name = "--model",
                   .value = "PATH|NAME",
                   .group = kGroup,
                   .help = "folder in the diffusers layout, single file, or the name of a built-in "
                           "model",
                   .normal = o.model,
                   .target = &o.model,
                   .accepts = is_not_empty,
                   .expected = "a folder, a file or the name of a built-in model"});
  add_model_choice_flags(o, flags);
  add_lora_flag(o, flags);
  add_lock_flags(o, flags);
}

void add_lora_flag(EngineOptions& o, std::vector<Flag>& flags) {
  flags.push_back({.name = "--lora",
                   .value = "FILE[:WEIGHT]",
                   .group = kGroup,
                   .help = "LoRA to add to the model, in the names of diffusers, kohya or ComfyUI; "
                           "may be given several times",
                   .normal = "none; weight 1",
                   .target = &o.loras,
                   .range = {.low = -100, .high = 100},
                   .repeats = true});
}

void add_lock_flags(EngineOptions& o, std::vector<Flag>& flags) {
  flags.push_back({.name = "--lock",
                   .value = "FILE",
                   .group = kGroup,
                   .help = "lock that the model must match, from octet lock; anything that differs "
                           "is refused",
                   .normal = "none",
                   .target = &o.lock,
                   .accepts = is_not_empty,
                   .expected = "the name of a lock file"});
  flags.push_back({.name = "--lock-full",
                   .group = kGroup,
                   .help =
                       "with --lock: compare every byte, at the speed of the disk, and not only "
                       "sizes, headers and small files",
                   .normal = "",
                   .target = &o.lock_full});
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
  flags.push_back({.name = "--preset",
                   .value = "NAME",
                   .group = kGroup,
                   .help = "whose steps and guidance are the default; Large and Large Turbo cannot "
                           "be told apart by their weights",
                   .normal = "from the model",
                   .target = &o.preset,
                   .choices = {"large", "large-turbo", "medium"}});
  flags.push_back({.name = "--fp8-scheme",
                   .value = "NAME",
                   .group = kGroup,
                   .help = "plain takes FP8 weights without scales as a plain cast even if their "
                           "codes say that scales are missing",
                   .normal = o.fp8_scheme,
                   .target = &o.fp8_scheme,
                   .choices = {"auto", "plain"}});
  add_part_flags(o.parts, flags);
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
  flags.push_back({.name = "--offload",
                   .value = "WHAT",
                   .group = kGroup,
                   .help = "weights that wait in host memory until they are needed: none, text "
                           "(text encoders), all (modulation and, where there is no room, blocks "
                           "too); never changes the picture",
                   .normal = "auto: as little as possible",
                   .target = &o.memory.offload,
                   .choices = {"auto", "none", "text", "all"}});
  flags.push_back({.name = "--max-memory",
                   .value = "SIZE",
                   .group = kGroup,
                   .help = "most memory on the device, context and libraries included: 7.5GB, "
                           "7GiB, 500MB",
                   .normal = "what is free",
                   .target = &o.memory.limit,
                   .accepts = is_not_empty,
                   .expected = "a size such as 7.5GB"});
}

}  // namespace octet::cli
