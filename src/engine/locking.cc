#include "engine/locking.h"

#include "backend/null/null_backend.h"
#include "base/format.h"
#include "base/version.h"
#include "engine/find_model.h"
#include "engine/loading.h"
#include "engine/lora_files.h"
#include "lock/lock_toml.h"
#include "lock/scan.h"
#include "octet/error.h"
#include "octet/lock.h"

namespace octet {
namespace {

LockedComponent locked(const ComponentInfo& c) {
  std::string dtypes;
  for (const StoredBytes& d : c.dtypes) dtypes += (dtypes.empty() ? "" : ", ") + d.dtype;
  return {.name = c.name,
          .variant = c.variant,
          .dtypes = dtypes,
          .scales = c.scales,
          .tensors = c.tensors,
          .bytes = c.bytes};
}

std::vector<LockedTokenizer> tokenizers_of(const FileSet& files) {
  std::vector<LockedTokenizer> tokenizers;
  for (const char* folder : {"tokenizer", "tokenizer_2", "tokenizer_3"}) {
    std::vector<std::string> names;
    for (const std::string& file : lockable_files(files)) {
      if (file.starts_with(std::string(folder) + "/")) names.push_back(file);
    }
    if (names.empty()) continue;
    tokenizers.push_back({.name = folder, .sha256 = digest_of_files(files, names)});
  }
  return tokenizers;
}

std::vector<LockedLora> locked(const std::vector<LoraOption>& loras) {
  const std::vector<std::string> names = lora_file_names(loras);
  std::vector<LockedLora> all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    all.push_back(
        {.name = names[i], .weight = format("%.9g", static_cast<double>(loras[i].weight))});
  }
  return all;
}

std::unique_ptr<FileSet> locked_files(const EngineOptions& options) {
  return with_loras(find_model(options), options.loras);
}

/// What is there now. Parts that cannot be loaded throw; the files come first, so that a lock's
/// differences can still be told (see `found_files`).
ModelLock describe_parts(const EngineOptions& options) {
  const ModelFolder folder(find_model(options), folder_options(options, Values::kShapes));
  const auto null = make_null_backend({});
  const LoadedModel model = load_model(folder, *null, options.variant, "auto");
  ModelLock lock;
  lock.engine = engine_version();
  lock.numerics = kNumericsVersion;
  lock.layout = folder.files().layout();
  lock.variant = options.variant.value_or("");
  for (const ComponentInfo& c : model.info.components) lock.components.push_back(locked(c));
  lock.tokenizers = tokenizers_of(folder.files());
  lock.loras = locked(options.loras);
  return lock;
}

ModelLock read_text_of_lock(const std::string& path) {
  const auto source = open_file(path);
  if (source->size() > kMaxLockBytes) {
    throw Error(Code::kRefused, format("%s: expected a lock of at most %llu bytes, found %llu",
                                       path.c_str(), static_cast<unsigned long long>(kMaxLockBytes),
                                       static_cast<unsigned long long>(source->size())));
  }
  std::string text(static_cast<std::size_t>(source->size()), '\0');
  source->read(0, std::as_writable_bytes(std::span(text)));
  return parse_lock(text, path);
}

ModelLock read_lock(const std::string& path) {
  try {
    return read_text_of_lock(path);
  } catch (const Error& error) {
    throw Error(error.code(), format("model-lock: %s; octet lock writes one", error.what()));
  }
}

// The lock answers what was not asked for.
EngineOptions with_variant_of(EngineOptions options, const ModelLock& lock) {
  if (!options.variant && !lock.variant.empty()) options.variant = lock.variant;
  return options;
}

LockReport compare(const EngineOptions& options, const ModelLock& lock, ScanDepth depth,
                   const ByteHook& hook) {
  const auto files = locked_files(options);
  ModelLock found;
  // Files first: a part that no longer loads is told by the file that changed.
  found.files = scan_files(*files, depth, hook);
  LockReport report;
  std::string problem;
  try {
    ModelLock parts = describe_parts(options);
    parts.files = std::move(found.files);
    found = std::move(parts);
  } catch (const Error& error) {
    ModelLock as_locked = lock;
    as_locked.loras = locked(options.loras);
    as_locked.files = std::move(found.files);
    found = std::move(as_locked);
    problem = error.what();
  }
  report.files = found.files.size();
  for (const LockedFile& f : found.files) report.bytes += f.size;
  report.differences = differences(lock, found);
  if (!problem.empty()) {
    report.differences.push_back("model: locked one that can be loaded, found " + problem);
  }
  return report;
}

}  // namespace

EngineOptions require_lock(EngineOptions options) {
  if (options.lock.empty()) return options;
  const ModelLock lock = read_lock(options.lock);
  options = with_variant_of(std::move(options), lock);
  const LockReport report =
      compare(options, lock, options.lock_full ? ScanDepth::kEveryByte : ScanDepth::kHeaders,
              options.reading);
  if (report.differences.empty()) return options;
  const std::size_t more = report.differences.size() - 1;
  throw Error(
      Code::kRefused,
      format("model-lock: %s: %s%s; octet verify --full lists what differs, octet lock locks the "
             "model anew",
             excerpt(options.lock).c_str(), excerpt(report.differences[0], 600).c_str(),
             more == 0 ? "" : format(" (and %zu more)", more).c_str()));
}

std::string lock_model(const EngineOptions& options, const ByteHook& hook) {
  ModelLock lock = describe_parts(options);
  const auto files = locked_files(options);
  lock.files = scan_files(*files, ScanDepth::kEveryByte, hook);
  for (const LockedFile& f : lock.files) {
    if (!f.problem.empty()) throw Error(Code::kIo, f.problem);
  }
  std::string text = to_toml(lock);
  // What cannot be read back must not be handed out.
  if (parse_lock(text, "lock") != lock) throw Error(Code::kInternal, "lock: not read as written");
  return text;
}

LockReport verify_lock(const EngineOptions& options, bool every_byte, const ByteHook& hook) {
  const ModelLock lock = read_lock(options.lock);
  return compare(with_variant_of(options, lock), lock,
                 every_byte ? ScanDepth::kEveryByte : ScanDepth::kHeaders, hook);
}

}  // namespace octet
