#include "model_command.h"

#include <chrono>

#include "base/format.h"
#include "flag_parser.h"
#include "interrupt.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {

bool read_model_command(const std::string& command, const std::string& help,
                        const std::vector<Flag>& flags, Words words, EngineOptions& engine) {
  const CommandLine line = split_command_line(flags, words);
  if (line.help) {
    write_stdout(help + describe(flags));
    return false;
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  if (line.words.size() != 1 || line.words[0].empty()) {
    throw Error(Code::kInvalidArgument,
                format("%s: MODEL: expected one folder, file or name, found %s", command.c_str(),
                       line.words.empty()       ? "none"
                       : line.words.size() == 1 ? "an empty one"
                                                : std::to_string(line.words.size()).c_str()));
  }
  engine.model = line.words[0];
  return true;
}

ByteHook byte_hook(ProgressDisplay& display, const std::string& what) {
  const auto start = std::chrono::steady_clock::now();
  return [&display, what, start](std::uint64_t done, std::uint64_t total) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    display.update(what, {.done = done, .total = total, .seconds = passed.count()});
    return !interrupted();
  };
}

ProgressDisplay::Style progress_style(bool quiet) {
  if (quiet) return ProgressDisplay::Style::kNone;
  return stderr_is_terminal() ? ProgressDisplay::Style::kBar : ProgressDisplay::Style::kLines;
}

}  // namespace octet::cli
