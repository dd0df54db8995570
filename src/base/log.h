// The program's log: one line per event on standard error, as text or as JSON.
//
//   log.info("job ended", {{"job", token}, {"state", "done"}, {"seconds", 0.41}});
//   octet: job ended job=job_3f... state=done seconds=0.41
//   {"time":"2026-11-25T14:00:00.123Z","level":"info","event":"job ended","job":"job_3f...",...}
//
// A thread of its own writes, so that whoever reads the log slowly stops nobody: what does not fit
// into the queue is dropped, and how many lines were is said. Values are cut at 1 KiB; control
// characters are escaped. Thread-safety: all functions from any thread. Errors: none, but for those
// of start_thread in the constructor.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace octet {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

using LogValue = std::variant<std::string, std::int64_t, double, bool>;
using LogFields = std::vector<std::pair<std::string, LogValue>>;

/// One line without its end. `time` in milliseconds since 1970.
[[nodiscard]] std::string log_line(LogFormat format, LogLevel level, const std::string& event,
                                   const LogFields& fields, std::int64_t time);

class Log {
 public:
  Log(LogFormat format, LogLevel least, int descriptor);
  /// Writes what waits, as long as the reader takes something every second.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// The same, once: nothing is written afterwards.
  void flush();
  void write(LogLevel level, const std::string& event, const LogFields& fields = {});
  void debug(const std::string& e, const LogFields& f = {}) { write(LogLevel::kDebug, e, f); }
  void info(const std::string& e, const LogFields& f = {}) { write(LogLevel::kInfo, e, f); }
  void warning(const std::string& e, const LogFields& f = {}) { write(LogLevel::kWarning, e, f); }
  void error(const std::string& e, const LogFields& f = {}) { write(LogLevel::kError, e, f); }

 private:
  void work();
  bool put(const std::string& line) const;

  const LogFormat format_;
  const LogLevel least_;
  const int descriptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  std::uint64_t dropped_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace octet
