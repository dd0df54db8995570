// octet bench: draws the same picture several times and reports where the time went.

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/format.h"
#include "bench_clients.h"
#include "bench_options.h"
#include "bench_report.h"
#include "commands.h"
#include "doctor/doctor.h"
#include "gpu_monitor.h"
#include "image/image.h"
#include "interrupt.h"
#include "octet/engine.h"
#include "picture_encoder.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::pair<BenchRound, GenerateResult> draw(Engine& engine, const GenerateRequest& request,
                                           int threads) {
  PictureEncoder pictures;
  GenerateHooks hooks{
      .progress = [](const Progress&) { return !interrupted(); }, .dump = {}, .picture = {}};
  hooks.picture = [&](const Picture& p, const UsedSettings&) {
    pictures.add([&p, threads] {
      return encode({.width = p.width, .height = p.height, .rgb = p.rgb}, ImageFormat::kPng,
                    {.threads = threads});
    });
  };
  const Clock::time_point start = Clock::now();
  GenerateResult result = engine.generate(request, hooks);
  const Clock::time_point encoding = Clock::now();
  (void)pictures.finish();
  BenchRound round{.stages = result.seconds};
  round.encode = seconds_since(encoding);
  round.total = seconds_since(start);
  return {round, std::move(result)};
}

BenchBatch measure(Engine& engine, const BenchOptions& options, int batch, GpuMonitor& gpu) {
  GenerateRequest request = options.request;
  request.batch = batch;
  BenchBatch result{.batch = batch, .used = {}, .rounds = {}, .work = engine.count(request)};
  gpu.reset_peak();
  for (int i = 0; i < options.warmup + options.rounds; ++i) {
    const bool counted = i >= options.warmup;
    const auto [round, drawn] = draw(engine, request, options.engine.threads);
    if (counted) result.rounds.push_back(round);
    result.used = drawn.used;
    result.activation_bytes = drawn.activation_peak_bytes;
    if (!options.json) {
      print_line(format("batch %d, %s %d: %.3f s", batch, counted ? "round" : "warm-up",
                        counted ? i - options.warmup + 1 : i + 1, round.total));
    }
  }
  result.device_peak_bytes = gpu.peak_bytes();
  return result;
}

Engine load(const EngineOptions& options) {
  doctor::require_fit({.engine = options});
  try {
    return Engine(options);  // neither copied nor moved
  } catch (const Error& error) {
    throw doctor::named(error, options);
  }
}

}  // namespace

int run_bench(Words words) {
  install_interrupt_handlers();
  BenchOptions options;
  if (!read_bench_options(words, options)) return 0;
  GpuMonitor gpu(options.engine.device);
  EngineOptions engine_options = options.engine;
  engine_options.memory.request = options.request;
  engine_options.memory.request.batch =
      *std::max_element(options.batches.begin(), options.batches.end());
  Engine engine = load(engine_options);
  const CleanStop clean_stop;
  if (options.clients > 0) {
    const ClientsReport clients = measure_clients(engine, options);
    write_stdout(options.json ? clients_json(clients) : clients_text(clients));
    return 0;
  }
  BenchReport report{
      .options = options, .model = engine.model(), .batches = {}, .gpu = {}, .ops = {}};
  for (const int batch : options.batches) {
    report.batches.push_back(measure(engine, options, batch, gpu));
  }
  if (engine.model().device.starts_with("cuda")) report.gpu = gpu.read();
  if (options.ops) {
    GenerateRequest request = options.request;
    request.batch = options.batches.front();
    request.steps = 2;
    report.ops = engine.profile(request);
  }
  write_stdout(options.json ? bench_json(report) : bench_text(report));
  return 0;
}

}  // namespace octet::cli
