#include "serve/worker.h"

#include <signal.h>
#include <unistd.h>

#include <new>
#include <utility>

#include "base/start_thread.h"
#include "octet/error.h"
#include "serve/channel.h"
#include "serve/finisher.h"
#include "serve/inbox.h"

namespace octet::serve {
namespace {

/// Reads until the front is gone; then this process has no purpose.
void read_messages(Channel& channel, Inbox& inbox) {
  try {
    while (auto bytes = channel.receive()) inbox.put(decode_to_worker(*bytes));
  } catch (const Error&) {
    // The front is this program: what it sends is right, or one of the two is broken.
  }
  ::_exit(exit_code(Code::kIo));
}

class WorkerReport final : public Report {
 public:
  WorkerReport(Channel& channel, Inbox& inbox, Finisher& finisher)
      : channel_(channel), inbox_(inbox), finisher_(finisher) {}

  [[nodiscard]] bool cancelled(JobId id) const override { return inbox_.cancelled(id); }
  void progress(const ProgressMessage& message) override {
    channel_.send(encode_message(ToFront(message)));
  }
  void preview(const PreviewMessage& message) override {
    channel_.send(encode_message(ToFront(message)));
  }
  void failed(const FailedMessage& message) override {
    inbox_.forget(message.id);
    channel_.send(encode_message(ToFront(message)));
  }
  void stepped(const StepMessage& message) override {
    channel_.send(encode_message(ToFront(message)));
  }
  void drawn(const JobMessage& job, GenerateResult result) override {
    inbox_.forget(job.id);
    finisher_.finish(job, std::move(result));
  }

 private:
  Channel& channel_;
  Inbox& inbox_;
  Finisher& finisher_;
};

void take_jobs(Inbox& inbox, Runner& runner, Report& report, Log& log) {
  while (runner.under_way() < runner.slots()) {
    auto job = inbox.take(runner.under_way() == 0);
    if (!job) return;
    log.debug("job begun", {{"job", job->token}, {"traceparent", job->traceparent}});
    runner.start(std::move(*job), report);
  }
}

void serve(Channel& channel, Inbox& inbox, Runner& runner, std::unique_ptr<Finisher> finisher,
           Log& log) {
  channel.send(encode_message(ToFront(ReadyMessage{runner.cards(), runner.slots()})));
  WorkerReport report(channel, inbox, *finisher);
  while (true) {
    take_jobs(inbox, runner, report, log);
    if (runner.under_way() > 0) {
      runner.step(report);
    } else if (inbox.finished()) {
      return;
    }
  }
}

/// Without the destructors of what the reading thread uses, but with the last lines of the log.
[[noreturn]] void end_process(Log& log, int code) {
  log.flush();
  ::_exit(code);
}

}  // namespace

void refuse_worker(int descriptor, const Error& reason) {
  Channel(descriptor).send(encode_message(ToFront(UnusableMessage{reason.code(), reason.what()})));
}

int run_worker(int descriptor, const RunnerOptions& options, Log& log) {
  // The front decides when to end: a terminal and systemd signal both processes.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  // Never destroyed: the reading thread lives as long as the process.
  static Channel* const channel = new Channel(descriptor);
  static Inbox* const inbox = new Inbox;
  std::unique_ptr<Runner> runner;
  std::unique_ptr<Finisher> finisher;
  bool usable = false;
  UnusableMessage unusable;
  try {
    runner = make_batch_runner(options);
    finisher = std::make_unique<Finisher>(*channel, options.models, runner->cards());
    start_thread([] { read_messages(*channel, *inbox); }).detach();
    usable = true;
  } catch (const Error& error) {
    unusable = {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    unusable = {Code::kOutOfMemory, "not enough memory for the model"};
  }
  if (!usable) {
    channel->send(encode_message(ToFront(unusable)));
    end_process(log, exit_code(unusable.code));
  }
  try {
    serve(*channel, *inbox, *runner, std::move(finisher), log);
  } catch (const Error& error) {
    log.error(std::string("worker: ") + error.what());
    end_process(log, exit_code(error.code()));
  }
  end_process(log, 0);
}

}  // namespace octet::serve
