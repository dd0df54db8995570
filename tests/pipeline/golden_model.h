// A golden model, loaded on a device, and the tensors that diffusers computed from it
// (tests/golden/README.md).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "backend/cpu/cpu_backend.h"
#include "checkpoint/safetensors.h"
#include "engine/loading.h"
#include "pipeline/generate.h"
#include "pipeline/settings.h"
#include "tensor/float_formats.h"

namespace octet::test {

inline std::string golden_folder(const std::string& arch) {
  return std::string(OCTET_TEST_DATA) + "/golden/" + arch;
}

/// ||a - b|| / ||b||; infinity for different sizes or any NaN.
inline double relative_l2(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || b.empty()) return INFINITY;
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  const double error = std::sqrt(difference / norm);
  return std::isfinite(error) ? error : INFINITY;
}

/// Tensors that a reference implementation computed, in a safetensors file.
class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& path) : file_(open_file(path)) {}

  [[nodiscard]] FloatArray get(const std::string& name) const {
    const TensorInfo& info = file_.tensors().at(name);
    const std::vector<std::byte> bytes = file_.read(info);
    FloatArray a{.dims = info.dims, .values = std::vector<float>(bytes.size() / 4)};
    decode_to_f32(DType::kF32, bytes.data(), a.values.data(), a.values.size());
    return a;
  }
  [[nodiscard]] std::vector<std::int32_t> ids(const std::string& name) const {
    const std::vector<std::byte> bytes = file_.read(file_.tensors().at(name));
    std::vector<std::int32_t> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

 private:
  SafetensorsFile file_;
};

struct GoldenModel {
  GoldenModel(const std::string& arch, const std::string& compute,
              const std::optional<std::string>& variant)
      : GoldenModel(arch, compute, variant, make_cpu_backend({.threads = 2})) {}
  GoldenModel(const std::string& arch, const std::string& compute,
              const std::optional<std::string>& variant, std::unique_ptr<Backend> device)
      : tensors(golden_folder(arch) + "/golden.safetensors"),
        meta(nlohmann::json::parse(read_text(*open_folder(golden_folder(arch)), "meta.json"))),
        backend(std::move(device)),
        loaded(load_model(ModelFolder(open_folder(golden_folder(arch) + "/model")), *backend,
                          variant, compute)) {}

  /// The request that the goldens were made with.
  [[nodiscard]] GenerateRequest request() const {
    GenerateRequest r;
    r.prompt = meta["prompt"];
    r.negative_prompt = meta["negative_prompt"];
    r.steps = meta["steps"];
    r.guidance = meta["guidance"];
    r.shift = meta["shift"];
    r.seed = meta["seed"].get<std::uint64_t>();
    r.width = meta["width"];
    r.height = meta["height"];
    r.t5_length = meta["t5_length"];
    return r;
  }

  /// Runs the whole pipeline and returns everything it dumps.
  [[nodiscard]] std::map<std::string, FloatArray> run(const GenerateRequest& request) const {
    std::map<std::string, FloatArray> dumps;
    const GenerateHooks hooks{
        .progress = {},
        .dump = [&](const std::string& name, FloatArray value) { dumps[name] = std::move(value); }};
    const UsedSettings settings = resolve_settings(request, loaded.models);
    Arena arena(backend->allocate(plan_activations(
        loaded.models, request, settings, backend->stream_dtype(loaded.transformer_compute))));
    (void)run_pipeline({*backend, arena}, loaded.models, request, settings, hooks);
    return dumps;
  }

  GoldenTensors tensors;
  nlohmann::json meta;
  std::unique_ptr<Backend> backend;
  LoadedModel loaded;
};

}  // namespace octet::test
