// octet key: makes, lists and revokes the keys of `octet serve`.

#include "api/keys.h"
#include "base/format.h"
#include "commands.h"
#include "flag_parser.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp = R"(octet key: make, list and revoke the keys of octet serve

Usage: octet key add NAME [--keys FILE]
       octet key list [--keys FILE]
       octet key revoke NAME [--keys FILE]

add prints the key. It is not stored and cannot be shown again; clients send it
as "Authorization: Bearer KEY". A running server sees changes at once.
)";

std::vector<Flag> key_flags(std::string& file) {
  return {{.name = "--keys",
           .value = "FILE",
           .group = "Where",
           .help = "the file of keys, as given to octet serve",
           .normal = file,
           .target = &file,
           .accepts = is_not_empty,
           .expected = "a file name"}};
}

void list(const std::string& file) {
  for (const api::StoredKey& key : api::read_keys(file)) {
    write_stdout(format("%s  sha256 %.12s...\n", key.name.c_str(), key.digest.c_str()));
  }
}

}  // namespace

int run_key(Words words) {
  std::string file = "octet.keys";
  const std::vector<Flag> flags = key_flags(file);
  const CommandLine line = split_command_line(flags, words);
  if (line.help) {
    write_stdout(kHelp + describe(flags));
    return 0;
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  const std::string action = line.words.empty() ? "" : line.words[0];
  const std::size_t expected = action == "list" ? 1 : 2;
  if ((action != "add" && action != "list" && action != "revoke") ||
      line.words.size() != expected) {
    throw Error(Code::kInvalidArgument, "expected add NAME, list or revoke NAME");
  }
  if (action == "list") list(file);
  if (action == "add") write_stdout(api::add_key(file, line.words[1]) + "\n");
  if (action == "revoke") api::revoke_key(file, line.words[1]);
  return 0;
}

}  // namespace octet::cli
