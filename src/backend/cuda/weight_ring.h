// WeightRing: a few places in device memory through which weights pass that live in host memory.
//
// bring() makes the compute stream wait until a weight is in a place; a second stream copies the
// weights that followed it last time into the other places meanwhile. A place is filled again only
// behind the event of used(): the op that read it. A wrong guess of what follows costs time, never
// correctness. Inside of a capture the copies become part of the graph, which begins and ends with
// empty places. Owns its memory, stream and events. One thread at a time. Errors: Error(kDevice).
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <vector>

#include "backend/cuda/packed_weight.h"

namespace octet::cuda {

class WeightRing {
 public:
  static constexpr std::size_t kPlaces = 4;

  /// memory: kPlaces of equal size. poison: places are overwritten with NaN before they are filled.
  WeightRing(cudaStream_t compute, Buffer memory, bool poison);
  ~WeightRing();
  WeightRing(const WeightRing&) = delete;
  WeightRing& operator=(const WeightRing&) = delete;

  /// Number of a weight whose `home` bytes are in pinned memory. They must outlive the ring's use.
  [[nodiscard]] int add(const void* home, std::size_t bytes);
  /// Where to prepare a weight before it goes home; nothing else may be under way.
  [[nodiscard]] char* bench() const;
  /// The weight's bytes on the device, for ops launched on the compute stream before used().
  [[nodiscard]] const char* bring(int weight);
  void used();

  /// First and last inside of a capture of the compute stream.
  void begin_capture();
  void end_capture();
  /// A capture that failed is followed by this.
  void forget();
  /// Around every launch of a graph.
  void before_graph();
  void after_graph();

 private:
  static constexpr int kNone = -1;
  struct Entry {
    const void* home;
    std::size_t bytes;
    int next = kNone;  // what followed last time
  };
  struct Place {
    char* data = nullptr;
    int holds = kNone;
    bool read = false;  // by an op behind which `free` stands
    cudaEvent_t filled = nullptr, free = nullptr;
  };

  [[nodiscard]] int place_of(int weight) const;
  void fill(Place& place, int weight);

  cudaStream_t compute_, copies_ = nullptr;
  Buffer memory_;
  bool poison_;
  std::size_t place_bytes_;
  std::array<Place, kPlaces> places_;
  std::vector<Entry> weights_;
  std::size_t current_ = 0;
  int last_ = kNone;
  cudaEvent_t fork_ = nullptr, join_ = nullptr;  // inside of a capture
  cudaEvent_t fence_ = nullptr;                  // outside
};

}  // namespace octet::cuda
