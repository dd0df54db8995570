// Pictures that requests bring: decoded in a caged child process (image/decode_child.h), which
// takes a while, so that a thread of its own waits for it and not the server.
//
// Errors: RequestError naming the field of a picture that cannot be read.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "api/service.h"
#include "image/decode.h"

namespace octet::api {

/// Runs tasks one after the other on a thread of its own. Thread-safe.
class Decoder {
 public:
  Decoder();
  /// Drops what has not begun.
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// False when too many wait already.
  [[nodiscard]] bool run(std::function<void()> task);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stop_ = false;
  std::thread thread_;
};

/// What may read pictures: like a handler, on the decoder's thread.
using PictureHandler = void (*)(Service&, const http::Request&,
                                const std::shared_ptr<http::Exchange>&);
using Wording = http::Response (*)(const RequestError&);

/// Hands requests to the decoder's thread and words what the function throws.
[[nodiscard]] http::Handler on_decoder(Decoder& decoder, Service& service, PictureHandler function,
                                       Wording wording);

/// The picture of a request's field.
[[nodiscard]] DecodedPicture decode_field(std::span<const std::byte> bytes, const char* field);

}  // namespace octet::api
