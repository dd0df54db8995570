#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include "base/stopwatch.h"
#include "doctor/doctor.h"
#include "image/image.h"
#include "octet/batch.h"
#include "octet/error.h"
#include "serve/runner.h"

namespace octet::serve {
namespace {

using Clock = std::chrono::steady_clock;

// A preview makes the device wait for a step.
constexpr std::chrono::milliseconds kPreviewInterval{500};

struct LoadedEngine {
  std::string name;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Batch> batch;  // goes before its engine
};

std::unique_ptr<Engine> load(const EngineOptions& options) {
  doctor::require_fit({.engine = options});
  try {
    return std::make_unique<Engine>(options);
  } catch (const Error& error) {
    throw doctor::named(error, options);
  }
}

class BatchRunner final : public Runner {
 public:
  explicit BatchRunner(const RunnerOptions& options) : slots_(options.batch) {
    for (const ServedModel& model : options.models) {
      LoadedEngine loaded{model.name, load(model.options), nullptr};
      loaded.batch = loaded.engine->start_batch({.max_pictures = options.batch});
      for (const std::string& warning : loaded.engine->model().warnings) {
        std::fprintf(stderr, "octet: warning: %s: %s\n", model.name.c_str(), warning.c_str());
      }
      engines_.push_back(std::move(loaded));
    }
  }

  [[nodiscard]] std::vector<ModelCard> cards() const override {
    std::vector<ModelCard> cards;
    for (const LoadedEngine& e : engines_) cards.push_back(card_of(e.name, e.engine->model()));
    return cards;
  }
  [[nodiscard]] int slots() const override { return slots_; }
  [[nodiscard]] int under_way() const override { return static_cast<int>(running_.size()); }

  void start(JobMessage job, Report& report) override {
    const JobId id = job.id;
    Batch* batch = batch_of(job.model);
    try {
      if (!batch) {
        throw Error(Code::kInvalidArgument,
                    "model: expected one that is served, found '" + job.model + "'");
      }
      GenerateRequest request = job.request;
      const Batch::Id member = batch->join(std::move(request), hooks_of(id, report));
      running_[id] = {.job = std::move(job), .batch = batch, .member = member};
    } catch (const Error& error) {
      if (error.code() == Code::kDevice) throw;
      report.failed({id, error.code(), said(job.model, error), error.code() == Code::kOutOfMemory});
    } catch (const std::bad_alloc&) {
      report.failed({id, Code::kOutOfMemory, "not enough memory for this picture"});
    }
  }

  void step(Report& report) override {
    for (const auto& [id, member] : running_) {
      if (report.cancelled(id)) member.batch->cancel(member.member);
    }
    for (LoadedEngine& e : engines_) {
      if (e.batch->idle()) continue;
      denoised_.clear();
      const Stopwatch watch;
      e.batch->step();
      report_step(e, watch.seconds(), report);
    }
  }

 private:
  struct Member {
    JobMessage job;
    Batch* batch = nullptr;
    Batch::Id member = 0;
    Clock::time_point last_preview{};
  };

  /// What a request had of the present step.
  struct Denoised {
    int steps = 0, pictures = 0, width = 0, height = 0;
  };

  void note_step(JobId id, const Progress& progress) {
    if (progress.stage != Stage::kDenoise) return;
    const GenerateRequest& request = running_.at(id).job.request;
    Denoised& of = denoised_[id];
    of = {of.steps + 1, request.batch, request.width.value_or(0), request.height.value_or(0)};
  }

  /// A device may report several steps at once: their mean.
  void report_step(const LoadedEngine& e, double seconds, Report& report) const {
    const BatchLoad load = e.batch->load();
    StepMessage message{.model = e.name,
                        .activation_bytes = load.activation_bytes,
                        .prompt_bytes = load.prompt_bytes,
                        .prompt_hits = load.prompt_hits,
                        .prompt_misses = load.prompt_misses};
    int steps = 1;
    for (const auto& [id, of] : denoised_) {
      steps = std::max(steps, of.steps);
      message.pictures += of.pictures;
      message.width = of.width != 0 ? of.width : e.engine->model().defaults.width;
      message.height = of.height != 0 ? of.height : e.engine->model().defaults.height;
    }
    message.seconds = seconds / steps;
    report.stepped(message);
  }

  Batch* batch_of(const std::string& model) {
    for (LoadedEngine& e : engines_) {
      if (e.name == model) return e.batch.get();
    }
    return nullptr;
  }

  /// With the id of doctor's check where memory ran out.
  [[nodiscard]] std::string said(const std::string& model, const Error& error) const {
    for (const LoadedEngine& e : engines_) {
      if (e.name == model) return doctor::named_memory(error, e.engine->model().device).what();
    }
    return error.what();
  }

  BatchHooks hooks_of(JobId id, Report& report) {
    BatchHooks hooks;
    hooks.progress = [this, id, &report](const Progress& p) {
      report.progress({id, p.stage, p.step, p.steps});
      note_step(id, p);
      ask_preview(running_.at(id));
      return !report.cancelled(id);
    };
    hooks.preview = [id, &report](const Preview& preview) { send_preview(id, preview, report); };
    hooks.done = [this, id, &report](GenerateResult result) {
      const Member member = std::move(running_.extract(id).mapped());
      report.drawn(member.job, std::move(result));
    };
    hooks.failed = [this, id, &report](const Error& error) {
      const Member member = std::move(running_.extract(id).mapped());
      report.failed({id, error.code(), said(member.job.model, error)});
    };
    return hooks;
  }

  static void ask_preview(Member& member) {
    if (!member.job.previews || Clock::now() - member.last_preview < kPreviewInterval) return;
    member.last_preview = Clock::now();
    member.batch->ask_preview(member.member);
  }

  static void send_preview(JobId id, const Preview& preview, Report& report) {
    if (preview.pictures.empty()) return;
    const Picture& picture = preview.pictures.front();
    const Image image{.width = picture.width, .height = picture.height, .rgb = picture.rgb};
    report.preview({.id = id,
                    .step = preview.step,
                    .steps = preview.steps,
                    .bytes = encode(image, ImageFormat::kPng, {.threads = 1})});
  }

  const int slots_;
  std::vector<LoadedEngine> engines_;
  std::map<JobId, Member> running_;
  std::map<JobId, Denoised> denoised_;  // in the present step
};

}  // namespace

ModelCard card_of(const std::string& name, const ModelInfo& info) {
  ModelCard card{.name = name,
                 .digest = info.digest,
                 .variant = info.variant,
                 .device = info.device,
                 .width = info.defaults.width,
                 .height = info.defaults.height,
                 .side_multiple = info.side_multiple,
                 .longest_side = info.longest_side,
                 .steps = info.defaults.steps,
                 .guidance = info.defaults.guidance,
                 .sampler = info.defaults.sampler,
                 .schedule = info.defaults.schedule,
                 .load_seconds = info.load_seconds};
  for (const ComponentInfo& part : info.components) {
    card.weight_bytes += part.bytes;
    if (part.name == "transformer") card.compute = part.compute;
  }
  return card;
}

std::unique_ptr<Runner> make_batch_runner(const RunnerOptions& options) {
  return std::make_unique<BatchRunner>(options);
}

}  // namespace octet::serve
