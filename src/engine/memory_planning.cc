#include "engine/memory_planning.h"

#include <charconv>
#include <cmath>

#include "backend/null/null_backend.h"
#include "base/available_memory.h"
#include "base/format.h"
#include "engine/find_model.h"
#include "engine/locking.h"
#include "octet/error.h"
#include "pipeline/generate.h"
#include "pipeline/settings.h"

namespace octet {
namespace {

// A context with cuBLASLt, as an H200 with driver 580 has it; on a device it is measured.
constexpr std::size_t kContext = 600'000'000;
// Kernels that are loaded when first used, graphs, weights of enlarging convolutions.
constexpr std::size_t kGrowth = std::size_t{96} << 20;

std::size_t element_size(const Weight& w) {
  switch (w.compute) {
    case Compute::kF32:
      return sizeof(float);
    case Compute::kBF16:
      return sizeof(std::uint16_t);
    case Compute::kW8A16:
    case Compute::kFP8:
      break;
  }
  return 1;
}

// On a device: codes, scales and bias per row, alignment.
std::size_t packed_size(const HostWeight& host, const Weight& w) {
  constexpr std::size_t kPerRow = 12, kAlignment = 5 * 256;
  return static_cast<std::size_t>(w.out * w.in * w.kernel * w.kernel) * element_size(w) +
         static_cast<std::size_t>(w.out) * kPerRow + host.scale.size() * sizeof(float) + kAlignment;
}

bool stores_fp8(const ModelInfo& model) {
  for (const ComponentInfo& c : model.components) {
    if (c.name == "transformer") return c.stored.starts_with("F8_");
  }
  return false;
}

LoadAttempt load_shapes(const EngineOptions& options, const std::string& compute,
                        const NullTraits& traits) {
  const ModelFolder folder(find_model(options), folder_options(options, Values::kShapes));
  const auto null = make_null_backend(traits);
  return try_load_model(folder, *null, options.variant, compute);
}

std::optional<Offload> asked_offload(const std::string& name) {
  if (name == "none") return Offload::kNone;
  if (name == "text") return Offload::kText;
  if (name == "all") return Offload::kAll;
  if (name == "auto") return std::nullopt;
  throw Error(Code::kInvalidArgument,
              "offload: expected auto, none, text or all, found " + excerpt(name));
}

// The CPU computes where weights lie: nothing can leave.
void require_device(const Backend& backend, const std::optional<Offload>& asked) {
  if (backend.info().kind == "cuda" || asked.value_or(Offload::kNone) == Offload::kNone) return;
  throw Error(Code::kInvalidArgument,
              "offload: expected auto or none on a device without memory of its own, found "
              "text or all; they are for --device cuda");
}

}  // namespace

std::size_t parse_size(const std::string& text) {
  struct Unit {
    const char* name;
    double bytes;
  };
  constexpr Unit kUnits[] = {{"GB", 1e9}, {"GiB", 1073741824.0}, {"MB", 1e6}, {"MiB", 1048576.0}};
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  for (const Unit& unit : kUnits) {
    if (error != std::errc() || std::string(stop, end) != unit.name) continue;
    const double bytes = value * unit.bytes;
    if (std::isfinite(bytes) && bytes >= 1 && bytes < 1e15) return static_cast<std::size_t>(bytes);
  }
  throw Error(
      Code::kInvalidArgument,
      "max-memory: expected a size such as 7.5GB, 7GiB or 500MB, found '" + excerpt(text) + "'");
}

CountedModel count_model(const EngineOptions& options, DType stream, bool native_fp8) {
  CountedModel counted;
  NullTraits traits{.stream = stream};
  traits.on_weight = [&](const std::string& component, const HostWeight& host, const Weight& w) {
    const std::string name = component + "/" + host.name;
    counted.census.weights.push_back(
        {.name = name, .bytes = packed_size(host, w), .group = weight_group(name)});
  };
  traits.on_memory = [&](const std::string& component, std::size_t bytes, bool table) {
    const bool text = table && component.starts_with("text_encoder");
    (text ? counted.census.text_tables : counted.census.parameters) += bytes;
  };
  counted.attempt = load_shapes(options, options.compute, traits);
  if (native_fp8 && options.compute == "auto" && counted.attempt.model &&
      stores_fp8(counted.attempt.model->info)) {
    counted.census = {};
    counted.attempt = load_shapes(options, "fp8", traits);
  }
  return counted;
}

MemoryDemand expected_demand(const CountedModel& counted, const GenerateRequest& request,
                             DType stream, bool own_memory) {
  const Models& models = counted.attempt.model.value().models;
  DeviceScratch scratch;
  const std::size_t activations =
      plan_activations(models, request, resolve_settings(request, models), stream, &scratch);
  return {.census = counted.census,
          .activations = activations,
          .overhead = own_memory ? kContext : 0,
          .scratch = own_memory ? scratch.total() + kGrowth : 0,
          .own_memory = own_memory};
}

EnginePlan plan_memory(const EngineOptions& options, Backend& backend) {
  const MemoryOptions& memory = options.memory;
  const std::optional<Offload> asked = asked_offload(memory.offload);
  const std::size_t limit = memory.limit.empty() ? 0 : parse_size(memory.limit);
  require_device(backend, asked);
  const DeviceInfo device = backend.info();
  const bool own_memory = device.kind == "cuda";
  if (!own_memory && limit == 0) return {};
  const DType stream =
      options.compute == "f32" ? DType::kF32 : backend.stream_dtype(Compute::kBF16);
  const CountedModel counted = count_model(options, stream, device.native_fp8);
  if (!counted.attempt.model) return {};  // loading says why
  MemoryDemand demand = expected_demand(counted, memory.request, stream, own_memory);
  if (own_memory) demand.overhead = device.overhead;
  demand.free = device.memory;
  demand.limit = limit;
  demand.host_free = available_memory();
  const MemoryPlan plan = plan_residency(demand, own_memory ? asked : Offload::kNone);
  const std::size_t request = demand.activations + (own_memory ? demand.scratch - kGrowth : 0);
  const std::size_t room = limit == 0 ? 0 : limit - (plan.total - request);
  if (own_memory) backend.place_weights(plan.places);
  return {.text = plan.text, .room = room};
}

}  // namespace octet
