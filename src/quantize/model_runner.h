// A loaded model that draws pictures while its linear layers are watched.
//
// The backend is the reproducible CPU one: results are the same bytes for any number of threads
// and on every processor with AVX2. Not thread-safe. Errors: those of loading and generating.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "checkpoint/files.h"
#include "engine/loading.h"
#include "octet/request.h"
#include "quantize/observing_backend.h"

namespace octet {

class ModelRunner {
 public:
  /// `variant` and `compute` as in EngineOptions.
  ModelRunner(std::unique_ptr<FileSet> files, const std::optional<std::string>& variant,
              const std::string& compute, std::unique_ptr<ObservingBackend> backend);

  [[nodiscard]] ObservingBackend& backend() { return *backend_; }
  /// The settings that a request leads to.
  [[nodiscard]] UsedSettings settings(const GenerateRequest& request) const;
  /// The request's one picture; `on_step` is called after each denoising step and throws to stop.
  [[nodiscard]] Picture draw(const GenerateRequest& request, const std::function<void()>& on_step);

 private:
  std::unique_ptr<ObservingBackend> backend_;
  LoadedModel loaded_;
};

}  // namespace octet
