#include "engine/find_model.h"

#include <filesystem>

#include "base/format.h"
#include "engine/embedded.h"
#include "engine/synthetic_model.h"
#include "octet/engine.h"
#include "octet/error.h"

namespace octet {

std::unique_ptr<FileSet> find_model(const std::string& model) {
  for (const EmbeddedModel& built_in : embedded_models()) {
    if (model == built_in.name) return open_embedded("built-in:" + model, built_in.files);
  }
  if (model.starts_with(kSyntheticPrefix)) return open_synthetic(model);
  std::error_code error;
  if (!std::filesystem::exists(model, error)) {
    std::string known;
    for (const std::string& name : builtin_models()) known += " " + name;
    throw Error(Code::kIo, "model: expected a folder or one of:" + known +
                               "; found no such path: " + excerpt(model));
  }
  return open_folder(model);
}

}  // namespace octet
