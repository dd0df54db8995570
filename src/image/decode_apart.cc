// The parent's side: starts the child, talks to it, looks after its end.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/format.h"
#include "image/decode_answer.h"
#include "image/decode_child.h"
#include "image/decoders.h"
#include "octet/error.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what, int error) {
  throw Error(Code::kDevice, format("picture decoder: %s: %s", what, std::strerror(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

/// A running child; killed and waited for at the end, whatever happens.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() { (void)finish(true); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The status of waitpid; -1 when somebody else has waited for it.
  int finish(bool kill_first) {
    if (pid_ < 0) return -1;
    if (kill_first) ::kill(pid_, SIGKILL);
    int status = -1;
    while (::waitpid(pid_, &status, 0) < 0) {
      if (errno == EINTR) continue;
      status = -1;
      break;
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

// The child starts as this program did: no signal blocked or ignored, three descriptors, no
// environment.
pid_t start(const char* program, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = "octet", command = kDecodeCommand;
  const std::array<char*, 3> arguments{name.data(), command.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, program, &actions, &attributes, arguments.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) fail("cannot start", error);
  return pid;
}

/// Both directions of the talk, up to a moment in time.
class Talk {
 public:
  Talk(int socket, Clock::time_point end) : socket_(socket), end_(end) {}

  [[nodiscard]] bool late() const { return late_; }

  // A child that ends early is told by its status, not here.
  void send(std::span<const std::byte> bytes) {
    while (!bytes.empty() && wait(POLLOUT)) {
      const ssize_t done = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (done < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (done <= 0) break;
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    ::shutdown(socket_, SHUT_WR);
  }

  // False when the other side ends before all of it is there.
  [[nodiscard]] bool receive(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
      if (!wait(POLLIN)) return false;
      const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
    return true;
  }

 private:
  bool wait(short what) {
    while (true) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count();
      pollfd p{.fd = socket_, .events = what, .revents = 0};
      const int ready = left > 0 ? ::poll(&p, 1, static_cast<int>(std::min(left, 60000L))) : 0;
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
      late_ = left <= 0;
      if (late_) return false;
    }
  }

  int socket_;
  Clock::time_point end_;
  bool late_ = false;
};

bool is_sane(const DecodeAnswer& head) {
  return head.kind >= DecodeAnswer::kPicture && head.kind <= DecodeAnswer::kFailed &&
         head.has_alpha <= 1 && head.text_bytes <= DecodeAnswer::kMaxText;
}

struct Answer {
  DecodeAnswer head;
  DecodedPicture picture;
  std::string text;
};

bool receive_answer(Talk& talk, const std::string& name, Answer& answer) {
  if (!talk.receive(std::as_writable_bytes(std::span(&answer.head, 1)))) return false;
  const DecodeAnswer& head = answer.head;
  if (!is_sane(head)) return false;
  if (head.kind == DecodeAnswer::kPicture) {
    check_input_size(head.width, head.height, name);
    const std::size_t pixels = std::size_t{head.width} * head.height;
    Image& image = answer.picture.image;
    image.width = static_cast<int>(head.width);
    image.height = static_cast<int>(head.height);
    image.rgb.resize(3 * pixels);
    answer.picture.alpha.resize(head.has_alpha * pixels);
    if (!talk.receive(std::as_writable_bytes(std::span(image.rgb))) ||
        !talk.receive(std::as_writable_bytes(std::span(answer.picture.alpha)))) {
      return false;
    }
  }
  answer.text.resize(head.text_bytes);
  return talk.receive(std::as_writable_bytes(std::span(answer.text)));
}

// A line of the child's about "%", with the picture's name.
std::string named(const std::string& line, const std::string& name) {
  const std::size_t begin = std::strlen(DecodeAnswer::kName);
  const bool about = line.starts_with(DecodeAnswer::kName);
  return excerpt(name, 300) + excerpt(about ? line.substr(begin) : ": " + line, 1000);
}

DecodedPicture unpack(Answer answer, const std::string& name) {
  switch (answer.head.kind) {
    case DecodeAnswer::kPicture:
      break;
    case DecodeAnswer::kRefused:
      throw Error(Code::kInvalidArgument, named(answer.text, name));
    case DecodeAnswer::kNoMemory:
      throw Error(Code::kOutOfMemory, excerpt(name, 300) + ": no memory to decode");
    default:
      throw Error(Code::kDevice, "picture decoder: " + excerpt(answer.text, 1000));
  }
  for (std::size_t at = 0; at < answer.text.size();) {
    const std::size_t end = std::min(answer.text.find('\n', at), answer.text.size());
    answer.picture.remarks.push_back(named(answer.text.substr(at, end - at), name));
    at = end + 1;
  }
  return std::move(answer.picture);
}

}  // namespace

DecodedPicture decode_picture_apart(std::span<const std::byte> bytes, const std::string& name,
                                    const DecodeChildOptions& options) {
  check_input_bytes(bytes.size(), name);
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) fail("no socket", errno);
  const Descriptor ours(pair[0]);
  Descriptor theirs(pair[1]);
  const auto limit = std::chrono::duration<double>(options.seconds);
  Talk talk(ours.get(), Clock::now() + std::chrono::duration_cast<Clock::duration>(limit));
  Child child(start(options.program, theirs.get()));
  theirs.close();
  talk.send(bytes);
  Answer answer;
  if (receive_answer(talk, name, answer)) return unpack(std::move(answer), name);
  if (talk.late()) {
    refuse_picture(name, format("expected to be decoded in %g s, took longer", options.seconds));
  }
  const int status = child.finish(false);
  if (status != -1 && WIFSIGNALED(status)) {
    refuse_picture(name, format("its decoder was stopped by signal %d", WTERMSIG(status)));
  }
  throw Error(Code::kDevice, "picture decoder: ended without an answer");
}

}  // namespace octet
