#include "quantize/overlay_files.h"

#include <algorithm>

namespace octet {
namespace {

class Overlay final : public FileSet {
 public:
  Overlay(std::unique_ptr<FileSet> folder, std::string file)
      : folder_(std::move(folder)), file_(std::move(file)) {}

  const std::string& location() const override { return folder_->location(); }
  std::string layout() const override { return folder_->layout(); }
  bool stands_in(const std::string& file) const override { return folder_->stands_in(file); }
  std::string advice(const std::string& part) const override { return folder_->advice(part); }
  bool has(const std::string& file) const override {
    return file == kFp8TransformerFile || (!hidden(file) && folder_->has(file));
  }
  std::vector<std::string> list() const override {
    std::vector<std::string> names = folder_->list();
    names.erase(std::remove_if(names.begin(), names.end(), hidden), names.end());
    names.emplace_back(kFp8TransformerFile);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::unique_ptr<ByteSource> open(const std::string& file) const override {
    return file == kFp8TransformerFile ? open_file(file_) : folder_->open(file);
  }

 private:
  // The FP8 files that the folder has already, one or shards.
  static bool hidden(const std::string& file) {
    return file.starts_with("transformer/") && file.find(".fp8") != std::string::npos &&
           file.ends_with(".safetensors");
  }

  std::unique_ptr<FileSet> folder_;
  std::string file_;
};

}  // namespace

std::unique_ptr<FileSet> with_fp8_transformer(std::unique_ptr<FileSet> folder,
                                              const std::string& file) {
  return std::make_unique<Overlay>(std::move(folder), file);
}

}  // namespace octet
