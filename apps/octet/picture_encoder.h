// Pictures of a run to files while the next ones are decoded.
//
// Ownership: what a function refers to must outlive finish() and the encoder. Thread-safety: one
// caller; functions run on another thread, one at a time, in their order. Errors: what a function
// throws comes out of the next call.
#pragma once

#include <cstddef>
#include <functional>
#include <future>
#include <vector>

namespace octet::cli {

class PictureEncoder {
 public:
  using File = std::vector<std::byte>;

  /// Begins to encode, when the picture before is done.
  void add(const std::function<File()>& encode);
  /// All files, in the order of their pictures; waits for the last.
  [[nodiscard]] std::vector<File> finish();

 private:
  void collect();

  std::vector<File> files_;
  std::future<File> current_;
};

}  // namespace octet::cli
