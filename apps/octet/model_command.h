// What commands of the form "octet COMMAND MODEL [flags]" have in common.
#pragma once

#include <string>
#include <vector>

#include "commands.h"
#include "flags.h"
#include "model_flags.h"
#include "octet/engine.h"
#include "octet/lock.h"
#include "progress_display.h"

namespace octet::cli {

/// Reads the command line; MODEL goes into `engine`. False: help was asked for and printed.
/// `command` and `help` are for messages and --help. Errors: kInvalidArgument.
[[nodiscard]] bool read_model_command(const std::string& command, const std::string& help,
                                      const std::vector<Flag>& flags, Words words,
                                      EngineOptions& engine);

/// A hook that shows bytes read and stops when the user does. `display` must outlive it.
[[nodiscard]] ByteHook byte_hook(ProgressDisplay& display, const std::string& what);

/// kBar on a terminal, kLines elsewhere.
[[nodiscard]] ProgressDisplay::Style progress_style(bool quiet);

}  // namespace octet::cli
