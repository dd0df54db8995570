#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "octet/error.h"
#include "serve/runner.h"

namespace octet::serve {
namespace {

struct LoadedEngine {
  std::string name;
  std::unique_ptr<Engine> engine;
};

class WholeJobRunner final : public Runner {
 public:
  explicit WholeJobRunner(const std::vector<ServedModel>& models) {
    for (const ServedModel& model : models) {
      engines_.push_back({model.name, std::make_unique<Engine>(model.options)});
    }
  }

  [[nodiscard]] std::vector<ModelCard> cards() const override {
    std::vector<ModelCard> cards;
    for (const auto& [name, engine] : engines_) cards.push_back(card_of(name, engine->model()));
    return cards;
  }
  [[nodiscard]] int slots() const override { return 1; }
  [[nodiscard]] int under_way() const override { return job_ ? 1 : 0; }
  void start(JobMessage job) override { job_ = std::move(job); }

  void step(Report& report) override {
    if (!job_) return;
    const JobMessage job = std::move(*std::exchange(job_, std::nullopt));
    try {
      report.drawn(job, draw(job, report));
    } catch (const Error& error) {
      if (error.code() == Code::kDevice) throw;
      report.failed({job.id, error.code(), error.what()});
    } catch (const std::bad_alloc&) {
      report.failed({job.id, Code::kOutOfMemory, "not enough memory for this picture"});
    }
  }

 private:
  GenerateResult draw(const JobMessage& job, Report& report) {
    for (const auto& [name, engine] : engines_) {
      if (name != job.model) continue;
      if (report.cancelled(job.id)) throw Error(Code::kCancelled, "cancelled");
      GenerateHooks hooks;
      hooks.progress = [&](const Progress& progress) {
        report.progress({job.id, progress.stage, progress.step, progress.steps});
        return !report.cancelled(job.id);
      };
      return engine->generate(job.request, hooks);
    }
    throw Error(Code::kInvalidArgument,
                "model: expected one that is served, found '" + job.model + "'");
  }

  std::vector<LoadedEngine> engines_;
  std::optional<JobMessage> job_;
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

std::unique_ptr<Runner> make_whole_job_runner(const std::vector<ServedModel>& models) {
  return std::make_unique<WholeJobRunner>(models);
}

}  // namespace octet::serve
