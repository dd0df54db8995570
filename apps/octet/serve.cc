// octet serve: the HTTP front in this process, the models in a worker process under supervision.
//
// Three threads here: HTTP, the supervisor, and this one, which waits for signals. The worker is
// this program again, with the hidden command serve-worker.

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

#include "api/front.h"
#include "base/format.h"
#include "base/log.h"
#include "base/start_thread.h"
#include "commands.h"
#include "doctor/doctor.h"
#include "http/server.h"
#include "http/tls.h"
#include "octet/error.h"
#include "serve/supervisor.h"
#include "serve/worker.h"
#include "serve_options.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Signals that end the server; blocked in all threads, so that they wait for wait_for_signal.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

/// Whether one came within a tick.
bool wait_for_signal(const sigset_t& set) {
  const timespec tick{.tv_sec = 0, .tv_nsec = 50'000'000};
  return ::sigtimedwait(&set, nullptr, &tick) > 0;
}

/// Every connection is a descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Pictures pass through this process for months. Their buffers go back to the system when they are
/// freed, instead of leaving holes in a heap whose size then depends on the order of the requests.
void return_picture_memory() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 32 << 10);
}

/// Lets accepted jobs end, for as long as --drain-timeout; a second signal cuts that short.
void drain(serve::Jobs& jobs, const sigset_t& signals, int seconds, Log& log) {
  log.info("draining");
  jobs.drain();
  const auto until = Clock::now() + std::chrono::seconds(seconds);
  while (!jobs.idle() && Clock::now() < until && !wait_for_signal(signals)) {
  }
  if (jobs.idle()) return;
  jobs.cancel_all(serve::CancelCause::kDrain);
  // What is being drawn stops at its next step.
  const auto last = Clock::now() + std::chrono::seconds(10);
  while (!jobs.idle() && Clock::now() < last && !wait_for_signal(signals)) {
  }
}

/// The threads of the server, from the first connection to the last.
class RunningServer {
 public:
  RunningServer(http::Server& server, serve::Supervisor& supervisor, serve::Jobs& jobs)
      : server_(server),
        supervisor_(supervisor),
        jobs_(jobs),
        http_thread_(start_thread([&] { server_.run(); })) {
    try {
      supervisor_thread_ = start_thread([&] { supervisor_.run(); });
    } catch (...) {
      server_.stop();
      http_thread_.join();
      throw;
    }
  }
  ~RunningServer() {
    supervisor_.stop();
    supervisor_thread_.join();
    jobs_.cancel_all(serve::CancelCause::kDrain);  // whoever waits for one waits for the server
    server_.stop();
    http_thread_.join();
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

 private:
  http::Server& server_;
  serve::Supervisor& supervisor_;
  serve::Jobs& jobs_;
  std::thread http_thread_, supervisor_thread_;
};

/// The worker gets what the front has read, so that a file changed meanwhile divides nobody.
std::vector<std::string> worker_words(const std::vector<std::string>& words) {
  std::vector<std::string> all = {"serve-worker"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

Log log_of(const ServeOptions& options) {
  const LogLevel level = options.log_level == "debug"     ? LogLevel::kDebug
                         : options.log_level == "warning" ? LogLevel::kWarning
                         : options.log_level == "error"   ? LogLevel::kError
                                                          : LogLevel::kInfo;
  return {options.log_format == "json" ? LogFormat::kJson : LogFormat::kText, level, STDERR_FILENO};
}

std::shared_ptr<const http::TlsIdentity> tls_of(const ServeOptions& options, Log& log) {
  if (options.tls_cert.empty()) return nullptr;
  auto identity = std::make_shared<const http::TlsIdentity>(options.tls_cert, options.tls_key);
  if (const std::string warning = identity->warning(); !warning.empty()) log.warning(warning);
  return identity;
}

/// For /readyz: what the front can look at itself while it listens, and why there is no worker.
std::vector<std::string> failing_checks(const ServeOptions& options,
                                        const serve::WorkerStatus& worker) {
  std::vector<std::string> ids;
  const auto found = doctor::fast_checks(
      {.engine = options.engine, .uses_model = false, .uses_device = false, .keys = options.keys});
  for (const doctor::Finding& f : found) ids.push_back(f.id);
  if (worker.state == serve::WorkerState::kReady) return ids;
  const std::string id = doctor::check_of({Code::kDevice, worker.last_error});
  if (!id.empty()) ids.push_back(id);
  return ids;
}

int serve_http(const ServeOptions& options) {
  return_picture_memory();
  const sigset_t signals = block_signals();
  Log log = log_of(options);
  const auto tls = tls_of(options, log);
  api::Journal journal(log, options.log_prompts);
  serve::JobLimits limits;
  limits.queued = static_cast<std::size_t>(options.queue);
  limits.keep_seconds = options.keep;
  serve::Jobs jobs(limits);
  serve::Supervisor supervisor(worker_words(options.words), jobs);
  api::Service service{.jobs = jobs,
                       .status = [&] { return supervisor.status(); },
                       .journal = journal,
                       .started = std::time(nullptr)};
  service.failing = [&] { return failing_checks(options, supervisor.status()); };
  supervisor.on_status([&](const serve::WorkerStatus& status) { journal.worker(status); });
  for (const serve::ServedModel& model : options.served) service.models.push_back(model.name);
  service.provenance = !options.no_provenance;
  service.page = options.page;
  if (options.deadline) service.deadline = static_cast<double>(*options.deadline);
  api::Front front(service, {.keys = options.keys,
                             .hosts = options.allowed_hosts,
                             .origins = options.allowed_origins,
                             .tls = tls != nullptr});
  http::Server server({.address = options.address, .port = options.port, .tls = tls}, front);
  {
    const RunningServer running(server, supervisor, jobs);
    log.info(format("listening on %s://%s%s%s:%u", tls ? "https" : "http",
                    options.address.find(':') == std::string::npos ? "" : "[",
                    options.address.c_str(),
                    options.address.find(':') == std::string::npos ? "" : "]", server.port()));
    while (!wait_for_signal(signals) && !supervisor.status().unusable) {
    }
    if (!supervisor.status().unusable) drain(jobs, signals, options.drain_timeout, log);
  }
  const auto unusable = supervisor.status().unusable;
  if (unusable) throw Error(unusable->code, unusable->message);
  return 0;
}

}  // namespace

int run_serve(Words words) {
  bool help = false;
  const ServeOptions options = read_serve_options(words, &help);
  if (help) {
    write_stdout(serve_help());
    return 0;
  }
  raise_descriptor_limit();
  // The worker examines models and devices.
  doctor::require_fit({.engine = options.engine,
                       .uses_model = false,
                       .uses_device = false,
                       .address = options.address,
                       .port = options.port,
                       .keys = options.keys});
  return serve_http(options);
}

int run_serve_worker(Words words) {
  bool help = false;
  const ServeOptions options = read_serve_options(words, &help);
  constexpr int kChannel = serve::ChildProcess::kChannelDescriptor;
  try {
    Log log = log_of(options);
    return serve::run_worker(kChannel, {.models = options.served, .batch = options.batch}, log);
  } catch (const Error& error) {  // no thread for the log
    serve::refuse_worker(kChannel, error);
    return exit_code(error.code());
  }
}

}  // namespace octet::cli
