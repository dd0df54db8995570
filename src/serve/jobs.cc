#include "serve/jobs.h"

#include <sys/random.h>

#include <algorithm>
#include <ctime>

#include "base/format.h"
#include "base/sha256.h"

namespace octet::serve {
namespace {

constexpr double kUnknownWait = 5;  // seconds, before anything was drawn

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/// A name that nobody guesses: 128 random bits.
std::string fresh_token() {
  std::array<std::uint64_t, 2> bits{};
  if (::getrandom(bits.data(), sizeof(bits), 0) != sizeof(bits)) {
    throw Error(Code::kDevice, "job: the kernel gave no random numbers");
  }
  return format("job_%016llx%016llx", static_cast<unsigned long long>(bits[0]),
                static_cast<unsigned long long>(bits[1]));
}

std::size_t bytes_of(const JobView& view) {
  std::size_t bytes = 0;
  for (const JobPicture& picture : view.pictures)
    bytes += picture.bytes ? picture.bytes->size() : 0;
  return bytes;
}

}  // namespace

const char* name_of(JobState state) {
  switch (state) {
    case JobState::kQueued:
      return "queued";
    case JobState::kRunning:
      return "running";
    case JobState::kDone:
      return "done";
    case JobState::kFailed:
      return "failed";
    case JobState::kCancelled:
      return "cancelled";
  }
  return "";
}

const char* name_of(CancelCause cause) {
  switch (cause) {
    case CancelCause::kClient:
      return "client";
    case CancelCause::kDisconnect:
      return "disconnect";
    case CancelCause::kDeadline:
      return "deadline";
    case CancelCause::kDrain:
      return "drain";
  }
  return "";
}

void Jobs::on_work(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

void Jobs::on_accept(std::function<void(const JobSpec&, const std::string&)> listener) {
  const std::lock_guard lock(mutex_);
  on_accept_ = std::move(listener);
}

void Jobs::on_step(std::function<void(const StepMessage&)> listener) {
  const std::lock_guard lock(mutex_);
  on_step_ = std::move(listener);
}

void Jobs::receive(const StepMessage& message) {
  std::function<void(const StepMessage&)> listener;
  {
    const std::lock_guard lock(mutex_);
    listener = on_step_;
  }
  if (listener) listener(message);
}

void Jobs::on_end(JobListener listener) {
  const std::lock_guard lock(mutex_);
  on_end_ = std::move(listener);
}

Submission Jobs::submit(JobSpec spec, JobListener listener) {
  Notes notes;
  Submission result;
  {
    const std::lock_guard lock(mutex_);
    const double work = work_of(spec.request, card_of(spec.model));
    const auto wait = pace_.seconds_for(all_work(spec.priority));
    result.wait = wait.value_or(running_.empty() && queued_count() == 0 ? 0 : kUnknownWait);
    if (draining_) return {.verdict = Verdict::kDraining, .wait = result.wait};
    if (queued_count() >= limits_.queued) return {.verdict = Verdict::kFull, .wait = result.wait};
    if (spec.deadline && wait && *wait + *pace_.seconds_for(work) > *spec.deadline) {
      return {.verdict = Verdict::kTooLate, .wait = result.wait};
    }
    result.id = next_id_++;
    result.token = fresh_token();
    if (on_accept_) on_accept_(spec, result.token);
    Job& job = jobs_[result.id];
    job.view = {.id = result.id,
                .token = result.token,
                .model = spec.model,
                .owner = spec.owner,
                .route = spec.route,
                .traceparent = spec.traceparent,
                .format = spec.file.format,
                .priority = spec.priority,
                .created = std::time(nullptr)};
    job.spec = std::move(spec);
    job.work = work;
    job.accepted = Clock::now();
    if (listener) job.listeners[next_watcher_++] = std::move(listener);
    tokens_[result.token] = result.id;
    queues_[static_cast<std::size_t>(job.spec.priority)].push_back(result.id);
    changed(job, notes);
  }
  say(notes);
  if (wake_) wake_();
  return result;
}

std::optional<JobView> Jobs::find(const std::string& token) const {
  const std::lock_guard lock(mutex_);
  const auto place = tokens_.find(token);
  if (place == tokens_.end()) return std::nullopt;
  return view_of(jobs_.at(place->second));
}

std::optional<JobView> Jobs::with_picture(const std::string& digest,
                                          const std::optional<std::string>& owner) const {
  const std::lock_guard lock(mutex_);
  for (const JobId id : over_) {
    const Job& job = jobs_.at(id);
    if (owner && job.spec.owner != *owner) continue;
    for (const JobPicture& picture : job.view.pictures) {
      if (picture.digest == digest) return view_of(job);
    }
  }
  return std::nullopt;
}

std::vector<JobView> Jobs::of_owner(const std::string& owner) const {
  const std::lock_guard lock(mutex_);
  std::vector<JobView> views;
  for (const auto& [id, job] : jobs_) {
    if (job.spec.owner == owner && !is_over(job.view.state)) views.push_back(view_of(job));
  }
  return views;
}

std::uint64_t Jobs::watch(const std::string& token, JobListener listener) {
  std::uint64_t watcher = 0;
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    const auto place = tokens_.find(token);
    if (place == tokens_.end()) return 0;
    Job& job = jobs_.at(place->second);
    watcher = next_watcher_++;
    notes.push_back({view_of(job), {listener}});
    if (!is_over(job.view.state)) job.listeners[watcher] = std::move(listener);
  }
  say(notes);
  return watcher;
}

void Jobs::unwatch(const std::string& token, std::uint64_t watcher) {
  const std::lock_guard lock(mutex_);
  const auto place = tokens_.find(token);
  if (place != tokens_.end()) jobs_.at(place->second).listeners.erase(watcher);
}

bool Jobs::cancel_locked(Job& job, CancelCause cause, Notes& notes) {
  if (is_over(job.view.state)) return false;
  if (!job.view.cancel_cause) job.view.cancel_cause = cause;
  if (job.view.state == JobState::kQueued) {
    std::erase(queues_[static_cast<std::size_t>(job.spec.priority)], job.view.id);
    end(job, JobState::kCancelled, notes);
    queue_changed(notes);
  }
  return true;
}

bool Jobs::cancel(const std::string& token, CancelCause cause) {
  Notes notes;
  bool found = false;
  {
    const std::lock_guard lock(mutex_);
    const auto place = tokens_.find(token);
    if (place != tokens_.end()) found = cancel_locked(jobs_.at(place->second), cause, notes);
  }
  say(notes);
  if (found && wake_) wake_();
  return found;
}

std::size_t Jobs::cancel_all_of(const std::string& owner, CancelCause cause) {
  Notes notes;
  std::size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, job] : jobs_) {
      if (job.spec.owner == owner) count += cancel_locked(job, cause, notes) ? 1 : 0;
    }
  }
  say(notes);
  if (count > 0 && wake_) wake_();
  return count;
}

void Jobs::cancel_all(CancelCause cause) {
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, job] : jobs_) cancel_locked(job, cause, notes);
  }
  say(notes);
  if (wake_) wake_();
}

void Jobs::drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

bool Jobs::draining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

bool Jobs::idle() const {
  const std::lock_guard lock(mutex_);
  return running_.empty() && queued_count() == 0;
}

std::array<std::size_t, kPriorities> Jobs::queued() const {
  const std::lock_guard lock(mutex_);
  std::array<std::size_t, kPriorities> counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = queues_[i].size();
  return counts;
}

std::size_t Jobs::running() const {
  const std::lock_guard lock(mutex_);
  return running_.size();
}

std::uint64_t Jobs::accepted() const {
  const std::lock_guard lock(mutex_);
  return next_id_ - 1;
}

void Jobs::set_models(const std::vector<ModelCard>& models) {
  const std::lock_guard lock(mutex_);
  models_ = models;
}

std::optional<JobMessage> Jobs::take() {
  Notes notes;
  std::optional<JobMessage> message;
  {
    const std::lock_guard lock(mutex_);
    for (auto& queue : queues_) {
      if (queue.empty()) continue;
      Job& job = jobs_.at(queue.front());
      // One of several jobs killed the worker. Each is tried alone, so that it kills no other.
      if (!running_.empty() && (job.view.attempts > 0 || replaying())) break;
      queue.pop_front();
      if (running_.empty()) busy_since_ = Clock::now();
      running_.push_back(job.view.id);
      job.began = Clock::now();
      job.cancel_sent = false;
      job.view.state = JobState::kRunning;
      job.view.queue_seconds = seconds_between(job.accepted, job.began);
      job.view.step = job.view.steps = 0;
      ++job.view.attempts;
      message = {.id = job.view.id,
                 .model = job.spec.model,
                 .request = job.spec.request,
                 .file = job.spec.file,
                 .previews = job.spec.previews,
                 .token = job.view.token,
                 .traceparent = job.spec.traceparent};
      changed(job, notes);
      queue_changed(notes);
      break;
    }
  }
  say(notes);
  return message;
}

/// Whether what runs has run before.
bool Jobs::replaying() const {
  return std::any_of(running_.begin(), running_.end(),
                     [this](JobId id) { return jobs_.at(id).view.attempts > 1; });
}

std::vector<JobId> Jobs::take_cancels() {
  const std::lock_guard lock(mutex_);
  std::vector<JobId> ids;
  for (const JobId id : running_) {
    Job& job = jobs_.at(id);
    if (!job.view.cancel_cause || job.cancel_sent) continue;
    job.cancel_sent = true;
    ids.push_back(id);
  }
  return ids;
}

Jobs::Job* Jobs::running_job(JobId id) {
  const auto place = jobs_.find(id);
  if (place == jobs_.end() || place->second.view.state != JobState::kRunning) return nullptr;
  return &place->second;
}

void Jobs::receive(const ProgressMessage& message) {
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    Job* job = running_job(message.id);
    if (!job) return;
    job->view.stage = message.stage;
    job->view.step = message.step;
    job->view.steps = message.steps;
    changed(*job, notes);
  }
  say(notes);
}

void Jobs::receive(PreviewMessage message) {
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    Job* job = running_job(message.id);
    if (!job) return;
    ++job->view.previews;
    job->view.preview = std::make_shared<const std::vector<std::byte>>(std::move(message.bytes));
    changed(*job, notes);
  }
  say(notes);
}

void Jobs::receive(PictureMessage message) {
  const std::string digest = sha256_hex(message.bytes);
  const std::lock_guard lock(mutex_);
  Job* job = running_job(message.id);
  if (!job) return;
  job->view.pictures.push_back(
      {.index = message.index,
       .width = message.width,
       .height = message.height,
       .seed = message.seed,
       .bytes = std::make_shared<const std::vector<std::byte>>(std::move(message.bytes)),
       .digest = digest});
}

void Jobs::receive(const DoneMessage& message) {
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    Job* job = running_job(message.id);
    if (!job) return;
    job->view.done = message;
    end(*job, JobState::kDone, notes);
    const auto now = Clock::now();
    pace_.record(job->work, seconds_between(std::max(job->began, busy_since_), now));
    busy_since_ = now;
  }
  say(notes);
}

void Jobs::receive(const FailedMessage& message) {
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    Job* job = running_job(message.id);
    if (!job) return;
    job->view.error_code = message.code;
    job->view.error = message.message;
    job->view.impossible = message.impossible;
    const bool cancelled = message.code == Code::kCancelled && job->view.cancel_cause;
    end(*job, cancelled ? JobState::kCancelled : JobState::kFailed, notes);
    busy_since_ = Clock::now();
  }
  say(notes);
}

void Jobs::requeue(Job& job) {
  job.view.state = JobState::kQueued;
  job.view.pictures.clear();
  std::erase(running_, job.view.id);
  queues_[static_cast<std::size_t>(job.spec.priority)].push_front(job.view.id);
}

void Jobs::worker_lost(const std::string& cause) {
  Notes notes;
  {
    const std::lock_guard lock(mutex_);
    const std::vector<JobId> lost(running_.rbegin(), running_.rend());
    for (const JobId id : lost) {
      Job& job = jobs_.at(id);
      if (job.view.cancel_cause) {
        end(job, JobState::kCancelled, notes);
      } else if (job.view.attempts >= limits_.attempts) {
        job.view.error_code = Code::kDevice;
        job.view.error = format("the worker ended %d times while drawing this; the last time: %s",
                                job.view.attempts, cause.c_str());
        end(job, JobState::kFailed, notes);
      } else {
        requeue(job);
        changed(job, notes);
      }
    }
    queue_changed(notes);
  }
  say(notes);
}

void Jobs::expire() {
  Notes notes;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (auto& [id, job] : jobs_) {
      if (!job.spec.deadline || job.view.cancel_cause) continue;
      if (seconds_between(job.accepted, now) < *job.spec.deadline) continue;
      wake = cancel_locked(job, CancelCause::kDeadline, notes) || wake;
    }
    forget_old(now);
  }
  say(notes);
  if (wake && wake_) wake_();
}

void Jobs::forget_old(Clock::time_point now) {
  std::erase_if(over_, [&](JobId id) {
    const Job& job = jobs_.at(id);
    const bool old = !job.spec.keep || seconds_between(job.ended, now) > limits_.keep_seconds;
    if (!old && kept_bytes_ <= limits_.keep_bytes) return false;
    kept_bytes_ -= bytes_of(job.view);
    tokens_.erase(job.view.token);
    jobs_.erase(id);
    return true;
  });
}

void Jobs::end(Job& job, JobState state, Notes& notes) {
  const auto now = Clock::now();
  job.ended = now;
  if (job.view.state == JobState::kRunning) {
    job.view.run_seconds = seconds_between(job.began, now);
  } else {
    job.view.queue_seconds = seconds_between(job.accepted, now);
  }
  job.view.state = state;
  job.view.preview.reset();
  if (state != JobState::kDone) job.view.pictures.clear();
  job.spec.request = {};
  std::erase(running_, job.view.id);
  if (on_end_) notes.push_back({view_of(job), {on_end_}});
  changed(job, notes);
  job.listeners.clear();
  if (!job.spec.keep) job.view.pictures.clear();
  kept_bytes_ += bytes_of(job.view);
  over_.push_back(job.view.id);
}

void Jobs::changed(Job& job, Notes& notes) {
  job.view.revision = next_revision_++;
  if (job.listeners.empty()) return;
  Note note{view_of(job), {}};
  for (const auto& [id, listener] : job.listeners) note.listeners.push_back(listener);
  notes.push_back(std::move(note));
}

/// The places of those that wait are others now.
void Jobs::queue_changed(Notes& notes) {
  for (const auto& queue : queues_) {
    for (const JobId id : queue) changed(jobs_.at(id), notes);
  }
}

JobView Jobs::view_of(const Job& job) const {
  JobView view = job.view;
  if (is_over(view.state)) return view;
  if (view.state == JobState::kQueued) {
    for (std::size_t p = 0; p <= static_cast<std::size_t>(job.spec.priority); ++p) {
      const auto& queue = queues_[p];
      const auto place = std::find(queue.begin(), queue.end(), view.id);
      view.queue_position += static_cast<std::size_t>(place - queue.begin());
    }
  } else {
    view.run_seconds = seconds_between(job.began, Clock::now());
  }
  view.eta = pace_.seconds_for(work_before(job) + work_left(job));
  return view;
}

double Jobs::work_left(const Job& job) const {
  if (job.view.state != JobState::kRunning || job.view.steps == 0) return job.work;
  if (job.view.stage == Stage::kDecode) return 0;
  if (job.view.stage != Stage::kDenoise) return job.work;  // its steps are no part of the work
  return job.work * (1 - static_cast<double>(job.view.step) / job.view.steps);
}

/// Work that is done before a waiting job begins.
double Jobs::work_before(const Job& job) const {
  if (job.view.state != JobState::kQueued) return 0;
  double work = 0;
  for (const JobId id : running_) work += work_left(jobs_.at(id));
  for (std::size_t p = 0; p <= static_cast<std::size_t>(job.spec.priority); ++p) {
    for (const JobId id : queues_[p]) {
      if (id == job.view.id) break;
      work += jobs_.at(id).work;
    }
  }
  return work;
}

/// Work that would be done before a new job of this class begins.
double Jobs::all_work(Priority priority) const {
  double work = 0;
  for (const JobId id : running_) work += work_left(jobs_.at(id));
  for (std::size_t p = 0; p <= static_cast<std::size_t>(priority); ++p) {
    for (const JobId id : queues_[p]) work += jobs_.at(id).work;
  }
  return work;
}

const ModelCard* Jobs::card_of(const std::string& model) const {
  for (const ModelCard& card : models_) {
    if (card.name == model) return &card;
  }
  return nullptr;
}

std::size_t Jobs::queued_count() const {
  std::size_t count = 0;
  for (const auto& queue : queues_) count += queue.size();
  return count;
}

void Jobs::say(const Notes& notes) const {
  for (const Note& note : notes) {
    for (const JobListener& listener : note.listeners) listener(note.view);
  }
}

}  // namespace octet::serve
