#include "serve/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "base/start_thread.h"
#include "octet/error.h"

extern char** environ;

namespace octet::serve {
namespace {

[[noreturn]] void refuse(int error) {
  if (error == EAGAIN) refuse_thread(std::error_code(error, std::generic_category()));
  throw Error(Code::kDevice, format("worker: cannot start it: %s", std::strerror(error)));
}

/// What posix_spawn needs, freed in the end.
struct SpawnPlan {
  explicit SpawnPlan(int descriptor) {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, descriptor, ChildProcess::kChannelDescriptor);
    // The front blocks signals to wait for them; the worker must not inherit that.
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& words) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) refuse(errno);
  channel_ = std::make_unique<Channel>(pair[0]);
  // dup2 onto itself would keep close-on-exec.
  if (pair[1] == kChannelDescriptor) {
    const int moved = ::fcntl(pair[1], F_DUPFD_CLOEXEC, kChannelDescriptor + 1);
    ::close(pair[1]);
    if (moved < 0) refuse(errno);
    pair[1] = moved;
  }
  std::vector<std::string> texts = {"octet"};
  texts.insert(texts.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  const SpawnPlan plan(pair[1]);
  const int error = ::posix_spawn(&pid_, "/proc/self/exe", &plan.actions, &plan.attributes,
                                  arguments.data(), environ);
  ::close(pair[1]);
  if (error != 0) {
    pid_ = -1;
    refuse(error);
  }
}

ChildProcess::~ChildProcess() {
  kill();
  wait();
}

void ChildProcess::kill() const {
  if (pid_ > 0 && end_.empty()) ::kill(pid_, SIGKILL);
}

std::string ChildProcess::wait() {
  if (!end_.empty() || pid_ <= 0) return end_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    end_ = format("killed by signal %d (%s)", signal, ::strsignal(signal));
  } else {
    end_ = format("exit code %d", WEXITSTATUS(status));
  }
  return end_;
}

}  // namespace octet::serve
