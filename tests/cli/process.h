// Runs a program as a user would, with its own folder, streams, limits and signals, and collects
// what it said.
#pragma once

#include <string>
#include <vector>

namespace octet::test {

/// A folder that is removed with everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  /// Names of everything inside, at any depth, hidden files too, sorted.
  [[nodiscard]] std::vector<std::string> files() const;

 private:
  std::string path_;
};

[[nodiscard]] std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);

/// Whether the programs under test are built with a sanitizer that needs terabytes of address
/// space, so that memory limits cannot be tested.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Whether a program can be given a terminal here: a bare chroot has none (no devpts is mounted).
[[nodiscard]] bool has_terminals();

struct ProcessOptions {
  std::string folder = "/";   // working directory
  std::string input;          // on standard input
  std::string stdout_file;    // standard output goes there instead of into ProcessResult
  bool close_stdout = false;  // start without a standard output
  bool close_pipe = false;    // standard output is a pipe that nobody reads
  bool terminal_out = false;  // standard output is a terminal
  bool terminal_err = false;  // standard error is a terminal
  bool unprivileged = false;  // as the user "nobody", when the tests run as root
  long memory_limit = 0;      // bytes of address space; 0: no limit
  long file_limit = -1;       // largest file in bytes; -1: no limit
  int signal = 0;             // sent when standard error contains signal_after
  int signals = 1;            // how many, 10 ms apart
  std::string signal_after;
};

struct ProcessResult {
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;
  std::string out, err;
  double seconds_after_signal = 0;
};

/// Waits for the end; a process that takes longer than two minutes is killed.
[[nodiscard]] ProcessResult run_process(const std::string& program,
                                        const std::vector<std::string>& arguments,
                                        const ProcessOptions& options = {});

}  // namespace octet::test
