// What draws inside the worker: takes jobs, works on them a bit at a time, reports.
//
// The worker's loop hands jobs over while there is room and calls step() as long as any is under
// way. Thread-safety: one thread.
// Errors: step() throws Error(kDevice) when the device is beyond use: the worker then ends and is
// started again. Everything else that goes wrong with a job is reported as that job's failure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "octet/engine.h"
#include "serve/messages.h"

namespace octet::serve {

/// Where a runner's news go. All functions may be called from the runner's thread only.
class Report {
 public:
  Report() = default;
  virtual ~Report() = default;
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  /// Whether the front no longer wants the job: it is then to fail with kCancelled.
  [[nodiscard]] virtual bool cancelled(JobId id) const = 0;
  virtual void progress(const ProgressMessage& message) = 0;
  virtual void preview(const PreviewMessage& message) = 0;
  virtual void failed(const FailedMessage& message) = 0;
  virtual void stepped(const StepMessage& message) = 0;
  /// The job is drawn; its pictures are encoded and sent while the next job begins.
  virtual void drawn(const JobMessage& job, GenerateResult result) = 0;
};

class Runner {
 public:
  Runner() = default;
  virtual ~Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  [[nodiscard]] virtual std::vector<ModelCard> cards() const = 0;
  [[nodiscard]] virtual int slots() const = 0;
  /// Jobs that were started and not yet reported as drawn or failed.
  [[nodiscard]] virtual int under_way() const = 0;
  virtual void start(JobMessage job, Report& report) = 0;
  virtual void step(Report& report) = 0;
};

/// A model of the server: the name that requests use, and how it is loaded.
struct ServedModel {
  std::string name;
  EngineOptions options;
};

struct RunnerOptions {
  std::vector<ServedModel> models;
  int batch = 8;  // pictures that are denoised together
};

/// All jobs of a model in one running batch (octet/batch.h): they join and leave between steps.
/// Loads the models; throws what loading throws.
[[nodiscard]] std::unique_ptr<Runner> make_batch_runner(const RunnerOptions& options);

[[nodiscard]] ModelCard card_of(const std::string& name, const ModelInfo& info);

}  // namespace octet::serve
