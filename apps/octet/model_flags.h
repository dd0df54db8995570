// Flags that say which model to use and on what, shared by every command that loads one.
//
// Rows point into `options`, which must outlive them. Thread-safety: pure functions. Errors: none.
#pragma once

#include <vector>

#include "flags.h"
#include "octet/engine.h"

namespace octet::cli {

/// --model, what add_model_choice_flags adds, --lora, --lock and --lock-full.
void add_model_flags(EngineOptions& options, std::vector<Flag>& flags);

/// Which of a model's files to take: for commands whose MODEL is a word and not a flag.
void add_model_choice_flags(EngineOptions& options, std::vector<Flag>& flags);

/// What a single file does not hold: --clip-l and so on.
void add_part_flags(ModelParts& parts, std::vector<Flag>& flags);
void add_lora_flag(EngineOptions& options, std::vector<Flag>& flags);
void add_lock_flags(EngineOptions& options, std::vector<Flag>& flags);

/// --device, --compute, --threads.
void add_machine_flags(EngineOptions& options, std::vector<Flag>& flags);

}  // namespace octet::cli
