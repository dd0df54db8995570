#include "backend/cuda/weight_ring.h"

#include "backend/cuda/status.h"
#include "base/check.h"

namespace octet::cuda {
namespace {

constexpr int kNaN = 0xFF;  // as every byte: NaN in FP32, BF16, FP16 and E4M3

void record(cudaEvent_t event, cudaStream_t stream) {
  check(cudaEventRecord(event, stream), "cudaEventRecord");
}

void wait(cudaStream_t stream, cudaEvent_t event) {
  check(cudaStreamWaitEvent(stream, event, 0), "cudaStreamWaitEvent");
}

}  // namespace

WeightRing::WeightRing(cudaStream_t compute, Buffer memory, bool poison)
    : compute_(compute),
      memory_(std::move(memory)),
      poison_(poison),
      place_bytes_(memory_.size() / kPlaces) {
  check(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "creating a CUDA stream");
  const auto event = [](cudaEvent_t* e) {
    check(cudaEventCreateWithFlags(e, cudaEventDisableTiming), "creating a CUDA event");
  };
  for (std::size_t i = 0; i < kPlaces; ++i) {
    places_[i].data = static_cast<char*>(memory_.data()) + i * place_bytes_;
    event(&places_[i].filled);
    event(&places_[i].free);
  }
  event(&fork_);
  event(&join_);
  event(&fence_);
}

WeightRing::~WeightRing() {
  (void)cudaStreamSynchronize(copies_);
  for (const Place& p : places_) {
    (void)cudaEventDestroy(p.filled);
    (void)cudaEventDestroy(p.free);
  }
  (void)cudaEventDestroy(fork_);
  (void)cudaEventDestroy(join_);
  (void)cudaEventDestroy(fence_);
  (void)cudaStreamDestroy(copies_);
}

int WeightRing::add(const void* home, std::size_t bytes) {
  OCTET_CHECK(bytes <= place_bytes_, "[weight ring] %zu bytes, places of %zu", bytes, place_bytes_);
  const int index = static_cast<int>(weights_.size());
  if (index > 0) weights_.back().next = index;  // the order of loading is a first guess
  weights_.push_back({.home = home, .bytes = bytes});
  return index;
}

char* WeightRing::bench() const { return places_[0].data; }

int WeightRing::place_of(int weight) const {
  for (std::size_t i = 0; i < kPlaces; ++i) {
    if (places_[i].holds == weight) return static_cast<int>(i);
  }
  return kNone;
}

void WeightRing::fill(Place& place, int weight) {
  const Entry& entry = weights_[static_cast<std::size_t>(weight)];
  if (place.read) wait(copies_, place.free);
  if (poison_) {
    check(cudaMemsetAsync(place.data, kNaN, place_bytes_, copies_), "poisoning a weight's place");
  }
  check(cudaMemcpyAsync(place.data, entry.home, entry.bytes, cudaMemcpyHostToDevice, copies_),
        "copying a weight to the device");
  record(place.filled, copies_);
  place.holds = weight;
  place.read = false;
}

const char* WeightRing::bring(int weight) {
  if (last_ != kNone && last_ != weight) weights_[static_cast<std::size_t>(last_)].next = weight;
  last_ = weight;
  const int found = place_of(weight);
  current_ = found == kNone ? (current_ + 1) % kPlaces : static_cast<std::size_t>(found);
  if (found == kNone) fill(places_[current_], weight);
  wait(compute_, places_[current_].filled);
  int next = weights_[static_cast<std::size_t>(weight)].next;
  for (std::size_t i = 1; i < kPlaces && next != kNone && next != weight; ++i) {
    Place& place = places_[(current_ + i) % kPlaces];
    if (place.holds != next) fill(place, next);
    next = weights_[static_cast<std::size_t>(next)].next;
  }
  return places_[current_].data;
}

void WeightRing::used() {
  Place& place = places_[current_];
  record(place.free, compute_);
  place.read = true;
}

void WeightRing::forget() {
  for (Place& p : places_) {
    p.holds = kNone;
    p.read = false;
  }
  current_ = 0;
  last_ = kNone;
}

void WeightRing::begin_capture() {
  forget();
  record(fork_, compute_);
  wait(copies_, fork_);
}

void WeightRing::end_capture() {
  record(join_, copies_);
  wait(compute_, join_);
  forget();
}

void WeightRing::before_graph() {
  record(fence_, copies_);
  wait(compute_, fence_);
}

void WeightRing::after_graph() {
  forget();
  for (Place& p : places_) {
    record(p.free, compute_);
    p.read = true;
  }
}

}  // namespace octet::cuda
