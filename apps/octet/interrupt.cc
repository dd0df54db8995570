#include "interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "octet/error.h"

namespace octet::cli {
namespace {

std::atomic<bool> signal_came{false};
std::atomic<bool> clean_stop{false};
std::atomic<bool> on_terminal{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int number) {
  if (!clean_stop.load()) {
    // On a terminal there may be a note in the line.
    constexpr std::string_view kMessage = "\r\x1b[Koctet: interrupted\n";
    const std::string_view said = kMessage.substr(on_terminal.load() ? 0 : 4);
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, said.data(), said.size());
    ::_exit(exit_code(Code::kCancelled));
  }
  if (!signal_came.exchange(true)) return;
  ::signal(number, SIG_DFL);
  ::raise(number);  // delivered when the handler returns
}

}  // namespace

void install_interrupt_handlers() {
  on_terminal.store(::isatty(STDERR_FILENO) == 1);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction before {};
    // A signal that the parent ignores (nohup, a background job of a script) stays ignored.
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    ::sigaction(number, &action, nullptr);
  }
}

bool interrupted() { return signal_came.load(); }

void stop_if_interrupted() {
  if (interrupted()) throw Error(Code::kCancelled, "interrupted");
}

CleanStop::CleanStop() { clean_stop.store(true); }
CleanStop::~CleanStop() { clean_stop.store(false); }

}  // namespace octet::cli
