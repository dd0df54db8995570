#include "octet/engine.h"

#include <chrono>

#include "base/format.h"
#include "engine/backend_registry.h"
#include "engine/embedded.h"
#include "engine/find_model.h"
#include "engine/loading.h"
#include "engine/locking.h"
#include "octet/error.h"
#include "pipeline/generate.h"
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

}  // namespace

struct Engine::Impl {
  std::unique_ptr<Backend> backend;
  LoadedModel loaded;
};

Engine::Engine(const EngineOptions& asked) {
  const auto begin = std::chrono::steady_clock::now();
  const EngineOptions options = require_lock(asked);
  const ModelFolder folder(find_model(options.model));
  auto [backend, remark] = choose_backend(options.device, options.threads);
  LoadedModel loaded = load_model(folder, *backend, options.variant, options.compute);
  loaded.info.device = describe(backend->info());
  if (!remark.empty()) loaded.info.device += "; " + remark;
  loaded.info.load_seconds = seconds_since(begin);
  impl_ = std::make_unique<Impl>(Impl{std::move(backend), std::move(loaded)});
}

Engine::~Engine() = default;

const ModelInfo& Engine::model() const { return impl_->loaded.info; }

GenerateResult Engine::generate(const GenerateRequest& request, const GenerateHooks& hooks) {
  const Models& models = impl_->loaded.models;
  Backend& backend = *impl_->backend;
  const UsedSettings settings = resolve_settings(request, models);
  const DType stream = backend.stream_dtype(impl_->loaded.transformer_compute);
  const std::size_t planned = plan_activations(models, request, settings, stream);
  const std::size_t free = backend.info().memory;
  if (free != 0 && planned > free) {
    throw Error(Code::kOutOfMemory,
                format("memory: this request needs %zu MiB of activations, %zu MiB are free",
                       planned >> 20, free >> 20));
  }
  Arena arena(backend.allocate(planned));
  return run_pipeline({backend, arena}, models, request, settings, hooks);
}

std::vector<std::string> builtin_models() {
  std::vector<std::string> names;
  for (const EmbeddedModel& m : embedded_models()) names.emplace_back(m.name);
  return names;
}

}  // namespace octet
