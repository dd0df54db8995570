// What the log says of requests and jobs: one line per event, with the trace that it belongs to.
//
// Prompts are only said when the server was told to. Thread-safety: all functions from any thread.
// Errors: none.
#pragma once

#include <string>

#include "base/log.h"
#include "http/message.h"
#include "serve/job.h"
#include "serve/supervisor.h"

namespace octet::api {

class Journal {
 public:
  /// `log` must outlive the journal.
  Journal(Log& log, bool prompts) : log_(log), prompts_(prompts) {}

  /// `milliseconds` until the answer began. What is asked all the time, GET that is, is said at
  /// level debug, unless it is an error of the server or of a key.
  void answered(const http::Request& request, int status, double milliseconds, bool often);
  void accepted(const serve::JobSpec& spec, const std::string& token);
  void ended(const serve::JobView& view);
  void worker(const serve::WorkerStatus& status);

 private:
  Log& log_;
  const bool prompts_;
};

}  // namespace octet::api
