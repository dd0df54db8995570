#include "pipeline/running_batch.h"

#include <algorithm>
#include <functional>
#include <new>
#include <utility>

#include "backend/null/null_backend.h"
#include "base/format.h"

namespace octet {

namespace {

std::size_t default_prompt_cache(const Models& models) {
  constexpr std::size_t kPrompts = 64, kMost = std::size_t{256} << 20, kClipRows = 77;
  const std::size_t rows = kClipRows + static_cast<std::size_t>(models.defaults.t5_length);
  const std::size_t columns = static_cast<std::size_t>(models.mmdit.config().text_width);
  return std::min(kMost, kPrompts * rows * columns * sizeof(float));
}

// Of the network, at a step that skips layers if it has one.
int rows_of(const Track& track) {
  if (track.uncond == nullptr) return 1;
  return track.guidance->uses_skipped() ? 3 : 2;
}

}  // namespace

RunningBatch::RunningBatch(Backend& backend, const Models& models, DType stream,
                           const BatchOptions& options)
    : backend_(backend),
      models_(models),
      stream_(stream),
      null_(make_null_backend({.stream = stream})),
      options_(options),
      at_once_(static_cast<std::size_t>(std::max(1, backend.pictures_at_once()))),
      cache_(options.prompt_cache.value_or(default_prompt_cache(models))),
      denoiser_(models.mmdit) {
  if (options_.max_pictures >= 1) return;
  throw Error(Code::kInvalidArgument,
              format("max pictures: expected at least 1, found %d", options_.max_pictures));
}

RunningBatch::Job::Job(Id number, PreparedRequest request, BatchHooks its_hooks,
                       const Models& models, Backend& null)
    : id(number),
      prepared(std::move(request)),
      hooks(std::move(its_hooks)),
      planned(prepared, models, null, Arena(null.allocate(kNullArenaBytes))) {
  result.used = prepared.settings;
  result.warnings = prepared.warnings;
}

RunningBatch::Shape RunningBatch::Job::shape() const {
  return {.width = prepared.settings.width,
          .height = prepared.settings.height,
          .text_rows = text_rows(prepared.tokens.front())};
}

// ---- from outside --------------------------------------------------------------------------

Batch::Id RunningBatch::join(GenerateRequest request, BatchHooks hooks) {
  std::list<Job> one;
  one.emplace_back(last_id_ + 1, prepare_request(models_, std::move(request)), std::move(hooks),
                   models_, *null_);
  Job& job = one.front();
  job.scratch = plan([&](Backend& null) { return plan_alone(models_, null, job.planned); });
  const std::size_t alone = job.planned.memory() + job.scratch.arena + job.scratch.ops.total();
  std::size_t limit = backend_.info().memory;
  if (limit != 0) limit += held() + spare_bytes();
  if (options_.max_memory != 0) limit = options_.max_memory;
  if (limit != 0 && alone > limit) {
    throw Error(Code::kOutOfMemory,
                format("memory: this request needs %zu MiB of activations, there are %zu MiB",
                       alone >> 20, limit >> 20));
  }
  jobs_.splice(jobs_.end(), one);
  return ++last_id_;
}

bool RunningBatch::step() {
  end_cancelled();
  denoise();
  admit();
  begin_some();
  decode();
  end_cancelled();  // whose hooks said so in this step
  std::erase_if(jobs_, [](const Job& job) { return job.state == State::kEnded; });
  return !idle();
}

void RunningBatch::cancel(Id id) {
  for (Job& job : jobs_) {
    if (job.id == id) job.cancelled = true;
  }
}

void RunningBatch::ask_preview(Id id) {
  for (Job& job : jobs_) {
    if (job.id == id) job.preview_asked = static_cast<bool>(job.hooks.preview);
  }
}

BatchLoad RunningBatch::load() const {
  return {.waiting = count(State::kWaiting),
          .running = count(State::kText) + count(State::kDenoise),
          .decoding = count(State::kDecode),
          .activation_bytes = held(),
          .prompt_bytes = cache_.bytes(),
          .prompt_hits = cache_.hits(),
          .prompt_misses = cache_.misses()};
}

int RunningBatch::count(State state) const {
  int pictures = 0;
  for (const Job& job : jobs_) pictures += job.state == state ? job.pictures() : 0;
  return pictures;
}

// ---- turns ---------------------------------------------------------------------------------

void RunningBatch::admit() {
  std::vector<Job*> passed;
  for (Job& job : jobs_) {
    if (job.state != State::kWaiting) continue;
    if (may_start(job)) {
      for (Job* other : passed) other->passed += job.pictures();
      guarded(job, [&] { start(job); });
      continue;
    }
    if (job.passed >= options_.max_pictures) return;
    passed.push_back(&job);
  }
}

bool RunningBatch::may_start(const Job& job) const {
  if (std::ranges::none_of(jobs_, &Job::in_flight)) return true;
  const auto differs = [&](const Job& other) {
    return other.denoising() && other.shape() != job.shape();
  };
  if (std::ranges::any_of(jobs_, differs)) return false;
  const int running = count(State::kText) + count(State::kDenoise);
  if (running > 0 && running + job.pictures() > options_.max_pictures) return false;
  // Pictures that wait for their decoding hold memory, and steps can be quicker than decoding.
  if (count(State::kDecode) >= options_.max_pictures) return false;
  return has_room(job, 1, scratch_for(job, 1));
}

void RunningBatch::start(Job& job) {
  reserve_scratch(job);
  job.run.emplace(job.prepared, models_, backend_, Arena(allocate_keep(job.planned.memory())));
  job.state = State::kText;
}

// ---- memory --------------------------------------------------------------------------------

RunningBatch::Scratch RunningBatch::plan(
    const std::function<std::size_t(Backend& null)>& run) const {
  DeviceScratch ops;
  const auto null = make_null_backend({.stream = stream_, .scratch = &ops});
  const std::size_t arena = run(*null);
  return {.arena = arena, .ops = backend_.info().kind == "cuda" ? ops : DeviceScratch{}};
}

// Scratch with everyone in flight and so many requests like this one.
RunningBatch::Scratch RunningBatch::scratch_for(const Job& job, int copies) const {
  Scratch most = job.scratch;
  const auto grow = [&](const Scratch& scratch) {
    most.arena = std::max(most.arena, scratch.arena);
    most.ops.include(scratch.ops);
  };
  std::vector<Track> tracks;
  const auto add = [&](const Job& one) {
    const std::span<const Track> own = one.planned.tracks();
    tracks.insert(tracks.end(), own.begin(), own.end());
  };
  for (int i = 0; i < copies; ++i) add(job);
  for (const Job& other : jobs_) {
    if (!other.in_flight()) continue;
    grow(other.scratch);
    if (other.denoising()) add(other);
  }
  // All are alike in shape: as many as are computed together, and of those the ones with most rows.
  std::ranges::stable_sort(tracks, std::ranges::greater(), rows_of);
  if (tracks.size() > at_once_)
    tracks.erase(tracks.begin() + std::ptrdiff_t(at_once_), tracks.end());
  grow(plan([&](Backend& null) { return plan_step(models_, null, std::move(tracks)); }));
  return most;
}

std::size_t RunningBatch::held() const {
  std::size_t bytes = (scratch_ ? scratch_->capacity() : 0) + ops_scratch_.total();
  for (const Job& job : jobs_) bytes += job.in_flight() ? job.planned.memory() : 0;
  return bytes;
}

bool RunningBatch::has_room(const Job& job, int copies, const Scratch& scratch) const {
  const auto beyond = [](std::size_t need, std::size_t have) {
    return need > have ? need - have : 0;
  };
  DeviceScratch both = ops_scratch_;
  both.include(scratch.ops);
  const std::size_t more = job.planned.memory() * static_cast<std::size_t>(copies) +
                           beyond(scratch.arena, scratch_ ? scratch_->capacity() : 0) +
                           beyond(both.total(), ops_scratch_.total());
  if (options_.max_memory != 0 && held() + more > options_.max_memory) return false;
  const std::size_t free = backend_.info().memory;
  return free == 0 || more <= free + spare_bytes();
}

std::size_t RunningBatch::spare_bytes() const {
  std::size_t bytes = 0;
  for (const Buffer& spare : spares_) bytes += spare.size();
  return bytes;
}

Buffer RunningBatch::allocate_keep(std::size_t bytes) {
  for (Buffer& spare : spares_) {
    if (spare.size() < bytes || spare.size() / 2 > bytes) continue;
    std::swap(spare, spares_.back());
    Buffer found = std::move(spares_.back());
    spares_.pop_back();
    return found;
  }
  spares_.clear();  // of other sizes
  return backend_.allocate(bytes);
}

// When scratch has to grow it does so for as many pictures as may come, if there is room for them.
void RunningBatch::reserve_scratch(const Job& job) {
  Scratch scratch = scratch_for(job, 1);
  if (!has_room(job, 1, scratch)) {
    throw Error(Code::kOutOfMemory, "memory: not as much is free as when this request was planned");
  }
  const std::size_t before = scratch_ ? scratch_->capacity() : 0;
  if (scratch.arena > before) {
    const int running = count(State::kText) + count(State::kDenoise);
    for (int copies = (options_.max_pictures - running) / job.pictures(); copies > 1; --copies) {
      const Scratch more = scratch_for(job, copies);
      if (!has_room(job, copies, more)) continue;
      scratch = more;
      break;
    }
    scratch_.reset();
    spares_.clear();
    try {
      scratch_.emplace(backend_.allocate(scratch.arena));
    } catch (const Error&) {
      if (before != 0) scratch_.emplace(backend_.allocate(before));
      throw;
    }
  }
  scratch.ops.include(ops_scratch_);
  backend_.reserve(scratch.ops);
  ops_scratch_ = scratch.ops;
}

// There is none when it could neither grow nor be had again as it was.
Ctx RunningBatch::context() {
  if (scratch_) return {backend_, *scratch_};
  throw Error(Code::kOutOfMemory, "memory: what the batch had is no longer there");
}

// ---- stages --------------------------------------------------------------------------------

// Those whose texts go through the encoders together begin in the same step.
void RunningBatch::begin_some() {
  std::vector<Job*> jobs;
  std::vector<const PreparedRequest*> requests;
  for (Job& job : jobs_) {
    if (job.state != State::kText) continue;
    jobs.push_back(&job);
    requests.push_back(&job.prepared);
  }
  while (jobs.size() > 1 && !texts_fit(requests)) jobs.pop_back(), requests.pop_back();
  if (jobs.size() > 1) {
    try {
      encode_ahead(context(), models_, missing_prompts(requests, cache_), &cache_);
    } catch (const Error& error) {  // whose trouble it is comes out when each begins
      if (error.code() == Code::kDevice) throw;
    } catch (const std::bad_alloc&) {
    }
  }
  for (Job* job : jobs) begin(*job);
}

// Whether the texts of all of these fit into the scratch that is there, and their values into the
// cache that hands them over.
bool RunningBatch::texts_fit(std::span<const PreparedRequest* const> requests) {
  std::size_t values = 0;
  for (const PreparedRequest* request : requests) {
    for (const PromptTokens& tokens : request->tokens) {
      values += static_cast<std::size_t>(text_rows(tokens) + 1) * sizeof(float) *
                static_cast<std::size_t>(models_.mmdit.config().text_width);
    }
  }
  if (!scratch_ || values > cache_.capacity()) return false;
  Scratch texts = plan([&](Backend& null) {
    Arena arena(null.allocate(kNullArenaBytes));
    encode_ahead({null, arena}, models_, missing_prompts(requests, cache_), nullptr);
    return arena.peak();
  });
  texts.ops.include(ops_scratch_);
  return texts.arena <= scratch_->capacity() && texts.ops.total() <= ops_scratch_.total();
}

void RunningBatch::begin(Job& starting) {
  Job* job = &starting;
  guarded(*job, [&] {
    if (job->cancelled) return;
    const Ctx ctx = context();
    backend_.synchronize();  // or these stages would seem to take what the device does before them
    if (job->prepared.request.init) {
      const Stopwatch init;
      job->run->encode_init(ctx);
      job->result.seconds.init = init.seconds();
      report(*job, {.stage = Stage::kInit, .step = 1, .steps = 1, .seconds = init.seconds()});
      if (job->cancelled) return;
    }
    const Stopwatch text;
    job->run->encode(ctx, &cache_);
    job->result.seconds.text = text.seconds();
    report(*job, {.stage = Stage::kText, .step = 1, .steps = 1, .seconds = text.seconds()});
    if (job->cancelled) return;
    const Stopwatch modulation;
    job->run->modulate(ctx);
    job->run->begin(ctx);
    backend_.synchronize();
    job->result.seconds.modulation = modulation.seconds();
    report(*job,
           {.stage = Stage::kModulation, .step = 1, .steps = 1, .seconds = modulation.seconds()});
    job->state = State::kDenoise;
    job->stage = {};
  });
}

void RunningBatch::denoise() {
  Unit unit;
  std::vector<Track*> tracks;
  for (Job& job : jobs_) {
    if (job.state != State::kDenoise) continue;
    const std::span<Track> own = job.run->tracks();
    if (own.front().row.done()) continue;  // its last step is on its way
    const bool preview = job.preview_asked && !job.preview_due;
    job.run->want_estimates(preview);
    unit.push_back({&job, own.front().row.step() + 1, preview});
    for (Track& track : own) tracks.push_back(&track);
  }
  std::size_t running = 0;
  if (unit.empty()) {
    if (!units_.empty()) backend_.synchronize();
  } else {
    try {
      for (std::span<Track* const> rest = tracks; !rest.empty();) {
        const std::size_t count = std::min(rest.size(), at_once_);
        denoiser_.step(context(), rest.first(count));
        rest = rest.subspan(count);
      }
    } catch (const Error& error) {  // nobody knows how far each of them came
      if (error.code() == Code::kDevice) throw;
      for (const Handed& handed : unit) fail(*handed.job, error);
      return;
    }
    for (const Handed& handed : unit) {
      if (!handed.preview) continue;
      handed.job->preview_asked = false;
      handed.job->preview_due = true;
    }
    units_.push_back(std::move(unit));
    running = static_cast<std::size_t>(backend_.finish_unit());
  }
  report_units(running);
}

// Steps are reported when the device has finished them, not when they were handed to it.
void RunningBatch::report_units(std::size_t running) {
  while (units_.size() > running) {
    const Unit unit = std::move(units_.front());
    units_.pop_front();
    for (const Handed& handed : unit) {
      Job& job = *handed.job;
      if (job.cancelled || !job.in_flight()) continue;
      guarded(job, [&] {
        report_step(job, handed.step);
        if (handed.preview && !job.cancelled) show_preview(job, handed.step);
      });
    }
  }
}

void RunningBatch::report_step(Job& job, int step) {
  const int steps = job.prepared.row.steps();
  const double seconds = job.stage.seconds();
  if (step == steps) {
    job.result.seconds.denoise = seconds;
    job.state = State::kDecode;
  }
  report(job, {.stage = Stage::kDenoise, .step = step, .steps = steps, .seconds = seconds});
}

void RunningBatch::show_preview(Job& job, int step) {
  job.preview_due = false;
  if (!projection_) projection_.emplace(backend_, *null_, models_.vae);
  job.hooks.preview({.step = step,
                     .steps = job.prepared.row.steps(),
                     .pictures = job.run->previews(context(), *projection_)});
}

// One picture of each: requests that began together end together, and whoever asks for the next
// picture begins together again.
void RunningBatch::decode() {
  for (Job& job : jobs_) {
    if (job.state == State::kDecode && !job.cancelled) decode_one(job);
  }
}

void RunningBatch::decode_one(Job& job) {
  guarded(job, [&] {
    const Ctx ctx = context();
    backend_.synchronize();  // see begin
    const Stopwatch decode;
    std::vector<Picture>& pictures = job.result.pictures;
    if (pictures.empty()) job.run->check(ctx);
    pictures.push_back(job.run->decode(ctx, pictures.size()));
    double& seconds = job.result.seconds.decode;
    seconds += decode.seconds();
    if (static_cast<int>(pictures.size()) < job.pictures()) return;
    report(job, {.stage = Stage::kDecode, .step = 1, .steps = 1, .seconds = seconds});
    if (job.cancelled) return;
    job.result.activation_peak_bytes = job.run->memory() + scratch_->peak();
    for (std::string& remark : backend_.take_remarks()) {
      job.result.warnings.push_back(std::move(remark));
    }
    GenerateResult result = std::move(job.result);
    end(job);
    if (job.hooks.done) job.hooks.done(std::move(result));
  });
}

// ---- ends ----------------------------------------------------------------------------------

void RunningBatch::report(Job& job, const Progress& progress) {
  if (job.hooks.progress && !job.hooks.progress(progress)) job.cancelled = true;
}

// What goes wrong with one request ends that request alone.
void RunningBatch::guarded(Job& job, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() == Code::kDevice) throw;
    fail(job, error);
  } catch (const std::bad_alloc&) {
    fail(job, Error(Code::kOutOfMemory, "host memory: an allocation failed"));
  }
}

void RunningBatch::end(Job& job) {
  job.state = State::kEnded;
  for (Unit& unit : units_) {
    std::erase_if(unit, [&](const Handed& handed) { return handed.job == &job; });
  }
  if (!job.run) return;
  spares_.push_back(job.run->release());
  job.run.reset();
  if (spares_.size() > static_cast<std::size_t>(options_.max_pictures)) {
    spares_.erase(spares_.begin());
  }
}

void RunningBatch::fail(Job& job, const Error& error) {
  if (job.state == State::kEnded) return;
  end(job);
  if (job.hooks.failed) job.hooks.failed(error);
}

void RunningBatch::end_cancelled() {
  for (Job& job : jobs_) {
    if (job.cancelled) fail(job, Error(Code::kCancelled, "interrupted"));
  }
}

}  // namespace octet
