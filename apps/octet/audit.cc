// octet audit: compares what this program contains with published advisories, offline.

#include "bill/audit.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "bill/documents.h"
#include "checkpoint/files.h"
#include "commands.h"
#include "flag_parser.h"
#include "flags.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp =
    R"(octet audit: compare what this program contains with published advisories

Usage: octet audit FILE [flags]

  FILE                    JSON of Debian's security tracker, or records of OSV (one,
                          an array, or {"vulns": [...]}); nothing is fetched

A policy is TOML:

  fail_on = "medium"      # low, medium, high or critical
  unknown_as = "medium"   # how advisories without a severity count
  [[accept]]
  id = "CVE-2025-1"
  package = "libpng1.6"   # source package; may be left out
  reason = "only in a tool that Octet does not contain"
  expires = 2026-12-31    # the last day

Exit code 0 when nothing reaches the threshold, 7 when something does, or when the
advisories or the policy cannot be understood.

)";

constexpr std::uint64_t kMaxPolicyBytes = std::uint64_t{1} << 20;

struct Options {
  std::string policy, fail_on, date;
  bool json = false;
};

bool is_date(const std::string& text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  for (const std::size_t i : {0, 1, 2, 3, 5, 6, 8, 9}) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  return true;
}

std::vector<Flag> flags_of(Options& o) {
  const char* group = "Flags";
  return {{.name = "--policy",
           .value = "FILE",
           .group = group,
           .help = "what may pass, and until when",
           .normal = "nothing of medium or worse",
           .target = &o.policy,
           .accepts = is_not_empty,
           .expected = "the name of a policy file"},
          {.name = "--fail-on",
           .value = "SEVERITY",
           .group = group,
           .help = "threshold instead of the policy's",
           .normal = "of the policy",
           .target = &o.fail_on,
           .choices = {"low", "medium", "high", "critical"}},
          {.name = "--date",
           .value = "DATE",
           .group = group,
           .help = "day on which acceptances must hold, as in 2026-12-31",
           .normal = "today, UTC",
           .target = &o.date,
           .accepts = is_date,
           .expected = "a date, as in 2026-12-31"},
          {.name = "--json", .group = group, .help = "print one JSON object", .target = &o.json}};
}

std::string content(const std::string& path, std::uint64_t limit) {
  const auto source = open_file(path);
  if (source->size() > limit) {
    throw Error(Code::kRefused,
                format("%s: expected at most %llu bytes, found %llu", excerpt(path).c_str(),
                       static_cast<unsigned long long>(limit),
                       static_cast<unsigned long long>(source->size())));
  }
  std::string text(static_cast<std::size_t>(source->size()), '\0');
  source->read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string line_of(const bill::Finding& f) {
  std::string line = format("%-8s %s  %s %s", severity_name(f.severity), f.id.c_str(),
                            f.package.c_str(), f.version.c_str());
  line += f.fixed.empty() ? ", no fixed version" : ", fixed in " + f.fixed;
  if (!f.accepted.empty()) line += "; accepted: " + f.accepted;
  if (!f.expired.empty()) line += "; was accepted until " + f.expired;
  return excerpt(line, 400) + "\n";
}

nlohmann::ordered_json json_of(const bill::Finding& f) {
  return {{"id", f.id},           {"component", f.component},
          {"package", f.package}, {"version", f.version},
          {"fixed", f.fixed},     {"severity", severity_name(f.severity)},
          {"summary", f.summary}, {"accepted", f.accepted},
          {"expired", f.expired}, {"counts", f.counts}};
}

std::string report(const bill::AuditReport& r, const bill::Advisories& a, const Options& o) {
  if (!o.json) {
    std::string text;
    for (const bill::Finding& finding : r.findings) text += line_of(finding);
    return text;
  }
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  for (const bill::Finding& finding : r.findings) findings.push_back(json_of(finding));
  const nlohmann::ordered_json json = {
      {"format", a.format},   {"packages", a.packages},       {"passed", r.counting == 0},
      {"findings", findings}, {"not_covered", r.not_covered}, {"unused_acceptances", r.unused}};
  using Handler = nlohmann::ordered_json::error_handler_t;
  return json.dump(2, ' ', false, Handler::replace) + "\n";
}

/// What the lines on standard output do not say.
void print_remarks(const bill::AuditReport& r, const bill::Advisories& a) {
  for (const std::string& name : r.not_covered) {
    print_line(name + ": not compared: it comes from no package of Debian");
  }
  for (const std::string& id : r.unused) {
    print_line("policy: " + id + ": accepted, but found nowhere; remove it");
  }
  print_line(format("%s: speaks of %zu of the program's source packages; %zu findings, %zu count",
                    a.format.c_str(), a.packages.size(), r.findings.size(), r.counting));
}

Options read_options(Words words, std::string& file, bool& help) {
  Options o;
  const std::vector<Flag> flags = flags_of(o);
  const CommandLine line = split_command_line(flags, words);
  help = line.help;
  if (help) {
    write_stdout(kHelp + describe(flags));
    return o;
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  if (line.words.size() != 1) {
    throw Error(
        Code::kInvalidArgument,
        format("octet audit: expected one file of advisories, found %zu words", line.words.size()));
  }
  file = line.words[0];
  if (o.date.empty()) o.date = bill::utc_time(std::time(nullptr)).substr(0, 10);
  return o;
}

}  // namespace

int run_audit(Words words) {
  std::string file;
  bool help = false;
  const Options o = read_options(words, file, help);
  if (help) return 0;
  bill::Policy policy;
  if (!o.policy.empty()) {
    policy = bill::read_policy(content(o.policy, kMaxPolicyBytes), o.policy);
  }
  if (!o.fail_on.empty()) policy.fail_on = bill::severity_from(o.fail_on);
  const bill::Bill contents = bill::read_bill(bill::built_in_bill());
  const bill::Advisories advisories =
      bill::read_advisories(content(file, bill::kMaxAdvisoryBytes), file, contents);
  const bill::AuditReport found = bill::audit(contents, advisories, policy, o.date);
  write_stdout(report(found, advisories, o));
  if (!o.json) print_remarks(found, advisories);
  if (found.counting == 0) return 0;
  throw Error(Code::kRefused, format("audit: expected nothing of %s or worse, found %zu advisor%s",
                                     severity_name(policy.fail_on), found.counting,
                                     found.counting == 1 ? "y" : "ies"));
}

}  // namespace octet::cli
