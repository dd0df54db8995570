// octet sbom: what this program contains, as a bill of materials.

#include <span>

#include "base/atomic_file.h"
#include "base/format.h"
#include "bill/documents.h"
#include "build_info.h"
#include "commands.h"
#include "flag_parser.h"
#include "flags.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp =
    R"(octet sbom: list what this program contains, with versions and licences

Usage: octet sbom [flags]

Libraries in the program, header-only libraries and data, as the build found them
in the linker's map. octet audit compares the list with published advisories.

)";

struct Options {
  std::string format = "cyclonedx";
  std::string output;
};

std::vector<Flag> flags_of(Options& o) {
  return {{.name = "--format",
           .value = "NAME",
           .group = "Flags",
           .help = "cyclonedx (1.5) or spdx (2.3), both as JSON",
           .normal = o.format,
           .target = &o.format,
           .choices = {"cyclonedx", "spdx"}},
          {.name = "--output",
           .letter = "-o",
           .value = "FILE",
           .group = "Flags",
           .help = "write it there",
           .normal = "standard output",
           .target = &o.output,
           .accepts = is_not_empty,
           .expected = "the name of a file"}};
}

}  // namespace

int run_sbom(Words words) {
  Options o;
  const std::vector<Flag> flags = flags_of(o);
  const CommandLine line = split_command_line(flags, words);
  if (line.help) {
    write_stdout(kHelp + describe(flags));
    return 0;
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  if (!line.words.empty()) {
    throw Error(Code::kInvalidArgument, format("octet sbom: expected flags only, found '%s'",
                                               excerpt(line.words[0]).c_str()));
  }
  const bill::Bill contents = bill::read_bill(bill::built_in_bill());
  const bill::Product product{
      .version = version(), .commit = commit(), .created = commit_seconds()};
  const std::string text =
      o.format == "spdx" ? bill::spdx(contents, product) : bill::cyclonedx(contents, product);
  if (o.output.empty()) {
    write_stdout(text);
  } else {
    write_file_atomically(o.output, std::as_bytes(std::span(text)));
  }
  return 0;
}

}  // namespace octet::cli
