// octet quantize: reads the command line, makes or judges an FP8 variant, reports.

#include "octet/quantize.h"

#include <optional>

#include "base/format.h"
#include "commands.h"
#include "doctor/doctor.h"
#include "interrupt.h"
#include "octet/error.h"
#include "output_files.h"
#include "progress_display.h"
#include "quantize_options.h"
#include "quantize_report.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

/// Stage after stage, each with a bar of its own.
class StageDisplay {
 public:
  explicit StageDisplay(bool silent)
      : style_(silent                 ? ProgressDisplay::Style::kNone
               : stderr_is_terminal() ? ProgressDisplay::Style::kBar
                                      : ProgressDisplay::Style::kLines) {}

  void update(const QuantizeProgress& p) {
    if (!bar_ || stage_ != p.stage) {
      bar_.reset();
      if (style_ != ProgressDisplay::Style::kNone) print_line(name_of(p.stage) + std::string(":"));
      bar_.emplace(style_);
      stage_ = p.stage;
    }
    bar_->update({Stage::kDenoise, p.done, p.total, p.seconds});
  }
  void close() { bar_.reset(); }

 private:
  ProgressDisplay::Style style_;
  QuantizeStage stage_ = QuantizeStage::kCalibrate;
  std::optional<ProgressDisplay> bar_;
};

/// The verdict as an error: the limits that were broken, and that nothing was written.
[[noreturn]] void refuse(const QuantizeCommand& command, const QuantizeReport& report) {
  const bool judging = !command.options.candidate.empty();
  std::string broken;
  for (const std::string& failure : report.failures) {
    broken += (broken.empty() ? "" : "; ") + failure;
  }
  throw Error(Code::kRefused,
              format("quality gate: %s%s", excerpt(broken, 600).c_str(),
                     judging ? "" : "; nothing was written (--accept-quality-loss writes it)"));
}

int quantize_command(const QuantizeCommand& command) {
  const QuantizeOptions& options = command.options;
  if (!options.out.empty()) check_writable("--out", options.out);
  // Its peak is not a picture's, so no model's plan is asked for.
  doctor::require_fit({.engine = {.device = "cpu"},
                       .uses_model = false,
                       .output = options.out.empty() ? "" : output_folder(options.out)});
  const CleanStop clean_stop;
  StageDisplay display(command.quiet || command.json);
  QuantizeHooks hooks;
  hooks.progress = [&](const QuantizeProgress& progress) {
    if (interrupted()) return false;
    display.update(progress);
    return true;
  };
  const QuantizeReport report = quantize(options, hooks);
  display.close();
  if (!command.quiet && !command.json) {
    for (const std::string& line : quantize_lines(report)) print_line(line);
  }
  if (command.json) write_stdout(report.json + "\n");
  if (!report.failures.empty() && !options.accept_quality_loss) refuse(command, report);
  return 0;
}

}  // namespace

int run_quantize(Words words) {
  install_interrupt_handlers();
  bool help = false;
  const QuantizeCommand command = read_quantize_options(words, &help);
  if (help) {
    write_stdout(quantize_help());
    return 0;
  }
  return quantize_command(command);
}

}  // namespace octet::cli
