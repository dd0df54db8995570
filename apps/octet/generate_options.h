// Everything that `octet generate` can be told, and where each flag puts it.
//
// Thread-safety: values. Errors: kInvalidArgument naming the flag, what was expected and found.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "flags.h"
#include "octet/engine.h"
#include "octet/request.h"

namespace octet::cli {

struct GenerateOptions {
  EngineOptions engine;
  GenerateRequest request;
  std::string output = "out.png";  // -o: file, pattern with %d, or "-" for standard output
  std::string noise_file;          // --noise, empty: noise from the seed
  std::string dump_file;           // --dump, empty: none
  std::string like_file;           // --like, empty: none
  std::string like_digest;         // model digest in the record of like_file, empty: none
  std::string like_init_digest;    // SHA-256 of the picture that its record began with, empty: none
  std::string like_mask_digest;
  std::string init_file;    // --init, empty: none
  std::string mask_file;    // --mask, empty: none
  std::string init_digest;  // SHA-256 of the file, once it is read
  std::string mask_digest;
  bool json = false;
  bool quiet = false;
  bool no_provenance = false;
};

/// The flag table, pointing into `options`.
[[nodiscard]] std::vector<Flag> generate_flags(GenerateOptions& options);

/// The text of `octet generate --help`.
[[nodiscard]] std::string generate_help();

/// Longest prompt and negative prompt in bytes.
constexpr std::size_t kMaxPromptBytes = std::size_t{1} << 20;

/// Refuses a prompt that is too long, not UTF-8, or holds a NUL. `name` is for the message.
void check_prompt(const std::string& name, const std::string& text);

/// Reads the whole command line; `help` is set instead when help was asked for. Reads the prompt
/// from standard input and the file of --like, writes nothing.
[[nodiscard]] GenerateOptions read_generate_options(std::span<const std::string> words, bool* help);

}  // namespace octet::cli
