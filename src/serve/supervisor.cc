#include "serve/supervisor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "octet/error.h"

namespace octet::serve {
namespace {

constexpr int kTickMs = 100;            // deadlines are looked at that often
constexpr int kHopelessStarts = 3;      // deaths before the first worker was ready
constexpr int kLongestPauseMs = 10000;  // between restarts

}  // namespace

const char* name_of(WorkerState state) {
  switch (state) {
    case WorkerState::kLoading:
      return "loading";
    case WorkerState::kReady:
      return "ready";
    case WorkerState::kRestarting:
      return "restarting";
    case WorkerState::kStopped:
      return "stopped";
  }
  return "";
}

Supervisor::Supervisor(std::vector<std::string> words, Jobs& jobs)
    : words_(std::move(words)), jobs_(jobs), wake_descriptor_(::eventfd(0, EFD_CLOEXEC)) {
  if (wake_descriptor_ < 0) {
    throw Error(Code::kDevice, format("eventfd: %s", std::strerror(errno)));
  }
  jobs_.on_work([this] { wake(); });
}

Supervisor::~Supervisor() {
  jobs_.on_work({});
  ::close(wake_descriptor_);
}

void Supervisor::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor_, &one, sizeof(one));
}

void Supervisor::stop() {
  stop_ = true;
  wake();
}

WorkerStatus Supervisor::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Supervisor::on_status(std::function<void(const WorkerStatus&)> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void Supervisor::change(const std::function<void(WorkerStatus&)>& edit) {
  WorkerStatus status;
  std::function<void(const WorkerStatus&)> listener;
  {
    const std::lock_guard lock(mutex_);
    edit(status_);
    status = status_;
    listener = listener_;
  }
  if (listener) listener(status);
}

void Supervisor::run() {
  int failures = 0;
  while (!stop_) {
    std::string end;
    UnusableMessage hopeless{.code = Code::kInternal};
    ready_ = false;
    try {
      ChildProcess worker(words_);
      change([&](WorkerStatus& s) { s.pid = worker.pid(); });
      try {
        serve_worker(worker);
      } catch (const Error& error) {
        end = std::string("; ") + error.what();
        worker.kill();
      }
      end = worker.wait() + end;
    } catch (const Error& error) {  // there is no process
      end = error.what();
      hopeless = {error.code(), end};
    }
    failures = ready_ ? 0 : failures + 1;
    const bool given_up = !was_ready_ && failures >= kHopelessStarts;
    change([&](WorkerStatus& s) {
      s.pid = 0;
      s.last_error = end;
      s.state = stop_ ? WorkerState::kStopped : WorkerState::kRestarting;
      if (!stop_ && !s.unusable) ++s.restarts;
      if (given_up && !s.unusable) {
        if (hopeless.message.empty()) hopeless.message = "the worker cannot be started: " + end;
        s.unusable = hopeless;
      }
      // A model that worked once may come back: its file system may be away for a while.
      if (was_ready_ && s.unusable) {
        s.last_error = s.unusable->message;
        s.unusable.reset();
      }
    });
    jobs_.worker_lost(end);  // whoever hears of it finds the restart counted
    if (status().unusable) break;
    sleep_before_restart(failures);
  }
  change([](WorkerStatus& s) { s.state = WorkerState::kStopped; });
}

void Supervisor::sleep_before_restart(int failures) {
  int left = std::min(kLongestPauseMs, failures == 0 ? 0 : 100 << std::min(failures, 10));
  for (; left > 0 && !stop_; left -= kTickMs) {
    ::poll(nullptr, 0, kTickMs);
    jobs_.expire();
  }
}

/// Whether the worker has said something; waits a tick for it, or for something to do.
bool Supervisor::wait_for_news(const ChildProcess& worker) const {
  pollfd wanted[2] = {{const_cast<ChildProcess&>(worker).channel().descriptor(), POLLIN, 0},
                      {wake_descriptor_, POLLIN, 0}};
  if (::poll(wanted, 2, kTickMs) <= 0) return false;
  if (wanted[1].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_descriptor_, &count, sizeof(count));
  }
  return wanted[0].revents != 0;
}

void Supervisor::serve_worker(ChildProcess& worker) {
  bool told = false;
  while (true) {
    if (wait_for_news(worker)) {
      const auto bytes = worker.channel().receive();
      if (!bytes) return;
      receive(decode_to_front(*bytes));
    }
    jobs_.expire();
    if (stop_ && !ready_) return worker.kill();
    if (ready_) hand_out(worker);
    if (stop_ && !told) {
      worker.channel().send(encode_message(ToWorker(ShutdownMessage{})));
      told = true;
    }
  }
}

void Supervisor::hand_out(ChildProcess& worker) {
  for (const JobId id : jobs_.take_cancels()) {
    worker.channel().send(encode_message(ToWorker(CancelMessage{id})));
  }
  const auto slots = static_cast<std::size_t>(status().slots);
  while (!stop_ && jobs_.running() < slots) {
    const auto job = jobs_.take();
    if (!job) return;
    worker.channel().send(encode_message(ToWorker(*job)));
  }
}

void Supervisor::receive(ToFront message) {
  if (auto* ready = std::get_if<ReadyMessage>(&message)) {
    ready_ = was_ready_ = true;
    jobs_.set_models(ready->models);
    change([&](WorkerStatus& s) {
      s.state = WorkerState::kReady;
      s.models = ready->models;
      s.slots = std::max(1, ready->slots);
    });
  } else if (const auto* unusable = std::get_if<UnusableMessage>(&message)) {
    change([&](WorkerStatus& s) { s.unusable = *unusable; });
  } else if (const auto* progress = std::get_if<ProgressMessage>(&message)) {
    jobs_.receive(*progress);
  } else if (auto* preview = std::get_if<PreviewMessage>(&message)) {
    jobs_.receive(std::move(*preview));
  } else if (auto* picture = std::get_if<PictureMessage>(&message)) {
    jobs_.receive(std::move(*picture));
  } else if (const auto* done = std::get_if<DoneMessage>(&message)) {
    jobs_.receive(*done);
  } else if (const auto* failed = std::get_if<FailedMessage>(&message)) {
    jobs_.receive(*failed);
  } else if (const auto* step = std::get_if<StepMessage>(&message)) {
    jobs_.receive(*step);
  }
}

}  // namespace octet::serve
