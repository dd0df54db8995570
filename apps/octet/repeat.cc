#include "repeat.h"

#include <array>

#include "base/format.h"
#include "checkpoint/files.h"
#include "image/parameters.h"
#include "octet/error.h"

namespace octet::cli {
namespace {

constexpr std::uint64_t kMaxPictureBytes = std::uint64_t{512} << 20;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::kInvalidArgument, "--like: " + message);
}

std::vector<std::byte> read_whole(const std::string& path) {
  const std::unique_ptr<ByteSource> file = open_file(path);
  if (file->size() > kMaxPictureBytes) {
    refuse(format("expected a picture of at most %llu bytes, found %llu",
                  static_cast<unsigned long long>(kMaxPictureBytes),
                  static_cast<unsigned long long>(file->size())));
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(file->size()));
  file->read(0, bytes);
  return bytes;
}

PictureParameters read_record(const std::string& path) {
  const std::vector<std::byte> bytes = read_whole(path);
  std::optional<PictureParameters> record;
  try {
    record = read_picture_parameters(bytes, path);
  } catch (const Error& error) {
    if (error.code() != Code::kCorruptFile) throw;
    refuse(error.what());
  }
  if (!record) refuse("expected a picture written by Octet, found no settings in " + excerpt(path));
  return *record;
}

std::string text_of(int value) { return std::to_string(value); }
std::string text_of(std::uint64_t value) { return std::to_string(value); }
std::string text_of(float value) { return format("%.9g", static_cast<double>(value)); }
std::string text_of(double value) { return format("%.17g", value); }
const std::string& text_of(const std::string& value) { return value; }
std::string text_of(const std::vector<int>& values) {
  std::string text;
  for (const int value : values) {
    if (!text.empty()) text += ',';
    text += std::to_string(value);
  }
  return text;
}

/// Puts the fields of a record through the flag table: one place knows ranges and choices.
class RecordStore {
 public:
  explicit RecordStore(GenerateOptions& options) : flags_(generate_flags(options)) {}

  template <class Value>
  void set(const std::string& name, const std::optional<Value>& value) const {
    if (!value) return;
    for (const Flag& flag : flags_) {
      if (flag.name == name) store(flag, text_of(*value));
    }
  }

 private:
  std::vector<Flag> flags_;
};

void store_record(const PictureParameters& record, bool other_weights, GenerateOptions& options) {
  const RecordStore to(options);
  to.set("--steps", record.steps);
  to.set("--sampler", record.sampler);
  to.set("--schedule", record.schedule);
  to.set("--guidance", record.guidance);
  to.set("--seed", record.seed);
  if (record.size) {
    to.set("--width", std::optional(record.size->width));
    to.set("--height", std::optional(record.size->height));
  }
  to.set("--shift", record.shift);
  to.set("--skip-layers", record.skip_layers);
  to.set("--skip-scale", record.skip_scale);
  to.set("--skip-start", record.skip_start);
  to.set("--skip-end", record.skip_end);
  to.set("--t5-length", record.t5_length);
  to.set("--compat", record.compat);
  if (!other_weights) {
    to.set("--model", record.model);
    to.set("--variant", record.variant);
    to.set("--compute", record.compute);
    for (const std::string& lora : record.loras.value_or(std::vector<std::string>{})) {
      to.set("--lora", std::optional(lora));
    }
  }
  options.request.prompt = record.prompt;
  options.request.negative_prompt = record.negative_prompt;
  // Other programs write a strength for other reasons, too.
  if (record.init_hash || !options.init_file.empty()) to.set("--strength", record.strength);
  options.like_digest = record.model_hash.value_or("");
  options.like_init_digest = record.init_hash.value_or("");
  options.like_mask_digest = record.mask_hash.value_or("");
}

/// A file that a record names by its digest, and the flag that gives it.
struct RecordedFile {
  const char* flag;
  const std::string& recorded;
  const std::string& file;
  const std::string& digest;
};

std::array<RecordedFile, 2> recorded_files(const GenerateOptions& o) {
  return {{{"--init", o.like_init_digest, o.init_file, o.init_digest},
           {"--mask", o.like_mask_digest, o.mask_file, o.mask_digest}}};
}

}  // namespace

void apply_record(GenerateOptions& options, bool other_weights) {
  const PictureParameters record = read_record(options.like_file);
  try {
    store_record(record, other_weights, options);
  } catch (const Error& error) {
    refuse(format("%s: %s", excerpt(options.like_file).c_str(), error.what()));
  }
}

void check_recorded_files(const GenerateOptions& options) {
  for (const RecordedFile& f : recorded_files(options)) {
    if (f.recorded.empty() || !f.file.empty()) continue;
    refuse(format("%s was drawn with a file of %s; expected %s FILE as well, with SHA-256 %s",
                  excerpt(options.like_file).c_str(), f.flag, f.flag, excerpt(f.recorded).c_str()));
  }
}

std::vector<std::string> recorded_files_warnings(const GenerateOptions& options) {
  std::vector<std::string> said;
  for (const RecordedFile& f : recorded_files(options)) {
    if (f.recorded.empty() || f.recorded == f.digest) continue;
    said.push_back(
        format("--like: %s was drawn with a file of %s with SHA-256 %.16s, this one has "
               "%.16s: the picture will differ",
               excerpt(options.like_file).c_str(), f.flag, f.recorded.c_str(), f.digest.c_str()));
  }
  return said;
}

}  // namespace octet::cli
