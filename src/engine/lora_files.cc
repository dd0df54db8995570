#include "engine/lora_files.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/format.h"

namespace octet {
namespace {

class FilesWithLoras final : public FileSet {
 public:
  FilesWithLoras(std::unique_ptr<FileSet> files, const std::vector<LoraOption>& loras)
      : files_(std::move(files)) {
    const std::vector<std::string> names = lora_file_names(loras);
    for (std::size_t i = 0; i < names.size(); ++i) paths_[names[i]] = loras[i].path;
  }
  const std::string& location() const override { return files_->location(); }
  std::string layout() const override { return files_->layout(); }
  bool has(const std::string& file) const override {
    return paths_.count(file) != 0 || files_->has(file);
  }
  bool stands_in(const std::string& file) const override { return files_->stands_in(file); }
  std::string advice(const std::string& part) const override { return files_->advice(part); }
  std::vector<std::string> list() const override {
    std::vector<std::string> names = files_->list();
    for (const auto& [name, path] : paths_) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::unique_ptr<ByteSource> open(const std::string& file) const override {
    const auto it = paths_.find(file);
    return it == paths_.end() ? files_->open(file) : open_file(it->second);
  }

 private:
  std::unique_ptr<FileSet> files_;
  std::map<std::string, std::string> paths_;  // of LoRA files
};

}  // namespace

std::vector<std::string> lora_file_names(const std::vector<LoraOption>& loras) {
  std::vector<std::string> names;
  for (const LoraOption& lora : loras) {
    names.push_back(format("lora/%zu/%s", names.size() + 1,
                           std::filesystem::path(lora.path).filename().c_str()));
  }
  return names;
}

std::unique_ptr<FileSet> with_loras(std::unique_ptr<FileSet> files,
                                    const std::vector<LoraOption>& loras) {
  return std::make_unique<FilesWithLoras>(std::move(files), loras);
}

}  // namespace octet
