// Generates for a long time in one process and fails when memory or open files grow, when a
// cancelled or refused request harms the ones after it, or when the same request ever gives other
// bytes: soak_generate SECONDS [MODEL].
//
// One round makes requests of several sizes, batches and lengths, cancels one midway, sends a
// refused one, and ends with the same reference request. Every few rounds the engine is built anew,
// so that loading is watched as well.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "octet/engine.h"
#include "octet/error.h"

namespace {

using octet::Engine;
using octet::GenerateRequest;
using octet::GenerateResult;

constexpr int kRoundsPerEngine = 5;
constexpr int kWarmUpRounds = 2 * kRoundsPerEngine;  // every size and one reload seen
constexpr double kAllowedGrowth = 0.05;              // of resident memory, after warm-up

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

std::size_t open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

GenerateRequest reference_request() {
  return {.prompt = "a red apple on a blue background", .steps = 4, .seed = 7};
}

std::vector<std::uint8_t> pixels(const GenerateResult& result) { return result.pictures[0].rgb; }

void vary(Engine& engine, int round) {
  const auto seed = static_cast<std::uint64_t>(round);
  (void)engine.generate({.prompt = "two green frogs", .steps = 2, .seed = seed, .batch = 2}, {});
  (void)engine.generate({.prompt = std::string(static_cast<std::size_t>(1 + round % 400), 'x'),
                         .negative_prompt = "a cat on the left",
                         .steps = 1 + round % 3,
                         .seed = seed,
                         .width = 128 + 16 * (round % 8),
                         .height = 256 - 16 * (round % 5)},
                        {});
}

void cancel(Engine& engine) {
  octet::GenerateHooks hooks;
  hooks.progress = [](const octet::Progress& p) {
    return p.stage != octet::Stage::kDenoise || p.step < 2;
  };
  try {
    (void)engine.generate({.prompt = "cancelled", .steps = 8, .seed = 1}, hooks);
  } catch (const octet::Error& error) {
    if (error.code() == octet::Code::kCancelled) return;
    throw;
  }
  throw std::runtime_error("a cancelled request ran to its end");
}

void refuse(Engine& engine) {
  try {
    (void)engine.generate({.prompt = "refused", .width = 250}, {});
  } catch (const octet::Error& error) {
    if (error.code() == octet::Code::kInvalidArgument) return;
    throw;
  }
  throw std::runtime_error("a width of 250 was accepted");
}

int soak(double seconds, const std::string& model) {
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::unique_ptr<Engine> engine;
  std::vector<std::uint8_t> expected;
  std::size_t memory = 0, files = 0, peak = 0;
  int round = 0;
  for (; elapsed() < seconds || round <= kWarmUpRounds; ++round) {
    if (round % kRoundsPerEngine == 0) {
      engine.reset();
      engine = std::make_unique<Engine>(octet::EngineOptions{.model = model});
    }
    vary(*engine, round);
    cancel(*engine);
    refuse(*engine);
    const auto found = pixels(engine->generate(reference_request(), {}));
    if (expected.empty()) expected = found;
    if (found != expected) throw std::runtime_error("the same request gave other bytes");
    if (round <= kWarmUpRounds) {
      memory = std::max(memory, resident_bytes());
      files = open_files();
    }
    peak = std::max(peak, resident_bytes());
    if (round % kRoundsPerEngine == 0) {
      std::printf("soak: %.0f s, round %d, %.1f MiB, %zu files\n", elapsed(), round,
                  static_cast<double>(resident_bytes()) / 1048576, open_files());
      std::fflush(stdout);
    }
  }
  const double growth = static_cast<double>(peak) / static_cast<double>(memory) - 1;
  std::printf("soak: %d rounds, memory grew by %.1f %% (<= %.0f), files from %zu to %zu\n", round,
              100 * growth, 100 * kAllowedGrowth, files, open_files());
  return growth <= kAllowedGrowth && open_files() == files ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: soak_generate SECONDS [MODEL]\n");
    return 2;
  }
  try {
    return soak(std::atof(argv[1]), argc == 3 ? argv[2] : "emoji");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "soak: %s\n", error.what());
    return 1;
  }
}
