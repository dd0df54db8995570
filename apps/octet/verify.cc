// octet verify: compares a model with its lock.

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "commands.h"
#include "interrupt.h"
#include "model_command.h"
#include "octet/error.h"
#include "octet/lock.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp =
    R"(octet verify: compare a model with its lock

Usage: octet verify MODEL --lock FILE [flags]

  MODEL                   folder, file or name of a built-in model

Without --full: sizes of all files, headers of weight files, the whole of small
files, in less than a second. Exit code 0 when nothing differs, 7 when anything
does; each difference is a line on standard output.

)";

struct Options {
  EngineOptions engine;
  bool full = false;
  bool json = false;
  bool quiet = false;
};

std::vector<Flag> flags_of(Options& o) {
  const char* group = "Flags";
  std::vector<Flag> flags = {
      {.name = "--lock",
       .value = "FILE",
       .group = group,
       .help = "lock to compare with, from octet lock",
       .target = &o.engine.lock,
       .accepts = is_not_empty,
       .expected = "the name of a lock file"},
      {.name = "--full", .group = group, .help = "read every byte", .target = &o.full},
      {.name = "--json", .group = group, .help = "print one JSON object", .target = &o.json},
      {.name = "--quiet",
       .group = group,
       .help = "print nothing but differences and errors",
       .target = &o.quiet}};
  add_model_choice_flags(o.engine, flags);
  add_lora_flag(o.engine, flags);
  return flags;
}

std::string report(const LockReport& r, const Options& o) {
  if (o.json) {
    const nlohmann::ordered_json json = {{"model", o.engine.model},
                                         {"lock", o.engine.lock},
                                         {"matches", r.differences.empty()},
                                         {"full", o.full},
                                         {"files", r.files},
                                         {"bytes", r.bytes},
                                         {"differences", r.differences}};
    using Handler = nlohmann::ordered_json::error_handler_t;
    return json.dump(2, ' ', false, Handler::replace) + "\n";
  }
  std::string text;
  for (const std::string& line : r.differences) text += excerpt(line, 2000) + "\n";
  return text;
}

}  // namespace

int run_verify(Words words) {
  install_interrupt_handlers();
  Options o;
  if (!read_model_command("octet verify", kHelp, flags_of(o), words, o.engine)) return 0;
  if (o.engine.lock.empty()) {
    throw Error(Code::kInvalidArgument, "--lock: expected the name of a lock file, found none");
  }
  LockReport r;
  {
    const CleanStop clean_stop;
    ProgressDisplay display(progress_style(o.quiet || o.json));
    r = verify_lock(o.engine, o.full, byte_hook(display, "reading"));
  }
  stop_if_interrupted();
  write_stdout(report(r, o));
  if (!r.differences.empty()) {
    throw Error(Code::kRefused,
                format("%s: expected the model of %s, found %zu difference%s",
                       excerpt(o.engine.model).c_str(), excerpt(o.engine.lock).c_str(),
                       r.differences.size(), r.differences.size() == 1 ? "" : "s"));
  }
  if (!o.quiet && !o.json) {
    print_line(format("%s: matches %s: %llu files, %.2f GB, %s", o.engine.model.c_str(),
                      o.engine.lock.c_str(), static_cast<unsigned long long>(r.files),
                      static_cast<double>(r.bytes) * 1e-9,
                      o.full ? "every byte" : "headers and small files"));
  }
  return 0;
}

}  // namespace octet::cli
