// What front and worker say to each other.
//
// The front sends JobMessage, CancelMessage and ShutdownMessage; the worker answers with
// ReadyMessage or UnusableMessage once, then for every job any number of ProgressMessage and one
// PictureMessage per picture, and at last DoneMessage or FailedMessage. Thread-safety: plain
// values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "image/image.h"
#include "octet/error.h"
#include "octet/request.h"

namespace octet::serve {

using JobId = std::uint64_t;

/// The file that a picture shall become.
struct PictureFile {
  ImageFormat format = ImageFormat::kPng;
  int quality = -1;                      // of JPEG and WebP, 0..100; -1: the encoder's own
  bool provenance = true;                // whether it says where it comes from
  std::string init_digest, mask_digest;  // SHA-256 of the files that the request began with
};

struct JobMessage {
  JobId id = 0;
  std::string model;
  GenerateRequest request;
  PictureFile file;
  bool previews = false;           // wanted, at most two a second
  std::string token, traceparent;  // for the log
};

struct CancelMessage {
  JobId id = 0;
};

/// No further jobs come; the worker ends when those that it has are done.
struct ShutdownMessage {};

/// What a loaded model can draw and what it draws when it is not told.
struct ModelCard {
  std::string name;
  std::string digest;
  std::string variant;
  std::string device;
  std::string compute;  // of the transformer
  int width = 0, height = 0;
  int side_multiple = 16, longest_side = 0;
  int steps = 0;
  float guidance = 0;
  std::string sampler, schedule;
  double load_seconds = 0;
  std::uint64_t weight_bytes = 0;
};

struct ReadyMessage {
  std::vector<ModelCard> models;
  int slots = 1;  // jobs that the worker takes at once
};

/// A model cannot be loaded: the worker ends.
struct UnusableMessage {
  Code code = Code::kInternal;
  std::string message;
};

struct ProgressMessage {
  JobId id = 0;
  Stage stage = Stage::kText;
  int step = 0, steps = 0;
};

/// What one step of a model's running batch was.
struct StepMessage {
  std::string model;
  int width = 0, height = 0;  // of the pictures that were denoised
  int pictures = 0;           // how many; 0: others were decoded only
  double seconds = 0;         // of a denoising step, with what was done beside it
  std::uint64_t activation_bytes = 0, prompt_bytes = 0;  // as in BatchLoad
  std::uint64_t prompt_hits = 0, prompt_misses = 0;      // since the worker began
};

/// How the first picture is going to look.
struct PreviewMessage {
  JobId id = 0;
  int step = 0, steps = 0;
  std::vector<std::byte> bytes;  // a small PNG
};

struct PictureMessage {
  JobId id = 0;
  int index = 0;
  int width = 0, height = 0;
  std::uint64_t seed = 0;
  std::vector<std::byte> bytes;  // of the file
};

struct DoneMessage {
  JobId id = 0;
  UsedSettings used;
  StageSeconds seconds;
  double encode_seconds = 0;
  std::uint64_t activation_bytes = 0;
  std::vector<std::string> warnings;
};

struct FailedMessage {
  JobId id = 0;
  Code code = Code::kInternal;
  std::string message;
  bool impossible = false;  // the planner found that it would not fit even alone: nothing was done
};

using ToWorker = std::variant<JobMessage, CancelMessage, ShutdownMessage>;
using ToFront = std::variant<ReadyMessage, UnusableMessage, ProgressMessage, PreviewMessage,
                             PictureMessage, DoneMessage, FailedMessage, StepMessage>;

/// Kind and fields of a message; the decoders throw Error(kInternal) for anything else.
[[nodiscard]] std::vector<std::byte> encode_message(const ToWorker& message);
[[nodiscard]] std::vector<std::byte> encode_message(const ToFront& message);
[[nodiscard]] ToWorker decode_to_worker(std::span<const std::byte> bytes);
[[nodiscard]] ToFront decode_to_front(std::span<const std::byte> bytes);

}  // namespace octet::serve
