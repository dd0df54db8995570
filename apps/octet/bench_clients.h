// octet bench --clients: many clients at once against one picture after the other.
//
// From prompt to the bytes of a PNG. Every client asks for its next picture when it has the last,
// so the batch is as full as there are clients; encoding goes on beside it. Errors: as the
// engine's.
#pragma once

#include <string>

#include "bench_options.h"
#include "octet/engine.h"

namespace octet::cli {

struct ClientsReport {
  int clients = 0;
  int pictures = 0;          // of all clients
  double alone = 0;          // seconds for all of them, one after the other
  double together = 0;       // in one running batch
  double with_previews = 0;  // in one running batch, two previews a second for each client
  int previews = 0;          // that were shown
  double psnr = 0;  // the lowest of a picture of the batch against the one alone; infinity: equal
  double longest_step = 0;  // seconds of the longest step of the batch
};

[[nodiscard]] ClientsReport measure_clients(Engine& engine, const BenchOptions& options);
[[nodiscard]] std::string clients_text(const ClientsReport& report);
[[nodiscard]] std::string clients_json(const ClientsReport& report);

}  // namespace octet::cli
