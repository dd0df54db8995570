// Turns drawn pictures into files and sends them, on a thread of its own, so that the device does
// not wait for a PNG.
//
// Thread-safety: finish() from one thread. Errors: an encoder's becomes the job's failure; when the
// front is gone, nothing is done any more.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/channel.h"
#include "serve/runner.h"

namespace octet::serve {

class Finisher {
 public:
  Finisher(Channel& channel, std::vector<ServedModel> models, std::vector<ModelCard> cards);
  /// Finishes what it has.
  ~Finisher();
  Finisher(const Finisher&) = delete;
  Finisher& operator=(const Finisher&) = delete;

  /// Waits while too many pictures wait already: they are large.
  void finish(const JobMessage& job, GenerateResult result);

 private:
  struct Item {
    JobMessage job;
    GenerateResult result;
  };
  void work();
  void send(const ToFront& message);
  void encode_and_send(const Item& item);
  [[nodiscard]] std::vector<std::byte> file_of(const Item& item, const Picture& picture,
                                               std::vector<std::string>& warnings) const;

  Channel& channel_;
  const std::vector<ServedModel> models_;
  const std::vector<ModelCard> cards_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace octet::serve
