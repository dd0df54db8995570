#include "checkpoint/files.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/format.h"
#include "checkpoint/disk_file.h"
#include "octet/error.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& name, const std::string& what) {
  throw Error(Code::kIo, name + ": " + what);
}

void check_range(const ByteSource& source, std::uint64_t offset, std::size_t count) {
  if (offset > source.size() || count > source.size() - offset) {
    fail(source.name(), format("expected %zu bytes at offset %llu, file has %llu", count,
                               static_cast<unsigned long long>(offset),
                               static_cast<unsigned long long>(source.size())));
  }
}

class MemoryFile final : public ByteSource {
 public:
  MemoryFile(std::string name, std::span<const std::byte> bytes)
      : name_(std::move(name)), bytes_(bytes) {}
  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> destination) const override {
    check_range(*this, offset, destination.size());
    if (!destination.empty()) {
      std::memcpy(destination.data(), bytes_.data() + offset, destination.size());
    }
  }

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
};

class Folder final : public FileSet {
 public:
  explicit Folder(const std::string& path) : path_(path) {
    std::error_code error;
    scan(fs::path(path), "", 0, error);
    if (error) fail(path, "cannot be read as a folder: " + error.message());
    std::sort(files_.begin(), files_.end());
    if (exceeds_page_cache(bytes_)) cache_ = PageCache::kAvoid;
  }
  const std::string& location() const override { return path_; }
  bool has(const std::string& file) const override {
    return std::binary_search(files_.begin(), files_.end(), file);
  }
  std::vector<std::string> list() const override { return files_; }
  std::unique_ptr<ByteSource> open(const std::string& file) const override {
    return open_disk_file(path_ + "/" + file, cache_);
  }

 private:
  void scan(const fs::path& folder, const std::string& prefix, int depth, std::error_code& error) {
    constexpr int kDepth = 2;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string name = prefix + it->path().filename().string();
      std::error_code ignored;
      if (it->is_directory(ignored)) {
        if (depth + 1 < kDepth) scan(it->path(), name + "/", depth + 1, error);
      } else {
        files_.push_back(name);
        const std::uintmax_t size = it->file_size(ignored);
        if (!ignored) bytes_ += size;
      }
    }
  }

  std::string path_;
  std::vector<std::string> files_;
  std::uintmax_t bytes_ = 0;
  PageCache cache_ = PageCache::kFastest;
};

class Embedded final : public FileSet {
 public:
  Embedded(std::string location, std::span<const EmbeddedFile> files)
      : location_(std::move(location)), files_(files) {}
  const std::string& location() const override { return location_; }
  bool has(const std::string& file) const override { return find(file) != nullptr; }
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const EmbeddedFile& f : files_) names.emplace_back(f.name);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::unique_ptr<ByteSource> open(const std::string& file) const override {
    const EmbeddedFile* f = find(file);
    if (f == nullptr) fail(location_ + "/" + file, "no such file");
    return open_memory(location_ + "/" + file, std::as_bytes(std::span(f->begin, f->end)));
  }

 private:
  const EmbeddedFile* find(const std::string& file) const {
    for (const EmbeddedFile& f : files_) {
      if (file == f.name) return &f;
    }
    return nullptr;
  }

  std::string location_;
  std::span<const EmbeddedFile> files_;
};

}  // namespace

std::unique_ptr<ByteSource> open_file(const std::string& path) {
  std::error_code unknown;
  const std::uintmax_t size = fs::file_size(path, unknown);
  const bool avoid = !unknown && exceeds_page_cache(size);
  return open_disk_file(path, avoid ? PageCache::kAvoid : PageCache::kFastest);
}

std::unique_ptr<ByteSource> open_memory(std::string name, std::span<const std::byte> bytes) {
  return std::make_unique<MemoryFile>(std::move(name), bytes);
}

std::unique_ptr<FileSet> open_folder(const std::string& path) {
  return std::make_unique<Folder>(path);
}

std::unique_ptr<FileSet> open_embedded(std::string location, std::span<const EmbeddedFile> files) {
  return std::make_unique<Embedded>(std::move(location), files);
}

std::string read_text(const FileSet& files, const std::string& file, std::uint64_t limit) {
  const auto source = files.open(file);
  if (source->size() > limit) {
    fail(source->name(),
         format("expected at most %llu bytes, found %llu", static_cast<unsigned long long>(limit),
                static_cast<unsigned long long>(source->size())));
  }
  std::string text(static_cast<std::size_t>(source->size()), '\0');
  source->read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace octet
