// The options of `octet serve`, its flag table and its help text.
//
// Thread-safety: pure functions. Errors: kInvalidArgument naming the flag.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flags.h"
#include "serve/runner.h"

namespace octet::cli {

struct ServeOptions {
  std::string config;               // TOML file (config_file.h), empty: none
  EngineOptions engine;             // of every model; its `model` is unused
  std::vector<std::string> models;  // --model: PATH, NAME or NAME=PATH
  std::string listen = "127.0.0.1:8080";
  std::vector<std::string> allowed_hosts, allowed_origins;
  std::string keys;               // file, empty: none
  std::string tls_cert, tls_key;  // files, both or none
  int queue = 64;                 // jobs that wait
  int batch = 8;                  // pictures that are denoised together
  std::optional<float> deadline;  // seconds
  int drain_timeout = 30;         // seconds
  int keep = 600;                 // seconds
  bool no_provenance = false;
  std::string page;  // folder; empty: the page in the program
  std::string log_format = "text", log_level = "info";
  bool log_prompts = false;

  // Made from the above.
  std::vector<std::string> words;  // all options as a command line, those of the file included
  std::string address;
  std::uint16_t port = 0;
  std::vector<serve::ServedModel> served;
};

[[nodiscard]] std::vector<Flag> serve_flags(ServeOptions& options);
[[nodiscard]] std::string serve_help();

/// "127.0.0.1:8080", "[::1]:8080". Error(kInvalidArgument) naming --listen.
void split_address(const std::string& text, std::string& address, std::uint16_t& port);

/// Reads the whole command line; `help` is set instead when help was asked for.
[[nodiscard]] ServeOptions read_serve_options(std::span<const std::string> words, bool* help);

}  // namespace octet::cli
