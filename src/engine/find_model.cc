#include "engine/find_model.h"

#include <filesystem>

#include "base/format.h"
#include "engine/embedded.h"
#include "engine/single_files.h"
#include "engine/synthetic_model.h"
#include "octet/error.h"

namespace octet {

namespace {

void check_choices(const EngineOptions& o) {
  if (o.fp8_scheme == "auto" || o.fp8_scheme == "plain") return;
  throw Error(Code::kInvalidArgument,
              "fp8-scheme: expected auto or plain, found " + excerpt(o.fp8_scheme));
}

}  // namespace

std::unique_ptr<FileSet> find_model(const EngineOptions& options) {
  check_choices(options);
  const std::string& model = options.model;
  std::error_code error;
  if (std::filesystem::is_regular_file(model, error)) return open_single_files(options);
  if (options.parts != ModelParts{}) {
    throw Error(Code::kInvalidArgument,
                "model: expected a single file with --clip-l, --clip-g, --t5, --vae, "
                "--t5-tokenizer or --text-encoders; a folder brings its own parts; found " +
                    excerpt(model));
  }
  for (const EmbeddedModel& built_in : embedded_models()) {
    if (model == built_in.name) return open_embedded("built-in:" + model, built_in.files);
  }
  if (model.starts_with(kSyntheticPrefix)) return open_synthetic(model);
  if (!std::filesystem::exists(model, error)) {
    std::string known;
    for (const std::string& name : builtin_models()) known += " " + name;
    throw Error(Code::kIo, "model: expected a folder, a file or one of:" + known +
                               "; found no such path: " + excerpt(model));
  }
  return open_folder(model);
}

}  // namespace octet
