#include "serve/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace octet::test {

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

ServerProcess::ServerProcess(const std::vector<std::string>& flags, bool wait_until_ready,
                             bool free_port, void (*before_start)()) {
  char name[] = "/tmp/octet-server-XXXXXX";
  const int log = ::mkstemp(name);
  if (log < 0) throw std::runtime_error("no log file");
  log_ = name;
  std::vector<std::string> words = {OCTET_WITH_STUB, "serve"};
  if (free_port) words.insert(words.end(), {"--listen", "127.0.0.1:0"});
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves nothing behind
    ::dup2(log, STDERR_FILENO);
    if (before_start) before_start();
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(log);
  tls_ = std::find(flags.begin(), flags.end(), "--tls-cert") != flags.end();
  const std::string mark =
      std::string("listening on ") + (tls_ ? "https" : "http") + "://127.0.0.1:";
  eventually([&] {
    const std::string text = said();
    const std::size_t place = text.find(mark);
    if (place != std::string::npos && text.find('\n', place) != std::string::npos) {
      port_ = static_cast<std::uint16_t>(std::stoi(text.substr(place + mark.size())));
    }
    siginfo_t end{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT);
    return port_ != 0 || end.si_pid == pid_;
  });
  if (wait_until_ready && !eventually([&] { return get("/readyz").status == 200; })) {
    const std::string text = said();
    ::kill(pid_, SIGKILL);
    wait();
    throw std::runtime_error("the server does not become ready: " + text);
  }
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait();
  }
  ::unlink(log_.c_str());
}

pid_t ServerProcess::worker() const {
  // Children are listed under the thread that started them.
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream file(task.path() / "children");
    pid_t child = 0;
    if (file >> child) return child;
  }
  return 0;
}

void ServerProcess::signal(int number) const { ::kill(pid_, number); }

int ServerProcess::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ServerProcess::said() const {
  std::ifstream file(log_);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace octet::test
