#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/start_thread.h"

namespace octet {
namespace {

constexpr std::size_t kWaiting = 4096;  // lines
constexpr std::size_t kValueBytes = 1024;
constexpr int kLastWordsMs = 1000;

const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

/// Valid in JSON and harmless on a terminal, whatever the bytes are: all of it ASCII, in quotes.
std::string quoted(const std::string& text) {
  const nlohmann::json value =
      text.size() <= kValueBytes ? text : text.substr(0, kValueBytes) + "...";
  return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

struct Printer {
  bool json;
  std::string operator()(const std::string& text) const {
    const std::string safe = quoted(text);
    const bool bare = !json && !text.empty() && safe.size() == text.size() + 2 &&
                      text.find_first_of(" =\x7f") == std::string::npos;
    return bare ? text : safe;
  }
  std::string operator()(std::int64_t number) const { return std::to_string(number); }
  std::string operator()(double number) const {
    return std::isfinite(number) ? format("%.6g", number) : "null";
  }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
};

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string time_text(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return format("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(ms % 1000));
}

}  // namespace

std::string log_line(LogFormat form, LogLevel level, const std::string& event,
                     const LogFields& fields, std::int64_t time) {
  const bool json = form == LogFormat::kJson;
  std::string line;
  if (json) {
    line = format(R"({"time":"%s","level":"%s","event":%s)", time_text(time).c_str(),
                  name_of(level), quoted(event).c_str());
  } else {
    line = "octet: ";
    if (level >= LogLevel::kWarning) line.append(name_of(level)).append(": ");
    line += event;
  }
  for (const auto& [name, value] : fields) {
    line += json ? ",\"" + name + "\":" : " " + name + "=";
    line += std::visit(Printer{json}, value);
  }
  return json ? line + "}" : line;
}

Log::Log(LogFormat format, LogLevel least, int descriptor)
    : format_(format),
      least_(least),
      descriptor_(descriptor),
      thread_(start_thread([this] { work(); })) {}

Log::~Log() { flush(); }

void Log::flush() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Log::write(LogLevel level, const std::string& event, const LogFields& fields) {
  if (level < least_) return;
  std::string line = log_line(format_, level, event, fields, now_ms()) + "\n";
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= kWaiting) {
      ++dropped_;
      return;
    }
    if (const auto dropped = std::exchange(dropped_, 0); dropped > 0) {
      lines_.push_back(log_line(format_, LogLevel::kWarning, "log lines were dropped",
                                {{"lines", static_cast<std::int64_t>(dropped)}}, now_ms()) +
                       "\n");
    }
    lines_.push_back(std::move(line));
  }
  changed_.notify_all();
}

/// The whole line, or false: the reader is gone, or so slow that the program would rather end.
bool Log::put(const std::string& line) const {
  std::size_t done = 0;
  while (done < line.size()) {
    pollfd wanted{descriptor_, POLLOUT, 0};
    if (::poll(&wanted, 1, kLastWordsMs) <= 0) {
      if (stop_) return false;
      continue;
    }
    // Lines of at most PIPE_BUF bytes do not block once the pipe is writable.
    const ssize_t wrote = ::write(descriptor_, line.data() + done, line.size() - done);
    if (wrote < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (wrote > 0) done += static_cast<std::size_t>(wrote);
  }
  return true;
}

void Log::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || !lines_.empty(); });
    if (lines_.empty()) return;
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    lock.unlock();
    if (!put(line) && stop_) return;
  }
}

}  // namespace octet
