// octet lock: writes down what a model consists of.

#include "octet/lock.h"

#include "base/atomic_file.h"
#include "base/format.h"
#include "commands.h"
#include "interrupt.h"
#include "model_command.h"
#include "output_files.h"
#include "progress_display.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp =
    R"(octet lock: write down what a model consists of

Usage: octet lock MODEL [flags]

  MODEL                   folder, file or name of a built-in model

The lock is a TOML file with size, SHA-256 and dtypes of every file, digests of
headers and tokenizers, the parts' dtypes and scales, the variant, the LoRA
that belong to it, and the versions of engine and numerics. octet verify, and --lock of every command that
loads a model, refuse the model when anything differs. Hidden files and files
that end in .lock are not part of a model.

)";

struct Options {
  EngineOptions engine;
  std::string output = "octet.lock";
  bool quiet = false;
};

std::vector<Flag> flags_of(Options& o) {
  std::vector<Flag> flags = {{.name = "--output",
                              .letter = "-o",
                              .value = "FILE",
                              .group = "Flags",
                              .help = "lock to write; an existing file is replaced",
                              .normal = o.output,
                              .target = &o.output,
                              .accepts = is_not_empty,
                              .expected = "a file name"},
                             {.name = "--quiet",
                              .group = "Flags",
                              .help = "print nothing but errors",
                              .target = &o.quiet}};
  add_model_choice_flags(o.engine, flags);
  add_lora_flag(o.engine, flags);
  return flags;
}

}  // namespace

int run_lock(Words words) {
  install_interrupt_handlers();
  Options o;
  if (!read_model_command("octet lock", kHelp, flags_of(o), words, o.engine)) return 0;
  check_writable("-o", o.output);
  const std::string text = [&] {
    const CleanStop clean_stop;
    ProgressDisplay display(progress_style(o.quiet));
    return lock_model(o.engine, byte_hook(display, "reading"));
  }();
  stop_if_interrupted();
  write_file_atomically(o.output, std::as_bytes(std::span(text)));
  if (!o.quiet) print_line(o.output + "  lock of " + o.engine.model);
  return 0;
}

}  // namespace octet::cli
