#include "checkpoint/weight_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

// Tensors that files of this family carry and no engine needs, with the reason.
struct IgnoredTensor {
  const char* suffix;
  const char* reason;
};
constexpr IgnoredTensor kIgnoredTensors[] = {
    {"embeddings.position_ids", "0..76 counted up; older transformers stored it"},
    {"logit_scale", "contrastive training only"},
    {"encoder.embed_tokens.weight", "duplicate of shared.weight"},
};

// Spellings of the scales of one layer; the first is what Octet writes.
constexpr const char* kWeightScaleNames[] = {".weight_scale", ".scale_weight"};
constexpr const char* kInputScaleNames[] = {".input_scale", ".scale_input"};

bool ignored(const std::string& name) {
  return std::any_of(std::begin(kIgnoredTensors), std::end(kIgnoredTensors),
                     [&](const IgnoredTensor& t) { return name.ends_with(t.suffix); });
}

std::string shape_text(const std::vector<std::int64_t>& dims) {
  std::string text = "[";
  for (const std::int64_t d : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(d);
  return text + "]";
}

// The largest number where the product does not fit one.
std::int64_t product(const std::vector<std::int64_t>& dims) {
  std::int64_t n = 1;
  for (const std::int64_t d : dims) {
    if (__builtin_mul_overflow(n, d, &n)) return INT64_MAX;
  }
  return n;
}

// First five names and the count.
std::string sample(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i) {
    text += (i == 0 ? "" : ", ") + excerpt(names[i]);
  }
  return names.size() > 5 ? text + format(" and %zu more", names.size() - 5) : text;
}

// Row scales of a weight: as they are, or its one scale repeated.
std::vector<float> row_scales(const HostWeight& w, std::int64_t rows) {
  if (w.scale_kind == ScaleKind::kRow) return w.scale;
  const float scale = w.scale_kind == ScaleKind::kTensor ? w.scale[0] : 1.0f;
  return std::vector<float>(static_cast<std::size_t>(rows), scale);
}

/// One tensor of a file.
class FileTensor final : public DeferredBytes {
 public:
  FileTensor(std::shared_ptr<const TensorFile> file, const TensorInfo& info)
      : file_(std::move(file)), info_(info) {
    // [1, positions, width] is one row, too large to be read in one piece.
    while (info_.dims.size() > 1 && info_.dims[0] == 1) info_.dims.erase(info_.dims.begin());
  }

  std::int64_t rows() const override { return all_rows(info_).count; }
  std::size_t row_bytes() const override { return octet::row_bytes(info_); }
  void read(std::int64_t first, std::int64_t count,
            std::span<std::byte> destination) const override {
    file_->read_rows(info_, {.first = first, .count = count}, destination);
  }
  const RandomCodes* formula() const override { return file_->formula(info_); }

 private:
  std::shared_ptr<const TensorFile> file_;
  TensorInfo info_;
};

template <typename Host>
void read_now(Host& host) {
  if (host.deferred.empty()) return;
  host.data = read_all(host.deferred);
  host.deferred.clear();
}

void append(HostWeight& joint, HostWeight part, std::int64_t rows) {
  if (joint.dims.empty()) {
    joint = std::move(part);
    return;
  }
  if (joint.dtype != part.dtype || joint.input_scale != part.input_scale ||
      joint.bias.empty() != part.bias.empty()) {
    throw Error(
        Code::kUnsupported,
        format("tensor \"%s\": expected dtype %s and the input scale of \"%s\", found %s",
               part.name.c_str(), name_of(joint.dtype), joint.name.c_str(), name_of(part.dtype)));
  }
  const bool scaled = joint.scale_kind != ScaleKind::kNone || part.scale_kind != ScaleKind::kNone;
  if (scaled) {
    std::vector<float> scales = row_scales(joint, joint.dims[0]);
    const std::vector<float> more = row_scales(part, rows);
    scales.insert(scales.end(), more.begin(), more.end());
    joint.scale = std::move(scales);
    joint.scale_kind = ScaleKind::kRow;
  }
  joint.dims[0] += rows;
  if (joint.deferred.empty() != part.deferred.empty()) {
    read_now(joint);
    read_now(part);
  }
  joint.data.insert(joint.data.end(), part.data.begin(), part.data.end());
  joint.deferred.insert(joint.deferred.end(), part.deferred.begin(), part.deferred.end());
  joint.bias.insert(joint.bias.end(), part.bias.begin(), part.bias.end());
}

}  // namespace

void ScaleSummary::add(const HostWeight& weight) {
  inputs += weight.input_scale ? 1 : 0;
  if (is_fp8(weight.dtype)) weights.at(static_cast<std::size_t>(weight.scale_kind)) += 1;
  for (const float scale : weight.scale) {
    low = std::min(low, scale);
    high = std::max(high, scale);
  }
}

std::string ScaleSummary::describe() const {
  constexpr std::array<const char*, 4> kKinds = {"unscaled", "per tensor", "per row", "per block"};
  std::string text;
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (weights.at(i) == 0) continue;
    text += format("%s%s (%d weights)", text.empty() ? "" : ", ", kKinds.at(i), weights.at(i));
  }
  if (inputs > 0) text += format(", static inputs (%d)", inputs);
  return text.empty() ? "none" : text;
}

WeightReader::WeightReader(std::string component, TensorFiles files, Values values)
    : component_(std::move(component)), files_(std::move(files)), values_(values) {
  for (const auto& file : files_) {
    for (const auto& [name, info] : file->tensors()) {
      const auto [it, fresh] = entries_.emplace(name, Entry{file, &info});
      if (!fresh) {
        throw Error(
            Code::kModelMismatch,
            format("%s: tensor \"%s\" expected once, found in %s and in %s", component_.c_str(),
                   excerpt(name).c_str(), it->second.file->name().c_str(), file->name().c_str()));
      }
    }
  }
}

const TensorInfo* WeightReader::find(const std::string& name) const {
  const auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : it->second.info;
}

std::vector<std::int64_t> WeightReader::dims(const std::string& name) const {
  const TensorInfo* info = find(name);
  if (info == nullptr) {
    throw Error(Code::kModelMismatch, format("%s: expected tensor \"%s\", found %zu other tensors",
                                             component_.c_str(), name.c_str(), entries_.size()));
  }
  return info->dims;
}

int WeightReader::count(const std::string& prefix) const {
  int count = 0;
  for (auto it = entries_.lower_bound(prefix);
       it != entries_.end() && it->first.starts_with(prefix); ++it) {
    const char* begin = it->first.data() + prefix.size();
    const char* end = it->first.data() + it->first.size();
    int index = -1;
    const auto [stop, error] = std::from_chars(begin, end, index);
    constexpr int kMaxLayers = 1024;
    if (error == std::errc() && stop != end && *stop == '.' && index >= 0 && index < kMaxLayers) {
      count = std::max(count, index + 1);
    }
  }
  return count;
}

// Missing tensors are answered with zeros, so that all of them can be named in the end; but sizes
// are what shapes of other tensors say, and not every size can be had.
void WeightReader::note_missing(const std::string& name, const std::vector<std::int64_t>& dims) {
  constexpr std::int64_t kMostZeros = std::int64_t{1} << 28;  // values, all together
  missing_.push_back(name);
  if (product(dims) <= kMostZeros - missing_values_) {
    missing_values_ += product(dims);
    return;
  }
  throw Error(Code::kModelMismatch,
              format("%s: tensors do not fit the model: at least %zu missing (%s), the last of "
                     "shape %s",
                     component_.c_str(), missing_.size(), sample(missing_).c_str(),
                     shape_text(dims).c_str()));
}

const WeightReader::Entry* WeightReader::take(const std::string& name,
                                              const std::vector<std::int64_t>& dims, bool exact) {
  if (std::any_of(dims.begin(), dims.end(), [](std::int64_t d) { return d < 1; })) {
    throw Error(Code::kModelMismatch,
                format("%s: tensor \"%s\": expected sizes above 0, found %s", component_.c_str(),
                       name.c_str(), shape_text(dims).c_str()));
  }
  const auto it = entries_.find(name);
  if (it == entries_.end()) {
    note_missing(name, dims);
    return nullptr;
  }
  const TensorInfo& info = *it->second.info;
  if (!info.dtype || !is_float(*info.dtype)) {
    throw Error(Code::kUnsupported,
                format("%s: tensor \"%s\": expected F32, F16, BF16, F8_E4M3 or F8_E5M2, found %s",
                       component_.c_str(), name.c_str(), excerpt(info.dtype_name).c_str()));
  }
  if (exact ? info.dims != dims : product(info.dims) != product(dims)) {
    throw Error(Code::kModelMismatch,
                format("%s: tensor \"%s\": expected shape %s, found %s", component_.c_str(),
                       name.c_str(), shape_text(dims).c_str(), shape_text(info.dims).c_str()));
  }
  read_.insert(name);
  return &it->second;
}

std::vector<float> WeightReader::floats(const std::string& name,
                                        const std::vector<std::int64_t>& dims) {
  const Entry* entry = take(name, dims, true);
  std::vector<float> values(static_cast<std::size_t>(product(dims)));
  if (entry != nullptr) {
    const std::vector<std::byte> bytes = entry->file->read(*entry->info);
    decode_to_f32(*entry->info->dtype, bytes.data(), values.data(), values.size());
  }
  return values;
}

std::vector<float> WeightReader::scale_values(const Entry& entry) {
  const TensorInfo& info = *entry.info;
  if (info.dtype != DType::kF32) {
    throw Error(Code::kUnsupported,
                format("%s: scale \"%s\": expected F32, found %s", component_.c_str(),
                       info.name.c_str(), excerpt(info.dtype_name).c_str()));
  }
  const std::vector<std::byte> bytes = entry.file->read(info);
  std::vector<float> values(bytes.size() / sizeof(float));
  decode_to_f32(DType::kF32, bytes.data(), values.data(), values.size());
  for (const float v : values) {
    if (std::isfinite(v) && v > 0) continue;
    throw Error(Code::kCorruptFile,
                format("%s: scale \"%s\": expected finite values above 0, found %g",
                       component_.c_str(), info.name.c_str(), static_cast<double>(v)));
  }
  read_.insert(info.name);
  return values;
}

void WeightReader::attach_scales(HostWeight& weight, const std::string& layer) {
  for (const char* suffix : kWeightScaleNames) {
    const auto it = entries_.find(layer + suffix);
    if (it == entries_.end()) continue;
    weight.scale = scale_values(it->second);
    const auto count = static_cast<std::int64_t>(weight.scale.size());
    if (count != 1 && count != weight.dims[0]) {
      throw Error(Code::kModelMismatch,
                  format("%s: scale \"%s\": expected 1 or %lld values, found %lld",
                         component_.c_str(), it->first.c_str(),
                         static_cast<long long>(weight.dims[0]), static_cast<long long>(count)));
    }
    weight.scale_kind = count == 1 ? ScaleKind::kTensor : ScaleKind::kRow;
    break;  // a second spelling beside it stays unread and is refused by finish()
  }
  for (const char* suffix : kInputScaleNames) {
    const auto it = entries_.find(layer + suffix);
    if (it == entries_.end()) continue;
    const std::vector<float> values = scale_values(it->second);
    if (values.size() != 1) {
      throw Error(Code::kModelMismatch,
                  format("%s: scale \"%s\": expected 1 value, found %zu", component_.c_str(),
                         it->first.c_str(), values.size()));
    }
    weight.input_scale = values[0];
    break;
  }
  scales_.add(weight);
}

std::vector<std::byte> WeightReader::zeros(std::int64_t floats) const {
  if (values_ == Values::kShapes) return {};
  return std::vector<std::byte>(static_cast<std::size_t>(floats) * sizeof(float));
}

// FP8 codes without any scale are either a plain cast of small weights or a scaled file that lost
// its scales: those fill the range up to the largest code.
void WeightReader::check_plain_cast(const HostWeight& weight) const {
  constexpr float kPlainLimit = 224.0f;
  std::vector<float> values(weight.data.size());
  decode_to_f32(weight.dtype, weight.data.data(), values.data(), values.size());
  for (const float v : values) {
    if (std::fabs(v) < kPlainLimit) continue;
    throw Error(Code::kModelMismatch,
                format("%s: tensor \"%s\": FP8 without a scale; expected codes below %g for a "
                       "plain cast, found %g (a scaled file without its scales?)",
                       component_.c_str(), weight.name.c_str(), static_cast<double>(kPlainLimit),
                       static_cast<double>(v)));
  }
}

HostWeight WeightReader::weight(const std::string& name, const std::vector<std::int64_t>& dims,
                                bool bias) {
  HostWeight w;
  w.name = name + ".weight";
  w.dims = dims;
  if (const Entry* entry = take(w.name, dims, dims.size() == 2)) {
    w.dtype = *entry->info->dtype;
    w.deferred = {std::make_shared<FileTensor>(entry->file, *entry->info)};
    attach_scales(w, name);
    if (values_ == Values::kShapes) {
      w.deferred.clear();
    } else if (is_fp8(w.dtype) && w.scale_kind == ScaleKind::kNone) {
      read_now(w);
      check_plain_cast(w);
    } else if (!defer_) {
      read_now(w);
    }
  } else {
    w.data = zeros(product(dims));
  }
  if (bias) w.bias = floats(name + ".bias", {dims[0]});
  return w;
}

std::vector<std::string> WeightReader::layers() const {
  constexpr std::string_view kEnd = ".weight";
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (name.ends_with(kEnd)) names.push_back(name.substr(0, name.size() - kEnd.size()));
  }
  return names;
}

HostWeight WeightReader::patched(HostWeight weight, std::span<const std::string> layers) const {
  if (patch_ != nullptr) patch_->apply(weight, layers);
  return weight;
}

HostWeight WeightReader::linear(const std::string& name, std::int64_t out, std::int64_t in,
                                bool bias) {
  return patched(weight(name, {out, in}, bias), {&name, 1});
}

HostWeight WeightReader::stacked(std::initializer_list<std::string> names, std::int64_t out_each,
                                 std::int64_t in, bool bias) {
  const std::size_t missing = missing_.size();
  HostWeight joint;
  for (const std::string& name : names) {
    HostWeight part = weight(name, {out_each, in}, bias);
    // Zeros that stand in for a part may differ from the others in dtype.
    if (missing_.size() == missing) append(joint, std::move(part), out_each);
  }
  if (missing_.size() == missing) return patched(std::move(joint), {names.begin(), names.size()});
  const std::int64_t rows = out_each * static_cast<std::int64_t>(names.size());
  HostWeight stand_in{.name = *names.begin() + ".weight", .dims = {rows, in}};
  stand_in.data = zeros(rows * in);
  if (bias) stand_in.bias.resize(static_cast<std::size_t>(rows));
  return stand_in;
}

HostWeight WeightReader::conv(const std::string& name, std::int64_t out, std::int64_t in,
                              std::int64_t kernel) {
  return patched(weight(name, {out, in, kernel, kernel}, true), {&name, 1});
}

std::vector<float> WeightReader::vector(const std::string& name, std::int64_t size) {
  return floats(name, {size});
}

HostTensor WeightReader::table(const std::string& name, std::vector<std::int64_t> dims) {
  HostTensor t{.name = name, .dtype = DType::kF32, .dims = std::move(dims), .data = {}};
  const Entry* entry = take(name, t.dims, false);
  if (entry == nullptr) {
    t.data = zeros(product(t.dims));
    return t;
  }
  t.dtype = *entry->info->dtype;
  t.deferred = {std::make_shared<FileTensor>(entry->file, *entry->info)};
  if (values_ == Values::kShapes) t.deferred.clear();
  if (!defer_ || is_fp8(t.dtype)) read_now(t);
  if (!is_fp8(t.dtype)) return t;
  HostWeight scaled{.name = name, .dtype = t.dtype, .dims = t.dims, .data = std::move(t.data)};
  attach_scales(scaled, name.substr(0, name.rfind('.')));
  t.dtype = DType::kBF16;
  if (values_ == Values::kShapes) return t;
  if (scaled.scale_kind == ScaleKind::kNone) check_plain_cast(scaled);
  std::vector<float> values(scaled.data.size());
  decode_to_f32(scaled.dtype, scaled.data.data(), values.data(), values.size());
  const std::vector<float> scales = row_scales(scaled, t.dims[0]);
  const auto row = values.size() / scales.size();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= scales[i / row];
  t.data.resize(values.size() * size_of(t.dtype));
  encode_from_f32(t.dtype, values.data(), t.data.data(), values.size());
  return t;
}

void WeightReader::finish() const {
  std::vector<std::string> unread;
  for (const auto& [name, entry] : entries_) {
    if (read_.count(name) == 0 && !ignored(name)) unread.push_back(name);
  }
  if (missing_.empty() && unread.empty()) return;
  std::string text = component_ + ": tensors do not fit the model:";
  if (!missing_.empty())
    text += format(" %zu missing (%s)", missing_.size(), sample(missing_).c_str());
  if (!missing_.empty() && !unread.empty()) text += ";";
  if (!unread.empty()) text += format(" %zu unknown (%s)", unread.size(), sample(unread).c_str());
  throw Error(Code::kModelMismatch, text);
}

std::vector<std::pair<std::string, std::uint64_t>> WeightReader::dtype_bytes() const {
  std::map<std::string, std::uint64_t> sums;
  for (const auto& [name, entry] : entries_) sums[entry.info->dtype_name] += entry.info->bytes;
  std::vector<std::pair<std::string, std::uint64_t>> rows(sums.begin(), sums.end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.second > b.second; });
  return rows;
}

}  // namespace octet
