#include "quantize/model_runner.h"

#include "base/check.h"
#include "pipeline/generate.h"
#include "pipeline/settings.h"

namespace octet {

ModelRunner::ModelRunner(std::unique_ptr<FileSet> files, const std::optional<std::string>& variant,
                         const std::string& compute, std::unique_ptr<ObservingBackend> backend)
    : backend_(std::move(backend)),
      loaded_(load_model(ModelFolder(std::move(files)), *backend_, variant, compute)) {}

UsedSettings ModelRunner::settings(const GenerateRequest& request) const {
  return resolve_settings(request, loaded_.models);
}

Picture ModelRunner::draw(const GenerateRequest& request, const std::function<void()>& on_step) {
  const Models& models = loaded_.models;
  const UsedSettings used = settings(request);
  const DType stream = backend_->stream_dtype(loaded_.transformer_compute);
  Arena arena(backend_->allocate(plan_activations(models, request, used, stream)));
  GenerateHooks hooks;
  hooks.progress = [&](const Progress& progress) {
    if (progress.stage == Stage::kDenoise) on_step();
    return true;
  };
  GenerateResult result = run_pipeline({*backend_, arena}, models, request, used, hooks);
  OCTET_CHECK(result.pictures.size() == 1, "%zu pictures", result.pictures.size());
  return std::move(result.pictures.front());
}

}  // namespace octet
