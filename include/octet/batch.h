// Batch: many requests in one running batch, each as if it were alone.
//
//   auto batch = engine.start_batch({.max_pictures = 8});
//   batch->join({.prompt = "a red apple"}, {.done = ..., .failed = ...});
//   while (batch->step()) { ... join and cancel others ... }
//
// Requests whose pictures and texts have the same size are denoised together and come and go
// between steps; prompts, seeds, steps, samplers and guidance are each request's own. On the CPU
// every picture has the bytes that Engine::generate gives it. On a GPU that holds for compute type
// f32; with fewer bits the batch's size can change the rounding of products: a PSNR of
// at least 30 dB (fp8) or 35 dB (bf16) against the picture alone; all measured so far were equal.
//
// Turns: requests of another size, or for which there is no room, wait. Those behind them may pass,
// but at most `max_pictures` pictures pass a waiting request; then nobody joins before it. So a
// request waits for those in flight and a bounded number of others.
//
// Ownership: the batch keeps requests and hooks until their end; it must not outlive its engine.
// Thread-safety: all calls from one thread, the one that uses the engine.
//
// Errors: join throws Error(kInvalidArgument) for a field, Error(kOutOfMemory) for a request that
// does not fit even alone. What goes wrong later with one request is told to its `failed`. Only
// Error(kDevice) leaves step(): then the device is lost, with all requests that have had no end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "octet/error.h"
#include "octet/request.h"

namespace octet {

struct BatchOptions {
  int max_pictures = 8;        // denoised at once; a request with more of its own runs alone
  std::size_t max_memory = 0;  // bytes of activations; 0: what the device has free
  /// Bytes of encoded prompts kept on the host. Empty: 64 prompts, but at most 256 MiB.
  std::optional<std::size_t> prompt_cache;
};

/// How a request's pictures are going to look, guessed after a step: small, one pixel for 8 x 8.
struct Preview {
  int step = 0;  // from 1
  int steps = 0;
  std::vector<Picture> pictures;
};

/// Called inside of step(); they may call anything but step. All may be empty. An
/// Error that `progress` or `preview` throws ends the request.
struct BatchHooks {
  /// Returns false to cancel within one step.
  std::function<bool(const Progress&)> progress;
  /// When it was asked for, after the progress of its step.
  std::function<void(Preview)> preview;
  /// Exactly one of the two is called, once, and nothing after it.
  std::function<void(GenerateResult)> done;
  std::function<void(const Error&)> failed;  // kCancelled when it was cancelled
};

/// How much is in the batch: pictures, bytes, and what its cache of prompts has done so far.
struct BatchLoad {
  int waiting = 0;  // not begun
  int running = 0;  // at their text or being denoised
  int decoding = 0;
  std::size_t activation_bytes = 0;  // planned for and reserved
  std::size_t prompt_bytes = 0;      // in the cache
  std::uint64_t prompt_hits = 0, prompt_misses = 0;
};

class Batch {
 public:
  using Id = std::uint64_t;

  Batch() = default;
  virtual ~Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  /// Queues a request. No work is done, no hook called.
  virtual Id join(GenerateRequest request, BatchHooks hooks) = 0;
  /// One denoising step of every picture in flight, and at most one request's text and one
  /// picture's decoding. False when nothing is left to do.
  virtual bool step() = 0;
  /// The request ends at the next step(), before any work. Unknown and ended ones are ignored.
  virtual void cancel(Id id) = 0;
  /// Wants a preview of the request's next step. Costs the device a wait for that step: ask twice a
  /// second, not at every step. Unknown and ended requests are ignored.
  virtual void ask_preview(Id id) = 0;
  [[nodiscard]] virtual bool idle() const = 0;
  [[nodiscard]] virtual BatchLoad load() const = 0;
};

}  // namespace octet
