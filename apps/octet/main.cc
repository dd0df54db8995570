// The octet program: finds the subcommand, runs it, turns an exception into one line on standard
// error and an exit code.

#include <algorithm>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "base/format.h"
#include "base/start_thread.h"
#include "commands.h"
#include "doctor/doctor.h"
#include "image/decode_child.h"
#include "octet/error.h"
#include "standard_streams.h"
#include "suggest.h"

namespace octet::cli {
namespace {

constexpr Command kCommands[] = {
    {"audit", "compare what this program contains with published advisories", run_audit},
    {"bench", "measure how long pictures take", run_bench},
    {"doctor", "examine this machine, and say what to do", run_doctor},
    {"generate", "draw pictures from a description", run_generate},
    {"health", "ask a running server whether it is ready", run_health},
    {"inspect", "say what a model is, without loading it", run_inspect},
    {"key", "make and revoke keys of the server", run_key},
    {"lock", "write down what a model consists of", run_lock},
    {"quantize", "make or judge an FP8 variant of a model", run_quantize},
    {"sbom", "list what this program contains, with versions and licences", run_sbom},
    {"serve", "draw pictures over HTTP, with a web page", run_serve},
    {"serve-worker", nullptr, run_serve_worker},
    {"verify", "compare a model with its lock", run_verify},
    {"version", "say what this program is", run_version},
};

std::string program_help() {
  std::string text =
      "octet: draws pictures from text with Stable Diffusion 3 and 3.5 models in 8 bits\n"
      "\n"
      "Usage: octet COMMAND [flags]\n"
      "\n"
      "Try this first; it needs nothing but this program:\n"
      "  octet generate \"a red apple on a blue background\"\n"
      "\n"
      "Commands:\n";
  for (const Command& command : kCommands) {
    if (command.summary) text += format("  %-12s %s\n", command.name, command.summary);
  }
  return text + "\noctet COMMAND --help explains a command.\n";
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.summary) names.emplace_back(command.name);
  }
  return names;
}

[[noreturn]] void refuse_unknown(const std::string& word) {
  const std::vector<std::string> names = command_names();
  std::string hint = suggestion(word, names);
  if (hint.empty() && word.find(' ') != std::string::npos) {
    hint = ": a prompt goes behind a command: octet generate \"" + excerpt(word) + "\"";
  }
  if (hint.empty()) hint = "; octet --help lists the commands";
  const char* kind = word.starts_with("-") ? "flag" : "command";
  throw Error(Code::kInvalidArgument,
              format("unknown %s '%s'%s", kind, excerpt(word).c_str(), hint.c_str()));
}

int dispatch(Words words) {
  if (words.empty()) {
    throw Error(Code::kInvalidArgument,
                "expected a command, found none; octet --help lists the commands");
  }
  const std::string& name = words[0];
  if (name == "--help" || name == "-h" || name == "help") {
    write_stdout(program_help());
    return 0;
  }
  if (name == "--version") return run_version(words.subspan(1));
  if (name == kDecodeCommand) return run_decode_child();  // of a server; not for people
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(words.subspan(1));
  }
  refuse_unknown(name);
}

int report_error(int code, const std::string& message) {
  print_line("octet: error: " + message);
  return code;
}

/// What --json was to print, when it could not be done: for programs, which need no text of ours to
/// tell a machine's fault from a model's. Not for requests that make no sense, nor behind a report.
void report_json(Words words, const Error& error) {
  const auto end = std::find(words.begin(), words.end(), "--");
  const bool wanted = std::find(words.begin(), end, "--json") != end;
  if (!wanted || stdout_is_used() || error.code() == Code::kInvalidArgument) return;
  using Json = nlohmann::ordered_json;
  const std::string check = doctor::check_of(error);
  const Json json = {{"error",
                      {{"code", code_name(error.code())},
                       {"check", check.empty() ? Json() : Json(check)},
                       {"message", error.what()},
                       {"exit", exit_code(error.code())}}}};
  try {
    write_stdout(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const Error&) {
    // The line on standard error follows.
  }
}

/// Of std::async, which starts threads by itself.
int no_thread(const std::error_code& reason) {
  try {
    refuse_thread(reason);
  } catch (const Error& error) {
    return report_error(exit_code(error.code()), error.what());
  }
}

int run(Words words) {
  try {
    return dispatch(words);
  } catch (const Error& error) {
    if (error.code() == Code::kCancelled) {
      print_line("octet: interrupted");
      return exit_code(error.code());
    }
    report_json(words, error);
    return report_error(exit_code(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return report_error(exit_code(Code::kOutOfMemory),
                        "not enough memory; try a smaller --width, --height or --batch");
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) return no_thread(error.code());
    return report_error(exit_code(Code::kInternal), std::string("internal: ") + error.what());
  } catch (const std::exception& error) {
    return report_error(exit_code(Code::kInternal), std::string("internal: ") + error.what());
  }
}

}  // namespace
}  // namespace octet::cli

int main(int argc, char** argv) {
  octet::cli::prepare_standard_streams();
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return octet::cli::run(words);
}
