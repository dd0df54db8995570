// The worker as a process: started from this program's own file with one end of a socket pair.
//
// Thread-safety: one thread at a time. Errors: Error(kDevice) when the system starts no process.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "serve/channel.h"

namespace octet::serve {

class ChildProcess {
 public:
  /// Descriptor that the child finds its end of the channel under.
  static constexpr int kChannelDescriptor = 3;

  /// `words` follow the program's name.
  explicit ChildProcess(const std::vector<std::string>& words);
  /// Kills it if it still runs, and waits for its end.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Channel& channel() { return *channel_; }
  void kill() const;
  /// Waits for its end and says how it came: "exit code 6", "killed by signal 9 (Killed)".
  std::string wait();

 private:
  pid_t pid_ = -1;
  std::unique_ptr<Channel> channel_;
  std::string end_;
};

}  // namespace octet::serve
