// octet inspect: says what a model is, from headers alone.

#include "octet/inspect.h"

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "commands.h"
#include "interrupt.h"
#include "model_command.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp =
    R"(octet inspect: say what a model is, without loading it

Usage: octet inspect MODEL [flags]

  MODEL                   folder, file or name of a built-in model

Reads headers only. Prints layout, architecture, the parts' dtypes and scales,
everything that would be refused, and the memory that pictures are expected to
need: with all weights on the device (none), with the text encoders waiting in
host memory until they are needed (text), with modulation waiting too (all),
and with every weight waiting that can (least, for --max-memory).
Exit code 0 when the model can be used, 3 when not, 7 when it differs from its
lock.

)";

struct Options {
  EngineOptions engine;
  bool json = false;
};

std::vector<Flag> flags_of(Options& o) {
  std::vector<Flag> flags = {
      {.name = "--json", .group = "Flags", .help = "print one JSON object", .target = &o.json}};
  add_model_choice_flags(o.engine, flags);
  add_lock_flags(o.engine, flags);
  return flags;
}

std::string gigabytes(std::uint64_t bytes) {
  return format("%.2f GB", static_cast<double>(bytes) * 1e-9);
}

std::string dtypes_text(const ComponentInfo& c) {
  std::string text;
  for (const StoredBytes& d : c.dtypes) {
    text += (text.empty() ? "" : ", ") + excerpt(d.dtype, 20) + " " + gigabytes(d.bytes);
  }
  return text;
}

std::string component_text(const ComponentInfo& c) {
  std::string text =
      format("  %-15s %s\n  %-15s %lld tensors, %s", c.name.c_str(), c.architecture.c_str(), "",
             static_cast<long long>(c.tensors), dtypes_text(c).c_str());
  if (!c.variant.empty()) text += ", variant " + excerpt(c.variant);
  text += format("\n  %-15s names and scheme: %s", "", c.layout.c_str());
  text += format("\n  %-15s scales %s", "", c.scales.c_str());
  if (c.highest_scale > 0) {
    text += format(", from %.3g to %.3g", static_cast<double>(c.lowest_scale),
                   static_cast<double>(c.highest_scale));
  }
  return text + "\n";
}

std::string memory_text(const std::vector<MemoryEstimate>& rows) {
  if (rows.empty()) return "";
  std::string text = format("memory          %-6s %12s %12s %12s %12s %14s\n", "device", "none",
                            "text", "all", "least", "(activations)");
  const auto column = [](std::uint64_t bytes) { return bytes == 0 ? "-" : gigabytes(bytes); };
  for (const MemoryEstimate& m : rows) {
    text += format("  %4dx%-8d %-6s ", m.side, m.side, m.device.c_str());
    text += m.problem.empty() ? format("%12s %12s %12s %12s %14s\n", column(m.none).c_str(),
                                       column(m.text).c_str(), column(m.all).c_str(),
                                       column(m.least).c_str(), column(m.activations).c_str())
                              : "refused: " + excerpt(m.problem, 200) + "\n";
  }
  return text;
}

std::string report(const ModelInspection& i) {
  std::string text = format("model           %s (%s)\n", excerpt(i.model.name).c_str(),
                            excerpt(i.model.path, 300).c_str());
  text += format("layout          %s, %llu files, %s\n", i.layout.c_str(),
                 static_cast<unsigned long long>(i.files), gigabytes(i.bytes).c_str());
  text +=
      format("architecture    %s\n", i.architecture.empty() ? "unknown" : i.architecture.c_str());
  if (!i.told_by.empty()) text += "  told by       " + i.told_by + "\n";
  text += format("variant         %s\n",
                 i.model.variant.empty() ? "(unnamed)" : excerpt(i.model.variant).c_str());
  for (const ComponentInfo& c : i.model.components) text += component_text(c);
  text += memory_text(i.memory);
  for (const std::string& note : i.notes) text += "note            " + excerpt(note, 600) + "\n";
  for (const std::string& p : i.problems) text += "refused         " + excerpt(p, 1000) + "\n";
  if (i.problems.empty()) text += "nothing is refused\n";
  return text;
}

Json components_json(const ModelInspection& i) {
  Json rows = Json::array();
  for (const ComponentInfo& c : i.model.components) {
    Json dtypes = Json::object();
    for (const StoredBytes& d : c.dtypes) dtypes[d.dtype] = d.bytes;
    Json row = {{"name", c.name},       {"variant", c.variant},
                {"layout", c.layout},   {"architecture", c.architecture},
                {"stored", c.stored},   {"bytes", c.bytes},
                {"tensors", c.tensors}, {"dtypes", dtypes},
                {"scales", c.scales}};
    row["scale_range"] =
        c.highest_scale > 0 ? Json{c.lowest_scale, c.highest_scale} : Json(nullptr);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json memory_json(const ModelInspection& i) {
  Json rows = Json::array();
  for (const MemoryEstimate& m : i.memory) {
    Json row = {{"width", m.side}, {"height", m.side}, {"device", m.device}};
    if (m.problem.empty()) {
      row["activation_bytes"] = m.activations;
      row["offload"] = {{"none", m.none}};
      if (m.least != 0) {
        row["offload"].update({{"text", m.text}, {"all", m.all}, {"least", m.least}});
      }
    } else {
      row["refused"] = m.problem;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string json_report(const ModelInspection& i) {
  Json json = {{"name", i.model.name}, {"path", i.model.path},
               {"layout", i.layout},   {"architecture", i.architecture},
               {"told_by", i.told_by}, {"variant", i.model.variant},
               {"files", i.files},     {"bytes", i.bytes}};
  json["components"] = components_json(i);
  json["memory"] = memory_json(i);
  json["notes"] = i.notes;
  json["problems"] = i.problems;
  json["usable"] = i.problems.empty();
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_inspect(Words words) {
  install_interrupt_handlers();
  Options o;
  if (!read_model_command("octet inspect", kHelp, flags_of(o), words, o.engine)) return 0;
  const ModelInspection inspection = inspect_model(o.engine);
  write_stdout(o.json ? json_report(inspection) : report(inspection));
  constexpr int kCannotBeUsed = 3;
  return inspection.problems.empty() ? 0 : kCannotBeUsed;
}

}  // namespace octet::cli
