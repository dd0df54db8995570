// `octet serve` with a stub engine, as a process with a port of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/http_client.h"

namespace octet::test {

class ServerProcess {
 public:
  /// Waits until it is ready unless told otherwise. `before_start` runs in the child before exec.
  /// With --tls-cert it is spoken to by TLS.
  explicit ServerProcess(const std::vector<std::string>& flags = {}, bool wait_until_ready = true,
                         bool free_port = true, void (*before_start)() = nullptr);
  /// Ends it, by force if need be.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// The process that the server started; 0 while there is none.
  [[nodiscard]] pid_t worker() const;
  void signal(int number) const;
  /// Waits for its end: the exit code, or 128 and the signal.
  int wait();
  /// What it has said so far on standard error.
  [[nodiscard]] std::string said() const;

  [[nodiscard]] HttpAnswer get(const std::string& path) const {
    return http_request(port_, "GET", path, "", "", tls_);
  }
  [[nodiscard]] HttpAnswer post(const std::string& path, const std::string& body,
                                const std::string& headers = "") const {
    return http_request(port_, "POST", path, body, headers, tls_);
  }
  [[nodiscard]] HttpAnswer draw(const std::string& body) const {
    return post("/v1/images/generations", body);
  }

 private:
  std::string log_;  // file
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  bool tls_ = false;
};

/// Looks every 10 ms, for 10 s.
bool eventually(const std::function<bool()>& condition);

}  // namespace octet::test
