// A job: one request for pictures, from its acceptance to its one end.
//
// Thread-safety: plain values. Units: seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/messages.h"

namespace octet::serve {

/// Jobs of a higher class are drawn first.
enum class Priority : std::uint8_t { kHigh, kNormal, kLow };
inline constexpr int kPriorities = 3;

enum class JobState : std::uint8_t { kQueued, kRunning, kDone, kFailed, kCancelled };
[[nodiscard]] const char* name_of(JobState state);  // "queued", "running", ...
[[nodiscard]] inline bool is_over(JobState state) { return state >= JobState::kDone; }

/// Who ended a job before it was done.
enum class CancelCause : std::uint8_t { kClient, kDisconnect, kDeadline, kDrain };
[[nodiscard]] const char* name_of(CancelCause cause);  // "client", "disconnect", ...

struct JobSpec {
  std::string model;
  GenerateRequest request;
  PictureFile file;
  Priority priority = Priority::kNormal;
  std::string owner;               // who may see and cancel it
  std::string route;               // where it came in
  std::string traceparent = {};    // of the request (W3C Trace Context)
  std::optional<double> deadline;  // seconds from acceptance; then it is cancelled
  bool previews = false;           // wanted while it is drawn
  bool keep = false;               // its pictures stay for a while after its end
};

struct JobPicture {
  int index = 0;
  int width = 0, height = 0;
  std::uint64_t seed = 0;
  std::shared_ptr<const std::vector<std::byte>> bytes;  // the file; null when no longer kept
  std::string digest = {};                              // SHA-256 of the file
};

/// How a job stands.
struct JobView {
  JobId id = 0;
  std::string token;           // the name that clients know it by
  std::uint64_t revision = 0;  // grows with every change
  JobState state = JobState::kQueued;
  std::string model, owner, route, traceparent;
  ImageFormat format = ImageFormat::kPng;
  Priority priority = Priority::kNormal;
  std::int64_t created = 0;        // Unix time
  std::size_t queue_position = 0;  // jobs before it; of a queued one
  Stage stage = Stage::kText;
  int step = 0, steps = 0;    // of a running one
  std::optional<double> eta;  // until its end; empty: nothing is known yet
  double queue_seconds = 0, run_seconds = 0;
  int attempts = 0;                         // how often the worker began it
  std::optional<CancelCause> cancel_cause;  // set as soon as somebody asked
  Code error_code = Code::kInternal;        // of a failed one
  std::string error;                        // of a failed one
  bool impossible = false;                  // it failed because it cannot fit into the memory
  DoneMessage done;                         // of one that is done
  std::vector<JobPicture> pictures;
  int previews = 0;                                       // how many there have been
  std::shared_ptr<const std::vector<std::byte>> preview;  // the latest: a small PNG
};

/// Told about every change, on any thread and outside of all locks; views may come out of order,
/// which their revision tells.
using JobListener = std::function<void(const JobView&)>;

}  // namespace octet::serve
