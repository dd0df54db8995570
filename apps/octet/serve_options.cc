#include "serve_options.h"

#include <charconv>

#include "base/format.h"
#include "config_file.h"
#include "flag_parser.h"
#include "model_flags.h"
#include "octet/error.h"

namespace octet::cli {
namespace {

void add_listen_flags(ServeOptions& o, std::vector<Flag>& flags) {
  const char* group = "Who may ask";
  flags.push_back({.name = "--listen",
                   .value = "ADDRESS:PORT",
                   .group = group,
                   .help = "where to listen; port 0 takes a free one",
                   .normal = o.listen,
                   .target = &o.listen,
                   .accepts = is_not_empty,
                   .expected = "ADDRESS:PORT"});
  flags.push_back({.name = "--keys",
                   .value = "FILE",
                   .group = group,
                   .help = "keys that requests need, made by octet key; must be given to listen on "
                           "other than loopback addresses",
                   .normal = "none",
                   .target = &o.keys,
                   .accepts = is_not_empty,
                   .expected = "the name of a file of keys"});
  flags.push_back({.name = "--tls-cert",
                   .value = "FILE",
                   .group = group,
                   .help = "speak TLS (https) with this chain of certificates, as PEM, the "
                           "server's own first",
                   .normal = "none",
                   .target = &o.tls_cert,
                   .accepts = is_not_empty,
                   .expected = "the name of a file of certificates"});
  flags.push_back({.name = "--tls-key",
                   .value = "FILE",
                   .group = group,
                   .help = "private key of the certificate, as PEM without passphrase; others must "
                           "not be able to read it",
                   .normal = "none",
                   .target = &o.tls_key,
                   .accepts = is_not_empty,
                   .expected = "the name of a key file"});
  flags.push_back({.name = "--allowed-host",
                   .value = "NAME",
                   .group = group,
                   .help = "a name of this server, besides its addresses and localhost; may be "
                           "given several times",
                   .normal = "none",
                   .target = &o.allowed_hosts,
                   .accepts = is_not_empty,
                   .expected = "a host name",
                   .repeats = true});
  flags.push_back({.name = "--allowed-origin",
                   .value = "ORIGIN",
                   .group = group,
                   .help = "web pages that may ask besides the server's own, as in "
                           "https://example.org; may be given several times",
                   .normal = "none",
                   .target = &o.allowed_origins,
                   .accepts = is_not_empty,
                   .expected = "an origin",
                   .repeats = true});
  flags.push_back({.name = "--page",
                   .value = "FOLDER",
                   .group = group,
                   .help = "serve the files of this folder as the web page, read anew each time; "
                           "for who changes the page",
                   .normal = "the page in the program",
                   .target = &o.page,
                   .accepts = is_not_empty,
                   .expected = "a folder"});
}

void add_queue_flags(ServeOptions& o, std::vector<Flag>& flags) {
  const char* group = "Jobs";
  flags.push_back({.name = "--queue",
                   .value = "N",
                   .group = group,
                   .help = "jobs that may wait; further ones are answered 429",
                   .normal = std::to_string(o.queue),
                   .target = &o.queue,
                   .range = {.low = 1, .high = 10000}});
  flags.push_back({.name = "--batch",
                   .value = "N",
                   .group = group,
                   .help = "pictures that are drawn together; never changes a picture on the CPU",
                   .normal = std::to_string(o.batch),
                   .target = &o.batch,
                   .range = {.low = 1, .high = 64}});
  flags.push_back({.name = "--deadline",
                   .value = "SECONDS",
                   .group = group,
                   .help = "cancels jobs that are not done after this time and ask for no other",
                   .normal = "none",
                   .target = &o.deadline,
                   .range = {.low = 0.1, .high = 86400}});
  flags.push_back({.name = "--keep",
                   .value = "SECONDS",
                   .group = group,
                   .help = "how long results of /v1/jobs can be fetched",
                   .normal = std::to_string(o.keep),
                   .target = &o.keep,
                   .range = {.low = 1, .high = 86400}});
  flags.push_back({.name = "--drain-timeout",
                   .value = "SECONDS",
                   .group = group,
                   .help = "on SIGTERM: how long accepted jobs may take until they are cancelled",
                   .normal = std::to_string(o.drain_timeout),
                   .target = &o.drain_timeout,
                   .range = {.low = 0, .high = 86400}});
}

void add_log_flags(ServeOptions& o, std::vector<Flag>& flags) {
  const char* group = "The log, on standard error";
  flags.push_back({.name = "--log-format",
                   .value = "FORMAT",
                   .group = group,
                   .help = "one line per event",
                   .normal = o.log_format,
                   .target = &o.log_format,
                   .choices = {"text", "json"}});
  flags.push_back({.name = "--log-level",
                   .value = "LEVEL",
                   .group = group,
                   .help = "what is said at least",
                   .normal = o.log_level,
                   .target = &o.log_level,
                   .choices = {"debug", "info", "warning", "error"}});
  flags.push_back({.name = "--log-prompts",
                   .group = group,
                   .help = "say prompts, too: they are private otherwise",
                   .normal = "",
                   .target = &o.log_prompts});
}

void require_both_of_tls(const ServeOptions& o) {
  if (o.tls_cert.empty() == o.tls_key.empty()) return;
  const bool cert = o.tls_key.empty();
  throw Error(Code::kInvalidArgument,
              format("%s: expected %s as well", cert ? "--tls-cert" : "--tls-key",
                     cert ? "--tls-key" : "--tls-cert"));
}

/// Whoever can reach the port could use the device.
void require_keys(const ServeOptions& o) {
  const bool loopback = o.address == "::1" || o.address.starts_with("127.");
  if (loopback || !o.keys.empty()) return;
  throw Error(Code::kRefused,
              format("--listen: %s can be reached by others and needs --keys FILE; octet key add "
                     "makes a key",
                     excerpt(o.address).c_str()));
}

/// "path/to/sd3.5_large.safetensors" is served as "sd3.5_large".
std::string name_of_path(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  path.erase(0, path.rfind('/') + 1);
  for (const char* suffix : {".safetensors", ".gguf"}) {
    if (path.ends_with(suffix)) path.erase(path.rfind('.'));
  }
  return path;
}

void name_models(ServeOptions& o) {
  if (o.models.empty()) o.models.push_back(o.engine.model);
  for (const std::string& text : o.models) {
    const std::size_t equals = text.find('=');
    const bool named = equals != std::string::npos && equals > 0 &&
                       text.find('/') > equals;  // else the sign is part of a path
    serve::ServedModel model{.name = named ? text.substr(0, equals) : name_of_path(text),
                             .options = o.engine};
    model.options.model = named ? text.substr(equals + 1) : text;
    for (const serve::ServedModel& other : o.served) {
      if (other.name != model.name) continue;
      throw Error(Code::kInvalidArgument,
                  format("--model: expected different names, found '%s' twice; NAME=PATH gives one",
                         excerpt(model.name).c_str()));
    }
    o.served.push_back(std::move(model));
  }
}

constexpr const char* kHelpStart =
    R"(octet serve: draw pictures over HTTP, for people (a web page) and programs

Usage: octet serve [flags]

Examples:
  octet serve
      serves the built-in model on http://127.0.0.1:8080; a browser shows a page there
  octet serve --model ./stable-diffusion-3.5-medium --model large=./sd3.5_large
      serves two models, as stable-diffusion-3.5-medium and large
  octet serve --config octet.toml
      listen = "127.0.0.1:9000" and model = ["large=./sd3.5_large"], from a file

  curl http://127.0.0.1:8080/v1/images/generations \
      -H 'Content-Type: application/json' -d '{"prompt": "a red apple"}'
)";

constexpr const char* kHelpEnd = R"(
SIGTERM and SIGINT end the server when the accepted jobs are done.
Exit codes: 0 ended by a signal, 2 usage, 3 model cannot be used, 4 not enough
memory, 5 file cannot be read, 6 device or address, 7 refused.
)";

}  // namespace

void split_address(const std::string& text, std::string& address, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  const auto refuse = [&] {
    throw Error(Code::kInvalidArgument,
                "--listen: expected ADDRESS:PORT, found '" + excerpt(text) + "'");
  };
  if (colon == std::string::npos || colon == 0) refuse();
  address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end) refuse();
}

std::vector<Flag> serve_flags(ServeOptions& options) {
  std::vector<Flag> flags;
  flags.push_back({.name = "--config",
                   .value = "FILE",
                   .group = "Options in a file",
                   .help = "TOML with these options by the same names, as in queue = 32; what is "
                           "given on the command line as well comes from there",
                   .normal = "none",
                   .target = &options.config,
                   .accepts = is_not_empty,
                   .expected = "a file name"});
  add_listen_flags(options, flags);
  add_queue_flags(options, flags);
  add_log_flags(options, flags);
  flags.push_back({.name = "--no-provenance",
                   .group = "Jobs",
                   .help = "leave out of the pictures that a model drew them",
                   .normal = "",
                   .target = &options.no_provenance});
  flags.push_back({.name = "--model",
                   .value = "[NAME=]PATH|NAME",
                   .group = "The model",
                   .help = "folder in the diffusers layout, single file, or the name of a built-in "
                           "model; may be given several times, the first is the default",
                   .normal = options.engine.model,
                   .target = &options.models,
                   .accepts = is_not_empty,
                   .expected = "a folder, a file or the name of a built-in model",
                   .repeats = true});
  add_model_choice_flags(options.engine, flags);
  add_lora_flag(options.engine, flags);
  add_lock_flags(options.engine, flags);
  add_machine_flags(options.engine, flags);
  return flags;
}

std::string serve_help() {
  ServeOptions defaults;
  return kHelpStart + describe(serve_flags(defaults)) + kHelpEnd;
}

ServeOptions read_serve_options(std::span<const std::string> words, bool* help) {
  ServeOptions options;
  const std::vector<Flag> flags = serve_flags(options);
  const CommandLine line = split_command_line(flags, words);
  *help = line.help;
  if (line.help) return {};
  if (!line.words.empty()) {
    throw Error(Code::kInvalidArgument,
                "expected flags only, found '" + excerpt(line.words.front()) + "'");
  }
  for (const GivenFlag& given : line.flags) {
    if (given.flag->name == "--config") store(given);
  }
  std::vector<GivenFlag> all = line.flags;
  if (!options.config.empty()) {
    std::erase_if(all, [](const GivenFlag& g) { return g.flag->name == "--config"; });
    all = override_config(std::move(all), read_config(flags, options.config));
  }
  for (const GivenFlag& given : all) store(given);
  options.words = words_of(all);
  split_address(options.listen, options.address, options.port);
  require_both_of_tls(options);
  require_keys(options);
  name_models(options);
  return options;
}

}  // namespace octet::cli
