#include "generate_options.h"

#include "base/format.h"
#include "flag_parser.h"
#include "octet/error.h"
#include "repeat.h"
#include "standard_streams.h"
#include "text/unicode.h"

namespace octet::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::kInvalidArgument, message);
}

void store_flags(const CommandLine& line) {
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
}

bool is_given(const CommandLine& line, const std::string& name) {
  for (const GivenFlag& given : line.flags) {
    if (given.flag->name == name) return true;
  }
  return false;
}

std::string prompt_from_stdin() {
  // A text file ends with a line end that is not part of the prompt.
  std::string text = read_stdin("PROMPT", kMaxPromptBytes);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

void read_prompt(const CommandLine& line, GenerateOptions& options) {
  if (line.words.size() > 1) {
    refuse(format("PROMPT: expected one text, found %zu words: put the prompt in quotes",
                  line.words.size()));
  }
  if (!line.words.empty()) {
    options.request.prompt = line.words[0] == "-" ? prompt_from_stdin() : line.words[0];
  } else if (options.like_file.empty()) {
    refuse("PROMPT: expected what to draw, found nothing: octet generate \"a red apple\"");
  }
}

/// Rules that concern more than one flag.
void check_together(const GenerateOptions& options, const CommandLine& line) {
  const GenerateRequest& request = options.request;
  if (options.output == "-" && options.json) {
    refuse("-o -: expected a file name together with --json, which writes to standard output");
  }
  if (options.output == "-" && request.batch > 1) {
    refuse(format("-o -: expected a file name for more than one picture, found --batch %d",
                  request.batch));
  }
  if (options.dump_file.empty() && is_given(line, "--dump-steps")) {
    refuse("--dump-steps: expected --dump FILE as well, found none");
  }
  for (const char* name : {"--strength", "--mask"}) {
    if (is_given(line, name) && options.init_file.empty()) {
      refuse(format("%s: expected --init FILE as well, found none", name));
    }
  }
  if (options.dump_file == "-") refuse("--dump: expected a file name, found '-'");
  const float start = request.skip_start.value_or(0.01F);
  const float end = request.skip_end.value_or(0.2F);
  if ((request.skip_start || request.skip_end) && start > end) {
    refuse(format("--skip-start: expected at most --skip-end, found %g and %g",
                  static_cast<double>(start), static_cast<double>(end)));
  }
  for (const char* name : {"--skip-scale", "--skip-start", "--skip-end"}) {
    if (is_given(line, name) && request.skip_layers.empty()) {
      refuse(format("%s: expected --skip-layers as well, found none", name));
    }
  }
}

}  // namespace

void check_prompt(const std::string& name, const std::string& text) {
  if (text.size() > kMaxPromptBytes) {
    refuse(format("%s: expected at most %zu bytes, found %zu", name.c_str(), kMaxPromptBytes,
                  text.size()));
  }
  if (const auto offset = unicode::find_invalid_utf8(text)) {
    refuse(format("%s: expected UTF-8, found byte 0x%02x at offset %zu", name.c_str(),
                  static_cast<unsigned>(static_cast<unsigned char>(text[*offset])), *offset));
  }
  const std::size_t nul = text.find('\0');
  if (nul != std::string::npos) {
    refuse(format("%s: expected text, found a NUL byte at offset %zu", name.c_str(), nul));
  }
}

GenerateOptions read_generate_options(std::span<const std::string> words, bool* help) {
  GenerateOptions options;
  const std::vector<Flag> flags = generate_flags(options);
  const CommandLine line = split_command_line(flags, words);
  *help = line.help;
  if (line.help) return options;
  store_flags(line);
  if (!options.like_file.empty()) {
    // The record goes under the flags: what was given explicitly is stored once more.
    options.engine.loras.clear();  // values that are appended must not be stored twice
    apply_record(options, is_given(line, "--model") || is_given(line, "--variant"));
    if (is_given(line, "--lora")) options.engine.loras.clear();
    store_flags(line);
    check_recorded_files(options);
  }
  read_prompt(line, options);
  check_prompt("PROMPT", options.request.prompt);
  check_prompt("--negative", options.request.negative_prompt);
  check_together(options, line);
  return options;
}

}  // namespace octet::cli
