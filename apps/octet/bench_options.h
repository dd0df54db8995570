// Everything that `octet bench` can be told.
//
// Thread-safety: values. Errors: kInvalidArgument naming the flag.
#pragma once

#include <string>
#include <vector>

#include "commands.h"
#include "octet/engine.h"
#include "octet/request.h"

namespace octet::cli {

struct BenchOptions {
  EngineOptions engine;
  GenerateRequest request;  // its batch is set from `batches`
  std::vector<int> batches = {1};
  int clients = 0;  // at once, in a running batch; 0: measure `batches`
  int warmup = 1;
  int rounds = 3;
  bool ops = false;
  bool json = false;
};

/// False: help was asked for and printed.
[[nodiscard]] bool read_bench_options(Words words, BenchOptions& options);

}  // namespace octet::cli
