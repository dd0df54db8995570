#include "checkpoint/weight_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "checkpoint/fp8_codes.h"
#include "checkpoint/scale_reader.h"
#include "checkpoint/scales.h"
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

std::shared_ptr<const TensorFile> owner_of(const TensorFiles& files, const TensorFile* file) {
  for (const auto& each : files) {
    if (each.get() == file) return each;
  }
  return nullptr;
}

NamedTensors tensors_of(const ComponentSpec& spec, const TensorFiles& files) {
  NamedTensors tensors;
  for (const auto& file : files) {
    for (const auto& [name, info] : file->tensors()) {
      if (!name.starts_with(spec.prefix)) continue;
      const auto [it, fresh] = tensors.emplace(name.substr(spec.prefix.size()),
                                               TensorRef{.file = file.get(), .info = &info});
      if (fresh) continue;
      throw Error(
          Code::kModelMismatch,
          format("%s: tensor \"%s\" expected once, found in %s and in %s", spec.name.c_str(),
                 excerpt(name).c_str(), it->second.file->name().c_str(), file->name().c_str()));
    }
  }
  return tensors;
}

/// Rows of one stored tensor. Whoever reads them, codes of FP8 that are no numbers are refused.
class PieceBytes final : public DeferredBytes {
 public:
  /// `file` is the owner of the piece's file.
  PieceBytes(std::string component, std::shared_ptr<const TensorFile> file, const Piece& piece)
      : component_(std::move(component)),
        file_(std::move(file)),
        info_(*piece.tensor->data.info),
        rows_(piece.rows) {
    whole_ = rows_.count == all_rows(info_).count;
    // [1, positions, width] is one row, too large to be read in one piece.
    while (whole_ && info_.dims.size() > 1 && info_.dims[0] == 1) {
      info_.dims.erase(info_.dims.begin());
      rows_ = all_rows(info_);
    }
  }

  std::int64_t rows() const override { return rows_.count; }
  std::size_t row_bytes() const override { return octet::row_bytes(info_); }
  void read(std::int64_t first, std::int64_t count,
            std::span<std::byte> destination) const override {
    file_->read_rows(info_, {.first = rows_.first + first, .count = count}, destination);
    if (is_fp8(*info_.dtype) && !is_finite_code(*info_.dtype, largest_code(destination))) refuse();
  }
  const RandomCodes* formula() const override { return whole_ ? file_->formula(info_) : nullptr; }

 private:
  // They are what a cast without saturation makes of values beyond the range. All are counted.
  [[noreturn]] void refuse() const {
    const std::int64_t all = all_rows(info_).count;
    std::vector<std::byte> row(octet::row_bytes(info_));
    std::uint64_t count = 0;
    std::int64_t first = -1;
    for (std::int64_t r = 0; r < all; ++r) {
      file_->read_rows(info_, {.first = r, .count = 1}, row);
      count += count_not_finite(*info_.dtype, row);
      if (count > 0 && first < 0) first = r;
    }
    throw Error(
        Code::kCorruptFile,
        format("%s: tensor \"%s\": expected finite %s values, found %llu that are not, the first "
               "in row %lld (lost when the file was made; take another one or make it again)",
               component_.c_str(), excerpt(info_.name).c_str(), info_.dtype_name.c_str(),
               static_cast<unsigned long long>(count), static_cast<long long>(first)));
  }

  std::string component_;
  std::shared_ptr<const TensorFile> file_;
  TensorInfo info_;
  RowRange rows_;
  bool whole_ = false;
};

void read_now(HostWeight& w) {
  if (w.deferred.empty()) return;
  w.data = read_all(w.deferred);
  w.deferred.clear();
}

std::int64_t rows_of(const Deferred& deferred) {
  std::int64_t rows = 0;
  for (const auto& part : deferred) rows += part->rows();
  return rows;
}

// Rows and columns of a matrix change places.
std::vector<std::byte> transposed(const std::vector<std::byte>& data, std::int64_t rows,
                                  std::int64_t columns, std::size_t element) {
  std::vector<std::byte> result(data.size());
  const auto r = static_cast<std::size_t>(rows), c = static_cast<std::size_t>(columns);
  for (std::size_t i = 0; i < r; ++i) {
    for (std::size_t j = 0; j < c; ++j) {
      const auto source = data.begin() + static_cast<std::ptrdiff_t>((i * c + j) * element);
      std::copy_n(source, element,
                  result.begin() + static_cast<std::ptrdiff_t>((j * r + i) * element));
    }
  }
  return result;
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

WeightReader::WeightReader(ComponentSpec spec, TensorFiles files)
    : spec_(std::move(spec)), files_(std::move(files)) {
  ScaledTensors scaled =
      attach_scales(spec_.name, tensors_of(spec_, files_),
                    {.prefix = spec_.prefix, .quantization = spec_.quantization});
  scheme_ = std::move(scaled.scheme);
  stored_ = std::move(scaled.tensors);
  view_ = canonical_view(spec_.name, spec_.family, stored_);
}

std::vector<std::int64_t> WeightReader::dims(const std::string& name) const {
  const auto it = view_.tensors.find(name);
  if (it == view_.tensors.end()) {
    throw Error(Code::kModelMismatch,
                format("%s: expected tensor \"%s\", found %zu other tensors", spec_.name.c_str(),
                       name.c_str(), view_.tensors.size()));
  }
  return it->second.dims;
}

int WeightReader::count(const std::string& prefix) const {
  int count = 0;
  for (auto it = view_.tensors.lower_bound(prefix);
       it != view_.tensors.end() && it->first.starts_with(prefix); ++it) {
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
                     spec_.name.c_str(), missing_.size(), sample(missing_).c_str(),
                     shape_text(dims).c_str()));
}

const CanonicalTensor* WeightReader::take(const std::string& name,
                                          const std::vector<std::int64_t>& dims, bool exact) {
  if (std::any_of(dims.begin(), dims.end(), [](std::int64_t d) { return d < 1; })) {
    throw Error(Code::kModelMismatch,
                format("%s: tensor \"%s\": expected sizes above 0, found %s", spec_.name.c_str(),
                       name.c_str(), shape_text(dims).c_str()));
  }
  const auto it = view_.tensors.find(name);
  if (it == view_.tensors.end()) {
    note_missing(name, dims);
    return nullptr;
  }
  const CanonicalTensor& tensor = it->second;
  const TensorInfo& info = *tensor.pieces[0].tensor->data.info;
  if (!info.dtype || !is_float(*info.dtype)) {
    throw Error(Code::kUnsupported,
                format("%s: tensor \"%s\": expected F32, F16, BF16, F8_E4M3 or F8_E5M2, found %s",
                       spec_.name.c_str(), excerpt(tensor.stored_name).c_str(),
                       excerpt(info.dtype_name).c_str()));
  }
  if (exact ? tensor.dims != dims : product(tensor.dims) != product(dims)) {
    throw Error(Code::kModelMismatch,
                format("%s: tensor \"%s\": expected shape %s, found %s", spec_.name.c_str(),
                       excerpt(tensor.stored_name).c_str(), shape_text(dims).c_str(),
                       shape_text(tensor.dims).c_str()));
  }
  read_.insert(name);
  return &tensor;
}

// All parts, one under the other, with their scales; shapes are known to fit.
HostWeight WeightReader::read(const std::vector<const CanonicalTensor*>& parts,
                              Values values) const {
  HostWeight w;
  w.name = parts[0]->stored_name;
  w.dtype = *parts[0]->pieces[0].tensor->data.info->dtype;
  w.dims = parts[0]->dims;
  w.dims[0] = 0;
  RowScales scales;
  for (const CanonicalTensor* part : parts) {
    for (const Piece& piece : part->pieces) {
      const StoredTensor& t = *piece.tensor;
      const std::optional<float> input_scale = read_input_scale(spec_.name, t);
      if (w.dims[0] == 0) {
        w.input_scale = input_scale;
        w.wide_inputs = t.wide_inputs;
      }
      if (t.data.info->dtype != w.dtype || input_scale != w.input_scale ||
          t.wide_inputs != w.wide_inputs) {
        throw Error(
            Code::kUnsupported,
            format("%s: tensor \"%s\": expected dtype, input scale and precision of "
                   "\"%s\" (they are computed together), found others (%s, %s)",
                   spec_.name.c_str(), excerpt(part->stored_name).c_str(), excerpt(w.name).c_str(),
                   t.data.info->dtype_name.c_str(), safetensors_name(w.dtype)));
      }
      RowScales more = read_scales(spec_.name, t, piece.rows);
      check_scaled_dtype(t, more);
      const std::int64_t columns = w.dims.size() > 1 ? w.dims[1] : 1;
      append_scales(scales, w.dims[0], std::move(more), piece.rows.count, columns);
      w.deferred.push_back(
          std::make_shared<PieceBytes>(spec_.name, owner_of(files_, t.data.file), piece));
      w.dims[0] += piece.rows.count;
    }
  }
  w.scale_kind = scales.kind;
  w.scale = std::move(scales.values);
  w.block = scales.kind == ScaleKind::kBlock ? scales.block : 0;
  const bool must_look = is_fp8(w.dtype) && w.scale_kind == ScaleKind::kNone && !spec_.plain_fp8;
  if (values == Values::kShapes) {
    w.deferred.clear();
    return w;
  }
  if (must_look || !defer_) read_now(w);
  if (must_look) check_plain_cast(w);
  return w;
}

// Programs write scales of 1 beside layers that they left in 16 bits; any other scale says that
// the codes were once FP8, and nothing says whether it is already multiplied in.
void WeightReader::check_scaled_dtype(const StoredTensor& tensor, RowScales& scales) const {
  if (is_fp8(*tensor.data.info->dtype) || scales.kind == ScaleKind::kNone) return;
  if (std::all_of(scales.values.begin(), scales.values.end(), [](float s) { return s == 1.0f; })) {
    scales = {};
    return;
  }
  throw Error(Code::kModelMismatch,
              format("%s: scale \"%s\": expected an FP8 weight beside it, found %s",
                     spec_.name.c_str(), excerpt(tensor.weight_scale->info->name).c_str(),
                     excerpt(tensor.data.info->dtype_name).c_str()));
}

std::vector<std::byte> WeightReader::zeros(std::int64_t floats) const {
  if (spec_.values == Values::kShapes) return {};
  return std::vector<std::byte>(static_cast<std::size_t>(floats) * sizeof(float));
}

// FP8 codes without any scale are either a plain cast of small weights or a scaled file that lost
// its scales: those fill the range up to the largest code. Codes without sign ascend with their
// values, NaN last.
void WeightReader::check_plain_cast(const HostWeight& weight) const {
  constexpr float kPlainLimit = 224.0f;
  std::uint8_t limit = 0;
  encode_from_f32(weight.dtype, &kPlainLimit, &limit, 1);
  const std::uint8_t largest = largest_code(weight.data);
  if (largest < limit) return;
  float value = 0;
  decode_to_f32(weight.dtype, &largest, &value, 1);
  throw Error(Code::kModelMismatch,
              format("%s: tensor \"%s\": FP8 without a scale; expected codes below %g for a plain "
                     "cast, found %g (a scaled file without its scales? --fp8-scheme plain takes "
                     "them as they are)",
                     spec_.name.c_str(), excerpt(weight.name).c_str(),
                     static_cast<double>(kPlainLimit), static_cast<double>(value)));
}

HostWeight WeightReader::weight(const std::vector<std::string>& names,
                                std::vector<std::int64_t> dims_each, bool bias) {
  std::vector<const CanonicalTensor*> parts;
  std::vector<float> biases;
  bool complete = true;
  for (const std::string& name : names) {
    parts.push_back(take(name + ".weight", dims_each, dims_each.size() == 2));
    complete = complete && parts.back() != nullptr;
    if (!bias) continue;
    const std::vector<float> more = floats(name + ".bias", {dims_each[0]});
    biases.insert(biases.end(), more.begin(), more.end());
  }
  HostWeight w;
  if (complete) w = read(parts, spec_.values);
  if (complete) scales_.add(w);
  if (!w.wide_inputs.empty()) ++wide_inputs_[w.wide_inputs];
  if (w.name.empty()) w.name = names[0] + ".weight";
  w.dims = std::move(dims_each);
  w.dims[0] *= static_cast<std::int64_t>(names.size());
  w.bias = std::move(biases);
  // Zeros stand in for what is missing, so that everything missing can be named in the end.
  if (!complete) w.data = zeros(product(w.dims));
  if (complete && parts[0]->transposed) {
    if (w.scale_kind != ScaleKind::kNone && w.scale_kind != ScaleKind::kTensor) {
      throw Error(Code::kUnsupported,
                  format("%s: tensor \"%s\": expected one scale at most for a transposed weight",
                         spec_.name.c_str(), excerpt(w.name).c_str()));
    }
    read_now(w);
    if (!w.data.empty()) w.data = transposed(w.data, w.dims[1], w.dims[0], size_of(w.dtype));
  }
  if (complete && patch_ != nullptr) patch_->apply(w, names);
  // Backends read row by row what is left in the file: its rows must be the weight's.
  if (rows_of(w.deferred) != w.dims[0]) read_now(w);
  return w;
}

std::map<std::string, TensorInfo> WeightReader::tensors() const {
  std::map<std::string, TensorInfo> all;
  for (const auto& [name, tensor] : view_.tensors) {
    TensorInfo info = *tensor.pieces.at(0).tensor->data.info;
    info.name = tensor.stored_name;
    info.dims = tensor.dims;
    all.emplace(name, std::move(info));
  }
  return all;
}

HostWeight WeightReader::tensor(const std::string& name) const {
  (void)dims(name);
  HostWeight w = read({&view_.tensors.at(name)}, Values::kRead);
  read_now(w);
  w.name = name;
  return w;
}

std::vector<std::string> WeightReader::layers() const {
  constexpr std::string_view kEnd = ".weight";
  std::vector<std::string> names;
  for (const auto& [name, tensor] : view_.tensors) {
    if (name.ends_with(kEnd)) names.push_back(name.substr(0, name.size() - kEnd.size()));
  }
  return names;
}

HostWeight WeightReader::linear(const std::string& name, std::int64_t out, std::int64_t in,
                                bool bias) {
  return weight({name}, {out, in}, bias);
}

HostWeight WeightReader::stacked(std::initializer_list<std::string> names, std::int64_t out_each,
                                 std::int64_t in, bool bias) {
  return weight(names, {out_each, in}, bias);
}

HostWeight WeightReader::conv(const std::string& name, std::int64_t out, std::int64_t in,
                              std::int64_t kernel) {
  return weight({name}, {out, in, kernel, kernel}, true);
}

HostTensor WeightReader::decoded(const CanonicalTensor& tensor, DType fp8_as, Values read_values) {
  HostWeight w = read({&tensor}, read_values);
  if (tensor.dims.size() > 1) scales_.add(w);
  if (is_fp8(w.dtype)) read_now(w);
  HostTensor t{.name = w.name,
               .dtype = w.dtype,
               .dims = {},
               .data = std::move(w.data),
               .deferred = std::move(w.deferred)};
  if (!is_fp8(w.dtype)) return t;
  if (w.scale_kind == ScaleKind::kBlock) {
    throw Error(Code::kUnsupported,
                format("%s: tensor \"%s\": expected one scale or one per row in a table, found "
                       "blocks",
                       spec_.name.c_str(), excerpt(w.name).c_str()));
  }
  const DType stored = t.dtype;
  t.dtype = fp8_as;
  if (read_values == Values::kShapes) return t;
  std::vector<float> values(t.data.size());
  decode_to_f32(stored, t.data.data(), values.data(), values.size());
  if (w.scale_kind != ScaleKind::kNone) {
    const std::size_t row = values.size() / w.scale.size();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= w.scale[i / row];
  }
  t.data.resize(values.size() * size_of(t.dtype));
  encode_from_f32(t.dtype, values.data(), t.data.data(), values.size());
  return t;
}

std::vector<float> WeightReader::floats(const std::string& name,
                                        const std::vector<std::int64_t>& dims) {
  const CanonicalTensor* tensor = take(name, dims, true);  // checks that the size can be had
  std::vector<float> values(static_cast<std::size_t>(product(dims)));
  if (tensor != nullptr) {
    HostTensor t = decoded(*tensor, DType::kF32, Values::kRead);
    if (!t.deferred.empty()) t.data = read_all(t.deferred);
    decode_to_f32(t.dtype, t.data.data(), values.data(), values.size());
  }
  return values;
}

std::vector<float> WeightReader::vector(const std::string& name, std::int64_t size) {
  return floats(name, {size});
}

HostTensor WeightReader::table(const std::string& name, std::vector<std::int64_t> dims) {
  HostTensor t{.name = name, .dtype = DType::kF32, .dims = {}, .data = {}};
  if (const CanonicalTensor* tensor = take(name, dims, false)) {
    t = decoded(*tensor, DType::kBF16, spec_.values);
  } else {
    t.data = zeros(product(dims));
  }
  t.dims = std::move(dims);
  return t;
}

void WeightReader::finish() const {
  std::vector<std::string> unread;
  for (const auto& [name, tensor] : view_.tensors) {
    if (read_.count(name) == 0 && !ignored(name)) unread.push_back(tensor.stored_name);
  }
  if (missing_.empty() && unread.empty()) return;
  std::string text = spec_.name + ": tensors do not fit the model:";
  if (!missing_.empty())
    text += format(" %zu missing (%s)", missing_.size(), sample(missing_).c_str());
  if (!missing_.empty() && !unread.empty()) text += ";";
  if (!unread.empty()) text += format(" %zu unknown (%s)", unread.size(), sample(unread).c_str());
  throw Error(Code::kModelMismatch, text);
}

std::int64_t WeightReader::tensor_count() const {
  std::size_t count = stored_.size();
  for (const auto& [name, tensor] : stored_) {
    count += (tensor.weight_scale ? 1 : 0) + (tensor.input_scale ? 1 : 0);
  }
  return static_cast<std::int64_t>(count);
}

std::vector<std::pair<std::string, std::uint64_t>> WeightReader::dtype_bytes() const {
  std::map<std::string, std::uint64_t> sums;
  for (const auto& [name, tensor] : stored_) {
    sums[tensor.data.info->dtype_name] += tensor.data.info->bytes;
    for (const auto& scale : {tensor.weight_scale, tensor.input_scale}) {
      if (scale) sums[scale->info->dtype_name] += scale->info->bytes;
    }
  }
  std::vector<std::pair<std::string, std::uint64_t>> rows(sums.begin(), sums.end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.second > b.second; });
  return rows;
}

}  // namespace octet
