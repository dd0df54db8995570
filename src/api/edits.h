// OpenAI's POST /v1/images/edits: image to image, and inpainting where a mask is transparent.
//
// Pictures are decoded in a caged child process (image/decode_child.h), which takes a while: a
// thread of its own waits for it, so that the server does not.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "api/service.h"

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

void add_edit_routes(http::Router& router, Service& service, Decoder& decoder);

}  // namespace octet::api
