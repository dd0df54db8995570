#include "engine/counted_files.h"

#include <algorithm>
#include <mutex>

#include "octet/error.h"

namespace octet {
namespace {

class Counter {
 public:
  Counter(std::uint64_t total, ByteHook hook)
      : total_(total), step_(total / 256 + 1), hook_(std::move(hook)) {}

  void add(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (stopped_) stop();  // the hook has said so to another thread
    // Headers and samples for the digest are read on top of what was promised.
    done_ = std::min(done_ + bytes, total_);
    if (done_ < told_ + step_ && done_ < total_) return;
    if (done_ == told_) return;
    told_ = done_;
    stopped_ = !hook_(done_, total_);
    if (stopped_) stop();
  }

 private:
  [[noreturn]] static void stop() { throw Error(Code::kCancelled, "interrupted"); }

  std::mutex mutex_;
  std::uint64_t total_, step_, done_ = 0, told_ = 0;
  bool stopped_ = false;
  ByteHook hook_;
};

class CountedSource final : public ByteSource {
 public:
  CountedSource(std::unique_ptr<ByteSource> source, std::shared_ptr<Counter> counter)
      : source_(std::move(source)), counter_(std::move(counter)) {}
  const std::string& name() const override { return source_->name(); }
  std::uint64_t size() const override { return source_->size(); }
  bool writable_by_all() const override { return source_->writable_by_all(); }
  void read(std::uint64_t offset, std::span<std::byte> destination) const override {
    source_->read(offset, destination);
    counter_->add(destination.size());
  }
  const RandomCodes* formula(std::uint64_t offset) const override {
    return source_->formula(offset);
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::shared_ptr<Counter> counter_;
};

class CountedFiles final : public FileSet {
 public:
  CountedFiles(std::unique_ptr<FileSet> files, std::uint64_t total, ByteHook hook)
      : files_(std::move(files)), counter_(std::make_shared<Counter>(total, std::move(hook))) {}
  const std::string& location() const override { return files_->location(); }
  std::string layout() const override { return files_->layout(); }
  bool stands_in(const std::string& file) const override { return files_->stands_in(file); }
  std::string advice(const std::string& part) const override { return files_->advice(part); }
  bool has(const std::string& file) const override { return files_->has(file); }
  std::vector<std::string> list() const override { return files_->list(); }
  std::unique_ptr<ByteSource> open(const std::string& file) const override {
    auto source = files_->open(file);
    if (!file.ends_with(".safetensors") && !file.ends_with(".gguf")) return source;
    return std::make_unique<CountedSource>(std::move(source), counter_);
  }

 private:
  std::unique_ptr<FileSet> files_;
  std::shared_ptr<Counter> counter_;
};

}  // namespace

std::unique_ptr<FileSet> count_reads(std::unique_ptr<FileSet> files, std::uint64_t total,
                                     ByteHook hook) {
  return std::make_unique<CountedFiles>(std::move(files), total, std::move(hook));
}

}  // namespace octet
