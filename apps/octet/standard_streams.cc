#include "standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/atomic_file.h"
#include "base/format.h"
#include "octet/error.h"

namespace octet::cli {

void prepare_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open() takes the lowest free number, which is `fd`. Opened the wrong way round on purpose:
    // a result written to a closed standard output must fail and not vanish.
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
  }
  // A closed pipe and a file size limit are errors of write(), not sudden deaths.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

namespace {
bool stdout_used = false;
}

void write_stdout(std::span<const std::byte> bytes) {
  stdout_used = true;
  write_all(STDOUT_FILENO, bytes, "standard output");
}

bool stdout_is_used() { return stdout_used; }

void write_stdout(const std::string& text) { write_stdout(std::as_bytes(std::span(text))); }

void print_line(const std::string& text) {
  const std::string line = excerpt(text, 4000) + "\n";
  try {
    write_all(STDERR_FILENO, std::as_bytes(std::span(line)), "standard error");
  } catch (const Error&) {
    // See the header.
  }
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

std::string read_stdin(const std::string& what, std::size_t limit) {
  std::string text;
  std::array<char, 16384> piece{};
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(Code::kIo, format("standard input: cannot read: %s", std::strerror(errno)));
    }
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) {
      throw Error(Code::kInvalidArgument,
                  format("%s: expected at most %zu bytes, found more", what.c_str(), limit));
    }
  }
}

}  // namespace octet::cli
