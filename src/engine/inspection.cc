#include <algorithm>
#include <set>

#include "backend/null/null_backend.h"
#include "base/format.h"
#include "engine/file_warnings.h"
#include "engine/find_model.h"
#include "engine/loading.h"
#include "engine/locking.h"
#include "engine/memory_planning.h"
#include "octet/error.h"
#include "octet/inspect.h"

namespace octet {
namespace {

constexpr int kSides[] = {512, 1024, 1536};

struct Target {
  const char* device;
  DType stream;  // dtype of tensors between layers there
  bool native_fp8;
  bool own_memory;
};
constexpr Target kTargets[] = {{"cpu", DType::kF32, false, false},
                               {"cuda", DType::kBF16, true, true}};

GenerateRequest square(int side) {
  return {.prompt = "x", .negative_prompt = "x", .seed = 1, .width = side, .height = side};
}

MemoryEstimate estimate(const CountedModel& counted, const Target& target, DType stream,
                        const GenerateRequest& request) {
  MemoryEstimate e{.device = target.device};
  try {
    const MemoryDemand d = expected_demand(counted, request, stream, target.own_memory);
    e.activations = d.activations;
    e.none = expected_total(d, Offload::kNone);
    if (!target.own_memory) return e;
    e.text = expected_total(d, Offload::kText);
    e.all = expected_total(d, Offload::kAll);
    e.least = least_total(d);
  } catch (const Error& error) {
    e.problem = error.what();
  }
  return e;
}

void add_estimates(ModelInspection& i, const EngineOptions& options, const Target& target) {
  const DType stream = options.compute == "f32" ? DType::kF32 : target.stream;
  const CountedModel counted = count_model(options, stream, target.native_fp8);
  for (const int side : kSides) {
    i.memory.push_back(estimate(counted, target, stream, square(side)));
    i.memory.back().side = side;
  }
  i.request.push_back(estimate(counted, target, stream, options.memory.request));
}

std::string told_by(const MmditConfig& c) {
  const auto dual = std::count(c.dual.begin(), c.dual.end(), true);
  std::string text = format(
      "tensor shapes: %lld blocks of width %lld, q/k norms %s, %lld blocks with a second "
      "attention, "
      "%lld latent channels, position table of side %lld",
      static_cast<long long>(c.depth), static_cast<long long>(c.width), c.qk_norm ? "yes" : "no",
      static_cast<long long>(dual), static_cast<long long>(c.in_channels),
      static_cast<long long>(c.position_side));
  if (c.qk_norm && dual == 0) text += "; Large and Large Turbo have the same shapes";
  return text;
}

// A single file may hold several parts: it counts once.
void count_files(ModelInspection& i, const FileSet& files) {
  std::set<std::string> seen;
  for (const std::string& file : files.list()) {
    if (files.stands_in(file)) continue;
    const auto source = files.open(file);
    if (!seen.insert(source->name()).second) continue;
    i.files += 1;
    i.bytes += source->size();
  }
}

void add_notes(ModelInspection& i, const FileSet& files) {
  i.notes = file_warnings(files, {});
  for (const ComponentInfo& c : i.model.components) {
    if (c.scales.find("unscaled") == std::string::npos) continue;
    i.notes.push_back(c.name +
                      ": FP8 weights without a scale: a plain cast, or a scaled file that lost its "
                      "scales? Decided at load: codes of 224 and above are refused");
  }
}

}  // namespace

ModelInspection inspect_model(const EngineOptions& asked) {
  const EngineOptions options = require_lock(asked);
  const ModelFolder folder(find_model(options), folder_options(options, Values::kShapes));
  const auto null = make_null_backend({});
  LoadAttempt attempt = try_load_model(folder, *null, options.variant, options.compute);
  ModelInspection i;
  i.layout = folder.files().layout();
  count_files(i, folder.files());
  i.problems = std::move(attempt.problems);
  i.model = attempt.model ? attempt.model->info : attempt.info;
  i.model.path = folder.files().location();
  i.model.name = folder.name();
  for (const ComponentInfo& c : i.model.components) {
    if (c.name == "transformer") i.architecture = c.architecture;
  }
  add_notes(i, folder.files());
  if (!attempt.model) return i;
  i.told_by = told_by(attempt.model->models.mmdit.config());
  for (const Target& target : kTargets) add_estimates(i, options, target);
  return i;
}

}  // namespace octet
