#include "api/decoder.h"

#include <new>
#include <utility>

#include "base/start_thread.h"
#include "image/decode_child.h"

namespace octet::api {
namespace {

constexpr std::size_t kWaiting = 16;  // bodies that wait for the decoder

RequestError too_many_pictures() {
  RequestError error(429, "rate_limit_exceeded", "too many pictures wait for their decoding");
  error.retry_after = 1;
  return error;
}

}  // namespace

Decoder::Decoder() : thread_(start_thread([this] { work(); })) {}

Decoder::~Decoder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    tasks_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

bool Decoder::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (tasks_.size() >= kWaiting) return false;
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
  return true;
}

void Decoder::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
    if (stop_) return;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }
}

http::Handler on_decoder(Decoder& decoder, Service& service, PictureHandler function,
                         Wording wording) {
  return [&decoder, &service, function, wording](const http::Request& request,
                                                 const std::shared_ptr<http::Exchange>& exchange) {
    const bool waits = decoder.run([&service, function, wording, request, exchange] {
      try {
        function(service, request, exchange);
      } catch (const RequestError& error) {
        exchange->respond(wording(error));
      } catch (const Error& error) {
        exchange->respond(wording(RequestError(500, "server_error", error.what())));
      } catch (const std::bad_alloc&) {
        exchange->respond(wording(RequestError(503, "out_of_memory", "not enough memory")));
      }
    });
    if (!waits) throw too_many_pictures();
  };
}

DecodedPicture decode_field(std::span<const std::byte> bytes, const char* field) {
  try {
    return decode_picture_apart(bytes, field);
  } catch (const Error& error) {
    if (error.code() != Code::kInvalidArgument) throw;
    throw RequestError(400, "invalid_image", error.what(), field);
  }
}

}  // namespace octet::api
