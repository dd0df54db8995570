#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kLongestRun = 120;
constexpr uid_t kNobody = 65534;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string("test set-up: ") + what);
}

/// Both ends of a channel from the child: a pipe or a terminal.
struct Channel {
  int read_end = -1, write_end = -1;
  explicit Channel(bool terminal) {
    if (terminal) {
      require(::openpty(&read_end, &write_end, nullptr, nullptr, nullptr) == 0, "openpty");
    } else {
      std::array<int, 2> ends{};
      require(::pipe(ends.data()) == 0, "pipe");
      read_end = ends[0];
      write_end = ends[1];
    }
    ::fcntl(read_end, F_SETFD, FD_CLOEXEC);
  }
  ~Channel() {
    if (read_end >= 0) ::close(read_end);
    if (write_end >= 0) ::close(write_end);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
};

void set_limit(int resource, long value) {
  const rlimit limit{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

int open_stdout(const ProcessOptions& options, const Channel& out) {
  if (options.stdout_file.empty()) return out.write_end;
  return ::open(options.stdout_file.c_str(), O_WRONLY | O_CREAT, 0600);
}

[[noreturn]] void become(const std::string& program, const std::vector<std::string>& arguments,
                         const ProcessOptions& options, int input, const Channel& out,
                         const Channel& err) {
  ::dup2(input, STDIN_FILENO);
  ::dup2(open_stdout(options, out), STDOUT_FILENO);
  ::dup2(err.write_end, STDERR_FILENO);
  for (int fd = 3; fd < 64; ++fd) ::close(fd);
  if (options.close_stdout) ::close(STDOUT_FILENO);
  if (::chdir(options.folder.c_str()) != 0) ::_exit(99);
  if (options.memory_limit > 0) set_limit(RLIMIT_AS, options.memory_limit);
  if (options.file_limit >= 0) set_limit(RLIMIT_FSIZE, options.file_limit);
  if (options.unprivileged && ::geteuid() == 0 && ::setuid(kNobody) != 0) ::_exit(97);
  std::vector<char*> words = {const_cast<char*>(program.c_str())};
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(98);
}

/// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string& into) {
  std::array<char, 65536> piece{};
  const ssize_t got = ::read(fd, piece.data(), piece.size());
  if (got > 0) into.append(piece.data(), static_cast<std::size_t>(got));
  return got > 0;
}

/// Collects both streams until the child has closed them, sending the signals on the way.
void collect(pid_t child, const ProcessOptions& options, std::array<pollfd, 2>& streams,
             ProcessResult& result, Clock::time_point& signalled) {
  const Clock::time_point start = Clock::now();
  int left = options.signal == 0 ? 0 : options.signals;
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    ::poll(streams.data(), streams.size(), 10);
    if (streams[0].revents != 0 && !drain(streams[0].fd, result.out)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !drain(streams[1].fd, result.err)) streams[1].fd = -1;
    if (left > 0 && result.err.find(options.signal_after) != std::string::npos) {
      if (left-- == options.signals) signalled = Clock::now();
      ::kill(child, options.signal);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (seconds_since(start) > kLongestRun) ::kill(child, SIGKILL);
  }
}

int input_file(const std::string& text) {
  FILE* file = std::tmpfile();
  require(file != nullptr, "tmpfile");
  require(std::fwrite(text.data(), 1, text.size(), file) == text.size(), "fwrite");
  std::rewind(file);
  const int fd = ::dup(::fileno(file));
  std::fclose(file);
  ::lseek(fd, 0, SEEK_SET);
  return fd;
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "octet-cli-XXXXXX").string();
  require(::mkdtemp(name.data()) != nullptr, "mkdtemp");
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> TempFolder::files() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    names.push_back(fs::relative(entry.path(), path_).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  require(file.good(), "write_file");
}

bool has_terminals() {
  int read_end = -1, write_end = -1;
  if (::openpty(&read_end, &write_end, nullptr, nullptr, nullptr) != 0) return false;
  ::close(read_end);
  ::close(write_end);
  return true;
}

ProcessResult run_process(const std::string& program, const std::vector<std::string>& arguments,
                          const ProcessOptions& options) {
  Channel out(options.terminal_out);
  Channel err(options.terminal_err);
  const int input = input_file(options.input);
  const pid_t child = ::fork();
  require(child >= 0, "fork");
  if (child == 0) become(program, arguments, options, input, out, err);
  ::close(input);
  ::close(std::exchange(out.write_end, -1));
  ::close(std::exchange(err.write_end, -1));
  std::array<pollfd, 2> streams = {{{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}}};
  if (options.close_pipe) {
    ::close(std::exchange(out.read_end, -1));
    streams[0].fd = -1;
  }
  ProcessResult result;
  Clock::time_point signalled = Clock::now();
  collect(child, options, streams, result, signalled);
  int status = 0;
  require(::waitpid(child, &status, 0) == child, "waitpid");
  result.seconds_after_signal = seconds_since(signalled);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace octet::test
