// The Batch of octet/batch.h: who is in flight, who waits, and what a step does.
//
// A request goes waiting -> text -> denoise -> decode -> its end. Requests at text and denoise
// share one shape; those being decoded do not mind.
//
// Order of a step: the device gets the denoising step first, so that it is at work while the host
// prepares everything else.
//
// Memory: every request in flight has an arena of its own (request_run.h); scratch is one arena,
// large enough for the most pictures that fit, so that it lies still while requests come and go and
// the backend can repeat recordings.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backend/device_scratch.h"
#include "base/stopwatch.h"
#include "octet/batch.h"
#include "pipeline/request_run.h"

namespace octet {

class RunningBatch final : public Batch {
 public:
  /// `stream` is the backend's stream dtype for the denoiser. Backend and models stay the caller's.
  RunningBatch(Backend& backend, const Models& models, DType stream, const BatchOptions& options);

  Id join(GenerateRequest request, BatchHooks hooks) override;
  bool step() override;
  void cancel(Id id) override;
  void ask_preview(Id id) override;
  [[nodiscard]] bool idle() const override { return jobs_.empty(); }
  [[nodiscard]] BatchLoad load() const override;

 private:
  enum class State : std::uint8_t { kWaiting, kText, kDenoise, kDecode, kEnded };

  /// What pictures of one batch have in common.
  struct Shape {
    int width = 0, height = 0;
    std::int64_t text_rows = 0;
    bool operator==(const Shape&) const = default;
  };

  /// Memory while something is computed: bytes of the arena, and what a device's ops keep besides.
  struct Scratch {
    std::size_t arena = 0;
    DeviceScratch ops;
  };

  struct Job {
    Job(Id number, PreparedRequest request, BatchHooks its_hooks, const Models& models,
        Backend& null);

    Id id;
    PreparedRequest prepared;
    BatchHooks hooks;
    RequestRun planned;  // the same without memory
    Scratch scratch;     // when it is alone
    State state = State::kWaiting;
    std::optional<RequestRun> run;  // while it is in flight
    GenerateResult result;
    Stopwatch stage;  // since the present stage began
    int passed = 0;   // pictures that went before it
    bool cancelled = false;
    bool preview_asked = false;
    bool preview_due = false;  // of a step that the device has

    [[nodiscard]] int pictures() const { return prepared.request.batch; }
    [[nodiscard]] Shape shape() const;
    [[nodiscard]] bool in_flight() const { return run.has_value(); }
    [[nodiscard]] bool denoising() const {
      return state == State::kText || state == State::kDenoise;
    }
  };

  /// What was handed to the device of one request: the how-manieth step, from 1.
  struct Handed {
    Job* job;
    int step;
    bool preview;
  };
  using Unit = std::vector<Handed>;

  /// Pictures of jobs in this state.
  [[nodiscard]] int count(State state) const;

  void admit();
  [[nodiscard]] bool may_start(const Job& job) const;
  void start(Job& job);
  void begin_some();
  [[nodiscard]] bool texts_fit(std::span<const PreparedRequest* const> requests);
  void begin(Job& starting);
  void denoise();
  void report_units(std::size_t running);
  void report_step(Job& job, int step);
  void show_preview(Job& job, int step);
  void decode();
  void decode_one(Job& job);

  void report(Job& job, const Progress& progress);
  void guarded(Job& job, const std::function<void()>& work);
  void end(Job& job);
  void fail(Job& job, const Error& error);
  void end_cancelled();

  [[nodiscard]] Scratch plan(const std::function<std::size_t(Backend& null)>& run) const;
  [[nodiscard]] Scratch scratch_for(const Job& job, int copies) const;
  [[nodiscard]] bool has_room(const Job& job, int copies, const Scratch& scratch) const;
  void reserve_scratch(const Job& job);
  [[nodiscard]] Buffer allocate_keep(std::size_t bytes);
  [[nodiscard]] std::size_t spare_bytes() const;
  [[nodiscard]] Ctx context();
  [[nodiscard]] std::size_t held() const;

  Backend& backend_;
  const Models& models_;
  DType stream_;
  std::unique_ptr<Backend> null_;
  BatchOptions options_;
  std::size_t at_once_;  // tracks in one call of the network
  PromptCache cache_;
  Denoiser denoiser_;
  std::optional<PreviewProjection> projection_;  // since the first preview
  std::optional<Arena> scratch_;
  DeviceScratch ops_scratch_;   // reserved so far; the backend never gives it back
  std::vector<Buffer> spares_;  // of requests that are over: allocating makes a device wait
  std::list<Job> jobs_;         // in order of their arrival
  std::deque<Unit> units_;      // not reported yet
  Id last_id_ = 0;
};

}  // namespace octet
