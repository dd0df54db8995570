// The course of a quantisation: calibrate, decide, write without a name, judge, name.
#include "quantize/session.h"

#include <algorithm>
#include <chrono>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/sha256.h"
#include "engine/find_model.h"
#include "engine/locking.h"
#include "quantize/calibration.h"
#include "quantize/fp8_file.h"
#include "quantize/fp8_weight.h"
#include "quantize/gate.h"
#include "quantize/layer_roles.h"
#include "quantize/model_runner.h"
#include "quantize/overlay_files.h"
#include "quantize/picture_metrics.h"
#include "quantize/report_json.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

constexpr std::uint64_t kCalibrationSeeds = 1000;  // behind those of the held-out pictures
constexpr const char* kMetadataKey = "octet.quantization";

/// Counts the work of one stage and asks whether to go on.
class Meter {
 public:
  Meter(const QuantizeHooks& hooks, QuantizeStage stage, int total)
      : hooks_(hooks), stage_(stage), total_(total) {}
  void tick() { report(++done_, total_); }
  void report(int done, int total) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin_;
    if (hooks_.progress && !hooks_.progress({stage_, done, total, passed.count()})) {
      throw Error(Code::kCancelled, "interrupted");
    }
  }

 private:
  const QuantizeHooks& hooks_;
  QuantizeStage stage_;
  int total_, done_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

std::string digest_of(const std::vector<std::string>& prompts) {
  std::string text;
  for (const std::string& prompt : prompts) text += prompt + "\n";
  return sha256_hex(std::as_bytes(std::span(text)));
}

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::kInvalidArgument, message);
}

void validate(const QuantizeOptions& o) {
  const bool judging = !o.candidate.empty();
  if (!judging && o.calibration.empty()) refuse("calibration: expected prompts, found none");
  if (!judging && o.out.empty()) refuse("out: expected a file name, found none");
  if (o.holdout.empty()) refuse("holdout: expected prompts, found none");
  for (const std::string& prompt : o.holdout) {
    const auto& used = o.calibration;
    if (!judging && std::find(used.begin(), used.end(), prompt) != used.end()) {
      refuse("holdout: expected prompts that are not calibrated with, found \"" + excerpt(prompt) +
             "\" in both");
    }
  }
  if (o.layout == Fp8Layout::kComfyUi && o.weight_scale != WeightScale::kTensor) {
    refuse("weight scale: expected tensor for the ComfyUI layout, which has no other, found row");
  }
  if (o.percentile && !(*o.percentile > 50 && *o.percentile <= 100)) {
    refuse(format("percentile: expected above 50 to 100, found %g", *o.percentile));
  }
}

// The layer of a candidate as the loader reads it, q, k and v as one.
HostWeight candidate_layer(WeightReader& reader, const std::string& name,
                           const std::vector<std::int64_t>& dims) {
  const std::vector<std::string> group = group_of(name);
  if (group.size() == 1) return reader.linear(name, dims.at(0), dims.at(1), true);
  OCTET_CHECK(group.size() == 3, "a group of %zu", group.size());
  return reader.stacked({group[0], group[1], group[2]}, dims.at(0) / 3, dims.at(1), true);
}

EngineOptions source_of(const QuantizeOptions& o) {
  return {.model = o.model, .parts = o.parts, .variant = o.variant, .lock = o.lock};
}

// The source's files, once they are known to be the locked ones.
std::unique_ptr<FileSet> locked(const QuantizeOptions& o) {
  (void)require_lock(source_of(o));
  return find_model(source_of(o));
}

class Session {
 public:
  Session(const QuantizeOptions& options, const QuantizeHooks& hooks, const MakeBackend& backend)
      : o_(options),
        hooks_(hooks),
        make_backend_(backend),
        folder_(locked(options)),
        variant_(choose_source(folder_, options.variant)),
        source_(folder_, variant_),
        pool_(options.threads) {
    report_.source = source_.stored();
    report_.source_digest = source_.digest();
  }

  QuantizeReport run() {
    start_source();
    if (o_.candidate.empty()) {
      make();
    } else {
      report_.file = o_.candidate;
      report_.file_bytes = open_file(o_.candidate)->size();
      judge(o_.candidate);
      finish_report();
    }
    return std::move(report_);
  }

 private:
  void start_source() {
    std::optional<std::string> label;
    if (!variant_.empty()) label = variant_;
    runner_.emplace(find_model(source_of(o_)), label, "f32",
                    std::make_unique<ObservingBackend>(make_backend_(), source_.names()));
    const UsedSettings used = runner_->settings(request("", 0, o_.gate_steps));
    settings_ = {.calibration_steps = runner_->settings(request("", 0, o_.calibration_steps)).steps,
                 .gate_steps = used.steps,
                 .width = used.width,
                 .height = used.height,
                 .calibration_digest = digest_of(o_.calibration),
                 .holdout_digest = digest_of(o_.holdout)};
  }

  [[nodiscard]] GenerateRequest request(const std::string& prompt, std::uint64_t seed,
                                        const std::optional<int>& steps) const {
    return {.prompt = prompt,
            .steps = steps,
            .seed = o_.seed + seed,
            .width = o_.width,
            .height = o_.height};
  }

  // Draws pictures of some prompts, all with a count of steps and seeds from `seed` on.
  std::vector<Picture> draw(ModelRunner& runner, const std::vector<std::string>& prompts,
                            std::uint64_t seed, int steps, QuantizeStage stage) {
    const auto count = static_cast<int>(prompts.size());
    runner.backend().start(std::int64_t{count} * steps);
    Meter meter(hooks_, stage, count * steps);
    std::vector<Picture> pictures;
    for (const std::string& prompt : prompts) {
      pictures.push_back(
          runner.draw(request(prompt, seed + pictures.size(), steps), [&] { meter.tick(); }));
    }
    return pictures;
  }

  void make() {
    PendingFile pending(o_.out);  // before hours of work: can it be written at all?
    draw(*runner_, o_.calibration, kCalibrationSeeds, settings_.calibration_steps,
         QuantizeStage::kCalibrate);
    Meter meter(hooks_, QuantizeStage::kQuantize, 0);
    const auto progress = [&](int done, int total) { meter.report(done, total); };
    report_.layers = assess_layers(runner_->backend(), source_, o_, pool_, progress);
    report_.kept_blocks = blocks_to_keep(report_.layers, o_.block_error);
    const Fp8Plan plan = plan_of(o_, report_.layers, report_.kept_blocks);
    if (plan.input_scales.empty()) {
      report_.failures.emplace_back("every block has a layer that FP8 costs too much");
      return finish_report();
    }
    Fp8File file(pending, fp8_tensors(source_, plan, pool_), report_room());
    file.write({{"format", "pt"}}, progress);
    report_.file = o_.out;
    report_.file_bytes = file.bytes();
    judge(pending.readable_name());
    finish_report();
    if (!report_.failures.empty() && !o_.accept_quality_loss) return;
    file.replace({{"format", "pt"}, {kMetadataKey, report_.json}});
    pending.commit();
    report_.written = true;
  }

  // Bytes that the report may take in the file's header: a line of it has some 300.
  [[nodiscard]] std::size_t report_room() const {
    std::size_t layers = 0;
    for (const auto& [name, info] : source_.tensors()) {
      layers += role_of(name, info.dims) == LayerRole::kKept ? 0 : 1;
    }
    return 8192 + 512 * layers + 256 * o_.holdout.size();
  }

  void finish_report() {
    apply_limits(o_.limits, report_);
    report_.json = report_json(o_, settings_, report_);
  }

  // A candidate that the loader refuses or that computes no numbers has not passed.
  void judge(const std::string& file) {
    try {
      read_candidate(file);
      draw_and_compare(file);
    } catch (const Error& error) {
      const Code c = error.code();
      if (c != Code::kModelMismatch && c != Code::kCorruptFile && c != Code::kUnsupported &&
          c != Code::kInternal) {
        throw;
      }
      report_.failures.push_back(std::string("the candidate cannot be used: ") + error.what());
    }
  }

  LayerReport& layer(const std::string& name) {
    for (LayerReport& l : report_.layers) {
      if (l.name == name) return l;
    }
    return report_.layers.emplace_back(LayerReport{.name = name});
  }

  // Weights and scales as the loader gives them, against the source.
  void read_candidate(const std::string& file) {
    const ModelFolder folder(with_fp8_transformer(find_model(source_of(o_)), file));
    WeightReader reader = folder.open("transformer", "fp8");
    for (const auto& [tensor, info] : source_.tensors()) {
      const LayerRole role = role_of(tensor, info.dims);
      const std::string name = layer_of(tensor);
      if (role == LayerRole::kKept || group_of(name).front() != name) continue;
      const HostWeight weight = source_.group(name);
      const HostWeight found = candidate_layer(reader, name, weight.dims);
      if (role == LayerRole::kModulation && !is_fp8(found.dtype)) continue;
      LayerReport& l = layer(name);
      l.quantised = is_fp8(found.dtype);
      l.input_scale = found.input_scale;
      l.weight_error = worst_row_error(weight, found);
    }
  }

  void draw_and_compare(const std::string& file) {
    ObservedLayers& seen = runner_->backend().layers();
    std::vector<Picture> pictures = reference();
    for (auto& [name, observed] : seen) {
      LayerReport& l = layer(name);
      l.held_out_amax = observed.inputs.amax();
      l.inputs = observed.inputs.count();
      l.saturated = observed.beyond;
      observed.weight = {};
    }
    const ObservedLayers reference_layers = std::move(seen);
    runner_.reset();  // two large models need not fit into memory together

    ModelRunner candidate(with_fp8_transformer(find_model(source_of(o_)), file), "fp8", "fp8",
                          std::make_unique<ObservingBackend>(make_backend_()));
    for (auto& [name, observed] : candidate.backend().layers()) {
      const ObservedLayer& r = reference_layers.at(name);
      layer(name).output_error =
          output_error(candidate.backend().inner(), observed.weight, r.act, r.samples);
    }
    const std::vector<Picture> found =
        draw(candidate, o_.holdout, 0, settings_.gate_steps, QuantizeStage::kJudge);
    for (std::size_t i = 0; i < found.size(); ++i) {
      report_.pictures.push_back({.prompt = o_.holdout[i],
                                  .seed = found[i].seed,
                                  .psnr = psnr(pictures[i], found[i]),
                                  .ssim = ssim(pictures[i], found[i]),
                                  .gmsd = gmsd(pictures[i], found[i])});
    }
  }

  // The source's held-out pictures, with inputs counted against the candidate's ranges.
  std::vector<Picture> reference() {
    for (auto& [name, observed] : runner_->backend().layers()) {
      const std::optional<float> scale = layer(name).input_scale;
      observed.limit.reset();
      if (scale) observed.limit = *scale * kE4M3Max;
    }
    return draw(*runner_, o_.holdout, 0, settings_.gate_steps, QuantizeStage::kReference);
  }

  const QuantizeOptions& o_;
  const QuantizeHooks& hooks_;
  const MakeBackend& make_backend_;
  const ModelFolder folder_;
  const std::string variant_;
  const SourceWeights source_;
  ThreadPool pool_;
  std::optional<ModelRunner> runner_;
  RunSettings settings_;
  QuantizeReport report_;
};

}  // namespace

QuantizeReport run_quantization(const QuantizeOptions& options, const QuantizeHooks& hooks,
                                const MakeBackend& make_backend) {
  validate(options);
  return Session(options, hooks, make_backend).run();
}

}  // namespace octet
