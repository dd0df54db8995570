#include "lock/scan.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>

#include "base/sha256.h"
#include "base/thread_pool.h"
#include "checkpoint/tensor_file.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::size_t kBlock = std::size_t{8} << 20;
constexpr std::uint64_t kSmallFile = std::uint64_t{64} << 20;  // read whole at any depth
constexpr int kMostThreads = 4;  // more would make a disk with a moving head jump

bool is_weight_file(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".gguf");
}

bool is_hidden(const std::string& name) {
  return name.starts_with(".") || name.find("/.") != std::string::npos;
}

using BytesRead = std::function<void(std::uint64_t)>;

// The digest of the first `size` bytes; the next block is read while one is digested.
std::string digest_of(const ByteSource& source, std::uint64_t size, const BytesRead& advance) {
  const auto block_at = [&](std::uint64_t offset) {
    return std::min<std::uint64_t>(kBlock, size - offset);
  };
  Sha256 hash;
  std::vector<std::byte> now(block_at(0)), next(size > kBlock ? kBlock : 0);
  source.read(0, now);
  for (std::uint64_t offset = 0; offset < size;) {
    const std::uint64_t length = block_at(offset);
    const std::uint64_t after = offset + length;
    std::future<void> ahead;
    if (after < size) {
      ahead = std::async(std::launch::async, [&, after] {
        source.read(after, std::span(next).first(block_at(after)));
      });
    }
    hash.update(std::span(now).first(length));
    if (ahead.valid()) ahead.get();
    advance(length);
    std::swap(now, next);
    offset = after;
  }
  return hash.finish_hex();
}

// Where the first tensor's bytes begin; the whole file when there is none.
std::uint64_t header_end(const TensorFile& file, std::uint64_t size) {
  std::uint64_t end = size;
  for (const auto& [name, info] : file.tensors()) end = std::min(end, info.offset);
  return end;
}

void describe_weights(const FileSet& files, LockedFile& f) {
  const auto opened = open_tensor_file(files.open(f.name));
  std::map<std::string, DtypeCount> counts;
  for (const auto& [name, info] : opened->tensors()) {
    DtypeCount& count = counts[info.dtype_name];
    count.dtype = info.dtype_name;
    count.tensors += 1;
    count.bytes += info.bytes;
  }
  for (const auto& [dtype, count] : counts) f.dtypes.push_back(count);
  const auto source = files.open(f.name);
  f.header_sha256 = digest_of(*source, header_end(*opened, f.size), [](std::uint64_t) {});
}

/// All files of one scan, read by several threads.
class Scan {
 public:
  Scan(const FileSet& files, ScanDepth depth, const ByteProgress& progress)
      : files_(files), depth_(depth), progress_(progress) {}

  std::vector<LockedFile> run() {
    for (const std::string& name : lockable_files(files_)) {
      result_.push_back({.name = name});
      attempt(result_.back(), [&](LockedFile& f) { f.size = files_.open(name)->size(); });
      if (reads_whole(result_.back())) total_ += result_.back().size;
    }
    // The largest first, so that no thread is left alone with it in the end.
    std::vector<LockedFile*> order;
    for (LockedFile& f : result_) order.push_back(&f);
    std::stable_sort(order.begin(), order.end(),
                     [](const LockedFile* a, const LockedFile* b) { return a->size > b->size; });
    ThreadPool pool(std::min(available_threads(), kMostThreads));
    pool.parallel_for(static_cast<std::int64_t>(order.size()), [&](std::int64_t i, int) {
      attempt(*order[static_cast<std::size_t>(i)], [&](LockedFile& f) { read(f); });
    });
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool reads_whole(const LockedFile& f) const {
    return depth_ == ScanDepth::kEveryByte || (!is_weight_file(f.name) && f.size <= kSmallFile);
  }

  template <typename Action>
  static void attempt(LockedFile& f, Action&& action) {
    if (!f.problem.empty()) return;
    try {
      action(f);
    } catch (const Error& error) {
      if (error.code() == Code::kCancelled) throw;
      f.problem = error.what();
    }
  }

  void read(LockedFile& f) {
    if (is_weight_file(f.name)) describe_weights(files_, f);
    if (!reads_whole(f)) return;
    const auto source = files_.open(f.name);
    f.sha256 = digest_of(*source, f.size, [&](std::uint64_t bytes) { advance(bytes); });
  }

  void advance(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    done_ += bytes;
    if (progress_ && !progress_(done_, total_)) throw Error(Code::kCancelled, "interrupted");
  }

  const FileSet& files_;
  ScanDepth depth_;
  const ByteProgress& progress_;
  std::vector<LockedFile> result_;
  std::uint64_t total_ = 0;
  std::mutex mutex_;  // guards done_ and the calls of progress_
  std::uint64_t done_ = 0;
};

}  // namespace

std::vector<std::string> lockable_files(const FileSet& files) {
  std::vector<std::string> names;
  for (const std::string& name : files.list()) {
    if (!is_hidden(name) && !name.ends_with(".lock")) names.push_back(name);
  }
  return names;
}

std::vector<LockedFile> scan_files(const FileSet& files, ScanDepth depth,
                                   const ByteProgress& progress) {
  return Scan(files, depth, progress).run();
}

std::string digest_of_files(const FileSet& files, const std::vector<std::string>& names) {
  Sha256 hash;
  for (const std::string& name : names) {
    const std::string text = name + '\0' + read_text(files, name);
    hash.update(std::as_bytes(std::span(text)));
    const std::byte end{0};
    hash.update(std::span(&end, 1));
  }
  return hash.finish_hex();
}

}  // namespace octet
