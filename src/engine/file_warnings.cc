#include "engine/file_warnings.h"

#include <set>

#include "base/format.h"

namespace octet {

std::vector<std::string> file_warnings(const FileSet& files, const std::vector<LoraOption>& loras) {
  std::set<std::string> writable;
  const auto look = [&](const ByteSource& source) {
    if (source.writable_by_all()) writable.insert(source.name());
  };
  for (const std::string& file : files.list()) {
    if (!files.stands_in(file)) look(*files.open(file));
  }
  for (const LoraOption& lora : loras) look(*open_file(lora.path));
  if (writable.empty()) return {};
  return {
      format("every user of this machine may change %zu files of the model (%s): chmod o-w "
             "them, or hold the model to a lock (octet lock, octet verify --full)",
             writable.size(), excerpt(*writable.begin(), 200).c_str())};
}

}  // namespace octet
