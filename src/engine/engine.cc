#include "octet/engine.h"

#include <algorithm>
#include <chrono>

#include "backend/null/null_backend.h"
#include "base/format.h"
#include "engine/backend_registry.h"
#include "engine/counted_files.h"
#include "engine/embedded.h"
#include "engine/file_warnings.h"
#include "engine/find_model.h"
#include "engine/loading.h"
#include "engine/locking.h"
#include "engine/memory_planning.h"
#include "engine/profiling.h"
#include "octet/error.h"
#include "pipeline/generate.h"
#include "pipeline/running_batch.h"
#include "pipeline/settings.h"

namespace octet {
namespace {

std::string describe(const DeviceInfo& d) {
  const std::string threads = d.kind == "cpu" ? format(", %d threads", d.threads) : "";
  return format("%s: %s (%s%s)", d.kind.c_str(), d.name.c_str(), d.capabilities.c_str(),
                threads.c_str());
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The files of the model, watched when somebody wants to know how far their reading is.
std::unique_ptr<FileSet> open_model(const EngineOptions& options) {
  auto files = find_model(options);
  if (!options.reading) return files;
  const ModelFolder shapes(find_model(options), folder_options(options, Values::kShapes));
  const auto null = make_null_backend({});
  std::uint64_t total = 0;
  for (const ComponentInfo& c :
       try_load_model(shapes, *null, options.variant, "auto").info.components) {
    total += c.bytes;
  }
  return count_reads(std::move(files), total, options.reading);
}

}  // namespace

struct Engine::Impl {
  std::unique_ptr<Backend> backend;
  LoadedModel loaded;
  std::size_t room = 0;          // under --max-memory, as in EnginePlan; 0: what is free
  std::optional<Arena> arena{};  // of the largest request so far

  [[nodiscard]] DType stream_dtype() const {
    return backend->stream_dtype(loaded.transformer_compute);
  }

  // free: bytes of the device; 0: enough, or unknown.
  void require_room(std::size_t needed, std::size_t free) const {
    if (room != 0 && needed > room) {
      throw Error(Code::kOutOfMemory,
                  format("memory: this request needs %zu MiB of activations, --max-memory leaves "
                         "%zu MiB for them; use a smaller width, height or batch",
                         needed >> 20, room >> 20));
    }
    if (free != 0 && needed > free) {
      throw Error(Code::kOutOfMemory,
                  format("memory: this request needs %zu MiB of activations, %zu MiB are free; use "
                         "a smaller width, height or batch",
                         needed >> 20, free >> 20));
    }
  }

  // The backend with an arena that is large enough; refuses a request that cannot fit.
  Ctx context(const GenerateRequest& request, const UsedSettings& settings) {
    DeviceScratch scratch;
    const std::size_t planned =
        plan_activations(loaded.models, request, settings, stream_dtype(), &scratch);
    const bool larger = !arena || arena->capacity() < planned;
    if (larger) arena.reset();
    const DeviceInfo device = backend->info();
    require_room(planned + (device.kind == "cuda" ? scratch.total() : 0),
                 larger ? device.memory : 0);
    if (larger) arena.emplace(backend->allocate(planned));
    backend->reserve(scratch);
    arena->reset_peak();
    return {*backend, *arena};
  }
};

Engine::Engine(const EngineOptions& asked) {
  const auto begin = std::chrono::steady_clock::now();
  const EngineOptions options = require_lock(asked);
  const ModelFolder folder(open_model(options), folder_options(options, Values::kRead));
  auto [backend, remark] = choose_backend(options.device, options.threads);
  const EnginePlan plan = plan_memory(options, *backend);
  LoadedModel loaded =
      load_model(folder, *backend, options.variant, options.compute, options.loras);
  loaded.info.device = describe(backend->info());
  if (!remark.empty()) loaded.info.device += "; " + remark;
  loaded.info.memory = plan.text;
  loaded.info.warnings = file_warnings(folder.files(), options.loras);
  loaded.info.load_seconds = seconds_since(begin);
  const SideRange sides = side_range(loaded.models);
  // A model whose own size is beyond its position table still draws what is asked for in smaller.
  const ModelDefaults& own = loaded.models.defaults;
  loaded.info.defaults = resolve_settings({.seed = 0,
                                           .width = std::min(own.width, sides.longest),
                                           .height = std::min(own.height, sides.longest)},
                                          loaded.models);
  loaded.info.side_multiple = sides.multiple;
  loaded.info.longest_side = sides.longest;
  impl_ = std::make_unique<Impl>(Impl{std::move(backend), std::move(loaded), plan.room});
}

Engine::~Engine() = default;

const ModelInfo& Engine::model() const { return impl_->loaded.info; }

GenerateResult Engine::generate(const GenerateRequest& request, const GenerateHooks& hooks) {
  const UsedSettings settings = resolve_settings(request, impl_->loaded.models);
  GenerateResult result = run_pipeline(impl_->context(request, settings), impl_->loaded.models,
                                       request, settings, hooks);
  for (std::string& remark : impl_->backend->take_remarks()) {
    result.warnings.push_back(std::move(remark));
  }
  return result;
}

std::unique_ptr<Batch> Engine::start_batch(const BatchOptions& asked) {
  BatchOptions options = asked;
  if (options.max_memory == 0) options.max_memory = impl_->room;
  return std::make_unique<RunningBatch>(*impl_->backend, impl_->loaded.models,
                                        impl_->stream_dtype(), options);
}

Profile Engine::count(const GenerateRequest& request) const {
  const Models& models = impl_->loaded.models;
  return count_work(models, request, resolve_settings(request, models), impl_->stream_dtype());
}

Profile Engine::profile(const GenerateRequest& request) {
  const Models& models = impl_->loaded.models;
  const UsedSettings settings = resolve_settings(request, models);
  return measure_ops(impl_->context(request, settings), models, request, settings,
                     impl_->loaded.transformer_compute);
}

std::vector<std::string> builtin_models() {
  std::vector<std::string> names;
  for (const EmbeddedModel& m : embedded_models()) names.emplace_back(m.name);
  return names;
}

}  // namespace octet
