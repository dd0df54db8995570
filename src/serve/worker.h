// The worker process: alone touches the device, draws what the front sends.
//
// Three threads: one reads messages, one draws, one encodes pictures while the next are drawn.
// When the front is gone the process ends at once: nobody would read what it draws.
#pragma once

#include "base/log.h"
#include "octet/error.h"
#include "serve/runner.h"

namespace octet::serve {

/// Loads, serves and returns the exit code of the process. `descriptor` is the worker's end of the
/// channel.
int run_worker(int descriptor, const RunnerOptions& options, Log& log);

/// Instead: tells the front why there will be no worker.
void refuse_worker(int descriptor, const Error& reason);

}  // namespace octet::serve
