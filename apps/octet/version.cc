// octet version: what this binary is.

#include "base/version.h"

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "bill/bill.h"
#include "build_info.h"
#include "commands.h"
#include "flag_parser.h"
#include "flags.h"
#include "octet/engine.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp = R"(octet version: what this program is

Usage: octet version [flags]
)";

std::string joined_models() {
  std::string text;
  for (const std::string& model : builtin_models()) text += (text.empty() ? "" : ", ") + model;
  return text.empty() ? "none" : text;
}

std::string version_lines() {
  const std::string at = *commit() == '\0' ? "" : format(" (commit %s)", commit());
  return format("octet %s%s\nnumerics %d\ncompiler %s\ncpu %s\nbuilt-in models %s\n", version(),
                at.c_str(), kNumericsVersion, compiler().c_str(), instruction_set(),
                joined_models().c_str());
}

nlohmann::ordered_json build_json(const bill::Bill& contents) {
  nlohmann::ordered_json json = {
      {"type", contents.build_type},
      {"flags", contents.flags},
      {"system", contents.distribution + " " + contents.distribution_version}};
  if (contents.cuda.empty()) {
    json["cuda"] = nullptr;
  } else {
    json["cuda"] = {{"toolkit", contents.cuda}, {"architectures", contents.architectures}};
  }
  return json;
}

nlohmann::ordered_json libraries_json(const bill::Bill& contents) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const bill::Component& c : contents.components) {
    if (c.kind == "data") continue;
    list.push_back({{"name", c.name},
                    {"version", c.version},
                    {"package", c.package},
                    {"kind", c.kind},
                    {"licence", c.licence}});
  }
  return list;
}

std::string version_json() {
  const bill::Bill contents = bill::read_bill(bill::built_in_bill());
  const nlohmann::ordered_json json = {{"version", version()},
                                       {"commit", commit()},
                                       {"numerics", kNumericsVersion},
                                       {"compiler", compiler()},
                                       {"instruction_set", instruction_set()},
                                       {"builtin_models", builtin_models()},
                                       {"build", build_json(contents)},
                                       {"libraries", libraries_json(contents)}};
  return json.dump(2) + "\n";
}

}  // namespace

int run_version(Words words) {
  bool json = false;
  const std::vector<Flag> flags = {
      {.name = "--json", .group = "Flags", .help = "print one JSON object", .target = &json}};
  const CommandLine line = split_command_line(flags, words);
  if (line.help) {
    write_stdout(kHelp + describe(flags));
    return 0;
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  if (!line.words.empty()) {
    throw Error(Code::kInvalidArgument, format("octet version: expected flags only, found '%s'",
                                               excerpt(line.words[0]).c_str()));
  }
  write_stdout(json ? version_json() : version_lines());
  return 0;
}

}  // namespace octet::cli
