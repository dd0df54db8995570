// octet doctor: is this machine fit for what Octet is about to do, and if not, what is to be done?

#include "doctor/doctor.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/format.h"
#include "base/version.h"
#include "commands.h"
#include "doctor_stress.h"
#include "flag_parser.h"
#include "model_flags.h"
#include "octet/error.h"
#include "output_files.h"
#include "serve_options.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp =
    R"(octet doctor: examine this machine, and say what to do

Usage: octet doctor [flags]

Checks processor, C library, limits, memory, disks, driver, GPUs, CUDA's
libraries and what the flags name: a model, its lock, a folder for pictures, an
address, a file of keys. Each check has an id; generate, serve and bench refuse
with the same id what they cannot start with. Nothing is changed or repaired.

Examples:
  octet doctor
      the machine and the built-in model
  octet doctor --model ./stable-diffusion-3.5-large --device cuda
      whether that model can be drawn with on the first GPU
  octet doctor --listen 0.0.0.0:8080 --keys keys
      whether a server can be started so
  octet doctor --stress --minutes 5 --width 1024 --height 1024
      whether it stays so under load
  octet doctor --explain driver-version
      what a check looks at, and why

)";

constexpr const char* kHelpEnd = R"(
Exit codes, of doctor alone: 0 all well, 1 warnings, 2 failures or usage.
)";

struct Options {
  doctor::Subject subject;
  std::string explain;
  std::string output = "out.png";
  std::string listen;
  bool json = false;
  bool stress = false;
  std::optional<double> minutes;
};

void add_stress_flags(Options& o, std::vector<Flag>& flags) {
  const char* group = "Under load, before going live";
  GenerateRequest& request = o.subject.engine.memory.request;
  flags.push_back({.name = "--stress",
                   .group = group,
                   .help = "then draw the request again and again, and watch step times, memory, "
                           "numbers that are not finite and the GPU's health",
                   .normal = "",
                   .target = &o.stress});
  flags.push_back({.name = "--minutes",
                   .value = "N",
                   .group = group,
                   .help = "for how long; a picture that has begun is finished",
                   .normal = "1",
                   .target = &o.minutes,
                   .range = {.low = 0, .high = 10080, .above_low = true}});
  for (const auto& [name, target] :
       {std::pair{"--width", &request.width}, std::pair{"--height", &request.height}}) {
    flags.push_back({.name = name,
                     .value = "N",
                     .group = group,
                     .help = "pixels of the largest request, for the plan too",
                     .normal = "from the model",
                     .target = target,
                     .range = {.low = 16, .high = 16384, .multiple = 16}});
  }
  flags.push_back({.name = "--batch",
                   .value = "N",
                   .group = group,
                   .help = "pictures at once, for the plan too",
                   .normal = "1",
                   .target = &request.batch,
                   .range = {.low = 1, .high = 64}});
}

std::vector<Flag> flags_of(Options& o) {
  const char* group = "Flags";
  std::vector<Flag> flags = {{.name = "--json",
                              .group = group,
                              .help = "print one JSON object",
                              .normal = "",
                              .target = &o.json},
                             {.name = "--explain",
                              .value = "ID",
                              .group = group,
                              .help = "say what the check of that id looks at, and nothing else",
                              .target = &o.explain,
                              .accepts = is_not_empty,
                              .expected = "the id of a check"},
                             {.name = "--output",
                              .letter = "-o",
                              .value = "FILE",
                              .group = group,
                              .help = "picture that is to be written: its folder is examined",
                              .normal = o.output,
                              .target = &o.output,
                              .accepts = is_not_empty,
                              .expected = "a file name"},
                             {.name = "--listen",
                              .value = "ADDRESS:PORT",
                              .group = group,
                              .help = "where a server is to listen",
                              .normal = "none",
                              .target = &o.listen,
                              .accepts = is_not_empty,
                              .expected = "ADDRESS:PORT"},
                             {.name = "--keys",
                              .value = "FILE",
                              .group = group,
                              .help = "the server's file of keys",
                              .normal = "none",
                              .target = &o.subject.keys,
                              .accepts = is_not_empty,
                              .expected = "the name of a file of keys"}};
  add_stress_flags(o, flags);
  add_model_flags(o.subject.engine, flags);
  add_machine_flags(o.subject.engine, flags);
  return flags;
}

std::string text_of(const std::vector<doctor::Finding>& findings) {
  std::string text;
  for (const doctor::Finding& f : findings) {
    text += format("%-8s %-15s %s\n", doctor::name_of(f.level), f.id.c_str(), f.says.c_str());
    if (!f.remedy.empty()) text += format("%-8s %-15s -> %s\n", "", "", f.remedy.c_str());
  }
  return text;
}

std::string line_of(const char* what, const std::vector<std::string>& entries) {
  std::string text;
  for (const std::string& entry : entries) {
    if (!text.empty()) text += "; ";
    text += entry;
  }
  return format("%-24s %s\n", what, text.empty() ? "nothing" : text.c_str());
}

std::string text_of(const doctor::Verdict& v, int code) {
  constexpr const char* kWords[] = {"all well", "warnings: it runs, see above",
                                    "failures: see above for what to do"};
  std::string text = "\n";
  text += line_of("runs natively", v.native);
  text += line_of("runs in other numbers", v.other_precision);
  text += line_of("does not run", v.impossible);
  text += format("%-24s %s\n", "verdict", kWords[code]);
  return text;
}

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

Json json_of(const doctor::StressRound& r) {
  const doctor::GpuReading none;
  const doctor::GpuReading& gpu = r.gpu ? *r.gpu : none;
  return {{"seconds", r.at},
          {"step_seconds", r.step_seconds},
          {"memory_bytes", r.memory},
          {"celsius", or_null(gpu.celsius)},
          {"sm_mhz", or_null(r.sm_mhz)},
          {"memory_mhz", or_null(r.memory_mhz)},
          {"watts", or_null(r.watts)},
          {"ecc_uncorrected", or_null(gpu.uncorrected)},
          {"throttle", r.gpu ? Json(gpu.throttle) : Json()}};
}

Json json_of(const std::vector<doctor::Finding>& findings, const doctor::Verdict& v, int code) {
  Json list = Json::array();
  for (const doctor::Finding& f : findings) {
    list.push_back({{"id", f.id},
                    {"level", doctor::name_of(f.level)},
                    {"says", f.says},
                    {"remedy", f.remedy}});
  }
  return {{"version", engine_version()},
          {"findings", list},
          {"verdict",
           {{"native", v.native},
            {"other_precision", v.other_precision},
            {"impossible", v.impossible}}},
          {"exit", code}};
}

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

StressReport stress_after(const std::vector<doctor::Finding>& findings, const Options& o) {
  if (doctor::exit_code(findings) < 2) return stress(o.subject, o.minutes.value_or(1));
  return {.findings = {{.id = "stress",
                        .level = doctor::Level::kFailure,
                        .says = "not begun, because of the failures above",
                        .remedy = "mend them first"}},
          .rows = {}};
}

int examine(const Options& o) {
  std::vector<doctor::Finding> findings = doctor::examine(o.subject);
  StressReport report;
  if (o.stress) {
    report = stress_after(findings, o);
    std::erase_if(findings, [](const doctor::Finding& f) { return f.id == "stress"; });
    findings.insert(findings.end(), report.findings.begin(), report.findings.end());
  }
  const doctor::Verdict v = doctor::verdict(o.subject, findings);
  const int code = doctor::exit_code(findings);
  if (!o.json) {
    write_stdout(text_of(findings) + text_of(v, code));
    return code;
  }
  Json json = json_of(findings, v, code);
  if (o.stress) {
    json["stress"] = Json::array();
    for (const doctor::StressRound& r : report.rows) json["stress"].push_back(json_of(r));
  }
  write_stdout(text_of(json));
  return code;
}

}  // namespace

int run_doctor(Words words) {
  Options o;
  const std::vector<Flag> flags = flags_of(o);
  const CommandLine line = split_command_line(flags, words);
  if (line.help) {
    Options defaults;
    write_stdout(kHelp + describe(flags_of(defaults)) + kHelpEnd);
    return 0;
  }
  if (!line.words.empty()) {
    throw Error(Code::kInvalidArgument,
                format("expected flags only, found '%s'", excerpt(line.words.front()).c_str()));
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  if (!o.explain.empty()) {
    write_stdout(doctor::explain(o.explain));
    return 0;
  }
  o.subject.output = output_folder(o.output);
  if (!o.listen.empty()) split_address(o.listen, o.subject.address, o.subject.port);
  return examine(o);
}

}  // namespace octet::cli
