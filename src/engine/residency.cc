#include "engine/residency.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

using Group = WeightCensus::Group;

constexpr std::size_t kPlaces = 4;  // of a ring

double gb(std::size_t bytes) { return static_cast<double>(bytes) * 1e-9; }

bool waits(Group group, Offload offload) {
  if (group == Group::kText) return offload != Offload::kNone;
  return group == Group::kModulation && offload == Offload::kAll;
}

std::size_t total_of(const MemoryDemand& d, const MemoryPlan& p) {
  return d.overhead + p.places.resident_bytes + p.ring + d.activations + p.scratch +
         d.census.parameters + (p.offload == Offload::kNone ? d.census.text_tables : 0);
}

// Room for everything but what is there already.
std::size_t budget_of(const MemoryDemand& d) {
  const std::size_t device = d.free == 0 ? SIZE_MAX : d.overhead + d.free;
  return std::min(device, d.limit == 0 ? SIZE_MAX : d.limit);
}

void put_on_host(MemoryPlan& p, const WeightCensus::Item& item) {
  p.places.on_host.insert(item.name);
  p.places.bytes_on_host += item.bytes;
  p.places.largest_on_host = std::max(p.places.largest_on_host, item.bytes);
  p.streamed += item.bytes;
}

// `block_bytes` of the blocks' weights wait, evenly spread: copies then hide behind every block.
MemoryPlan place(const MemoryDemand& d, Offload offload, std::size_t block_bytes) {
  MemoryPlan p{.offload = offload, .places = {}, .scratch = d.scratch, .text = {}};
  std::size_t all = 0;
  for (const auto& item : d.census.weights) {
    if (item.group == Group::kBlock) all += item.bytes;
  }
  double owed = 0;
  for (const auto& item : d.census.weights) {
    bool host = waits(item.group, offload);
    if (item.group == Group::kBlock && block_bytes != 0) {
      owed += static_cast<double>(item.bytes) * std::min(1.0, gb(block_bytes) / gb(all));
      host = owed > 0 && p.streamed_per_step < block_bytes;
      if (host) {
        owed -= static_cast<double>(item.bytes);
        p.streamed_per_step += item.bytes;
      }
    }
    if (host) {
      put_on_host(p, item);
    } else {
      p.places.resident_bytes += item.bytes;
    }
  }
  if (offload != Offload::kNone) {
    p.places.tables_on_host = {"text_encoder", "text_encoder_2", "text_encoder_3"};
    p.streamed += d.census.text_tables;
  }
  p.ring = kPlaces * p.places.largest_on_host;
  p.total = total_of(d, p);
  return p;
}

// With everything on the host that may be, if that is what it takes.
MemoryPlan place_within(const MemoryDemand& d, Offload offload, std::size_t budget) {
  MemoryPlan p = place(d, offload, 0);
  if (p.total <= budget || offload != Offload::kAll) return p;
  std::size_t blocks = 0;
  for (const auto& item : d.census.weights) {
    if (item.group == Group::kBlock) blocks += item.bytes;
  }
  // The ring may have grown with the first weight of a block, so the excess is asked for again.
  for (std::size_t want = p.total - budget; p.total > budget && want != 0;) {
    p = place(d, offload, std::min(want, blocks));
    if (want >= blocks) break;
    want += p.total > budget ? p.total - budget : 0;
  }
  return p;
}

const char* name_of(Offload offload) {
  return offload == Offload::kNone ? "none" : offload == Offload::kText ? "text" : "all";
}

std::string numbers(const MemoryDemand& d, const MemoryPlan& p) {
  return format(
      "%.3f GB: %.3f GB of weights, %.3f GB of places for streamed weights, %.3f GB of "
      "activations, "
      "%.3f GB of context, libraries and scratch",
      gb(p.total), gb(p.total - p.ring - d.activations - d.overhead - p.scratch), gb(p.ring),
      gb(d.activations), gb(d.overhead + p.scratch));
}

std::string room(const MemoryDemand& d) {
  if (d.limit != 0 && budget_of(d) == d.limit) return format("--max-memory %.3f GB", gb(d.limit));
  if (d.free != 0) return format("%.3f GB free on the device", gb(d.overhead + d.free));
  return "an unknown amount of memory";
}

}  // namespace

Group weight_group(const std::string& name) {
  if (name.starts_with("text_encoder")) return Group::kText;
  if (!name.starts_with("transformer/")) return Group::kOther;
  const std::string tensor = name.substr(name.find('/') + 1);
  if (tensor.starts_with("norm_out.")) return Group::kModulation;
  if (!tensor.starts_with("transformer_blocks.")) return Group::kOther;
  const bool modulation = tensor.find(".norm1.") != std::string::npos ||
                          tensor.find(".norm1_context.") != std::string::npos;
  return modulation ? Group::kModulation : Group::kBlock;
}

MemoryPlan plan_residency(const MemoryDemand& d, std::optional<Offload> asked) {
  const std::size_t budget = budget_of(d);
  MemoryPlan plan;
  for (const Offload offload : {Offload::kNone, Offload::kText, Offload::kAll}) {
    if (asked && *asked != offload) continue;
    plan = place_within(d, offload, budget);
    if (plan.total <= budget) break;
  }
  if (plan.total > budget) {
    throw Error(Code::kOutOfMemory,
                format("memory: expected at most %s, found that offload %s needs %s; %s",
                       room(d).c_str(), name_of(plan.offload), numbers(d, plan).c_str(),
                       d.own_memory && asked && *asked != Offload::kAll
                           ? "use --offload auto, or a smaller picture"
                           : "draw a smaller picture or give more memory"));
  }
  if (d.host_free != 0 && plan.streamed > d.host_free) {
    throw Error(Code::kOutOfMemory,
                format("memory: offload %s keeps %.3f GB of weights in host memory: expected that "
                       "much to be available, found %.3f GB; %s",
                       name_of(plan.offload), gb(plan.streamed), gb(d.host_free),
                       d.limit != 0 ? "use a larger --max-memory, or end other programs"
                                    : "end other programs on the GPU or on this machine"));
  }
  plan.text = format("offload %s (%s), peak %s, of %s", name_of(plan.offload),
                     !d.own_memory ? "all that this device can"
                     : asked       ? "asked for"
                                   : "chosen",
                     numbers(d, plan).c_str(), room(d).c_str());
  if (plan.streamed != 0) {
    plan.text += format("; %.2f GB wait in host memory", gb(plan.streamed));
  }
  if (plan.streamed_per_step != 0) {
    plan.text += format(", %.2f GB of them come again at every step", gb(plan.streamed_per_step));
  }
  return plan;
}

std::size_t expected_total(const MemoryDemand& demand, Offload offload) {
  return place(demand, offload, 0).total;
}

std::size_t least_total(const MemoryDemand& demand) {
  return place(demand, Offload::kAll, SIZE_MAX).total;
}

}  // namespace octet
