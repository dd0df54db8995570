#include "base/start_thread.h"

#include "base/format.h"
#include "octet/error.h"

namespace octet {

void refuse_thread(const std::error_code& reason) {
  throw Error(
      Code::kOutOfMemory,
      format("limits: no further thread or process can be started: %s; allow more: ulimit -u "
             "unlimited, TasksMax= of the systemd unit, docker run --pids-limit, or take "
             "fewer --threads",
             reason.message().c_str()));
}

}  // namespace octet
