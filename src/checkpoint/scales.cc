#include "checkpoint/scales.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "checkpoint/scheme_marks.h"

namespace octet {
namespace {

enum class Scheme : std::uint8_t { kLayerScales, kComfyOld, kComfyNew, kTorchao, kBlocks };

const char* name_of(Scheme scheme) {
  switch (scheme) {
    case Scheme::kLayerScales:
      return "FP8 with weight_scale";
    case Scheme::kComfyOld:
      return "ComfyUI scaled FP8 (scale_weight)";
    case Scheme::kComfyNew:
      return "ComfyUI scaled FP8 (comfy_quant)";
    case Scheme::kTorchao:
      return "torchao Float8Tensor";
    case Scheme::kBlocks:
      return "FP8 with weight_scale_inv";
  }
  return "?";
}

enum class Role : std::uint8_t { kWeightScale, kInputScale, kMark, kCodes };

// All spellings. `.weight` is the layer's weight everywhere but in torchao's files.
struct Spelling {
  const char* suffix;
  Role role;
  Scheme scheme;
};
constexpr Spelling kSpellings[] = {
    {".weight_scale", Role::kWeightScale, Scheme::kLayerScales},
    {".input_scale", Role::kInputScale, Scheme::kLayerScales},
    {".scale_weight", Role::kWeightScale, Scheme::kComfyOld},
    {".scale_input", Role::kInputScale, Scheme::kComfyOld},
    {".comfy_quant", Role::kMark, Scheme::kComfyNew},
    {"._weight_scale", Role::kWeightScale, Scheme::kTorchao},
    {"._weight_qdata", Role::kCodes, Scheme::kTorchao},
    {".weight_scale_inv", Role::kWeightScale, Scheme::kBlocks},
};
constexpr const char* kFileMarker = "scaled_fp8";  // ComfyUI, old

// Parts of schemes that Octet cannot compute, to refuse them by name.
constexpr std::pair<const char*, const char*> kForeign[] = {
    {".pre_quant_scale", "AWQ smoothing (pre_quant_scale)"},
    {".weight_scale_2", "NVFP4 (weight_scale_2)"},
    {".weight_zero_point", "integer weights (weight_zero_point)"},
    {".weight_quantizer._scale", "ModelOpt state that needs modelopt to restore"},
    {".weight_quantizer._amax", "ModelOpt state that needs modelopt to restore"},
    {".input_quantizer._amax", "ModelOpt state that needs modelopt to restore"},
};

bool is_fp8_tensor(const TensorRef& t) { return t.info->dtype && is_fp8(*t.info->dtype); }

std::string text_of(const TensorRef& t) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 16;
  if (t.info->dtype != DType::kU8 || t.info->bytes > kMost) {
    throw Error(Code::kCorruptFile,
                format("%s: tensor \"%s\": expected JSON text as U8, found %s of %llu bytes",
                       t.file->name().c_str(), excerpt(t.info->name).c_str(),
                       excerpt(t.info->dtype_name).c_str(),
                       static_cast<unsigned long long>(t.info->bytes)));
  }
  const std::vector<std::byte> bytes = t.file->read(*t.info);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What is kept beside one weight.
struct Companions {
  std::optional<TensorRef> weight_scale, input_scale, mark, codes;
  std::string first;  // a name, for messages
};

class Attacher {
 public:
  Attacher(const std::string& component, const SchemeHints& hints)
      : component_(component), hints_(hints) {}

  ScaledTensors run(const NamedTensors& tensors) {
    sort_out(tensors);
    if (!hints_.quantization.empty()) {
      folder_ = folder_mark(hints_.quantization, component_ + ": quantization_config");
    }
    read_file_metadata(tensors);
    for (auto& [layer, companions] : layers_) attach(layer, companions);
    check_orphans();
    check_marks();
    check_folder();
    return {.scheme = scheme_name(), .tensors = std::move(weights_)};
  }

 private:
  [[noreturn]] void fail(Code code, const std::string& message) const {
    throw Error(code, component_ + ": " + message);
  }

  void sort_out(const NamedTensors& tensors) {
    for (const auto& [name, tensor] : tensors) {
      for (const auto& [suffix, meaning] : kForeign) {
        if (!name.ends_with(suffix)) continue;
        fail(Code::kUnsupported,
             format("tensor \"%s\": %s is not supported", excerpt(name).c_str(), meaning));
      }
      if (name == kFileMarker) {
        uses(Scheme::kComfyOld, name);
        marker_ = tensor;
      } else if (!take_companion(name, tensor)) {
        weights_[name].data = tensor;
      }
    }
  }

  bool take_companion(const std::string& name, const TensorRef& tensor) {
    for (const Spelling& s : kSpellings) {
      if (!name.ends_with(s.suffix)) continue;
      const std::string layer = name.substr(0, name.size() - std::string_view(s.suffix).size());
      uses(s.scheme, name);
      Companions& c = layers_[layer];
      std::optional<TensorRef>* const places[] = {&c.weight_scale, &c.input_scale, &c.mark,
                                                  &c.codes};
      *places[static_cast<std::size_t>(s.role)] = tensor;
      if (c.first.empty()) c.first = name;
      return true;
    }
    return false;
  }

  // One component, one scheme; ComfyUI's marks go with plainly named scales.
  void uses(Scheme scheme, const std::string& name) {
    if (!scheme_) {
      scheme_ = scheme;
      first_of_scheme_ = name;
    }
    const bool compatible =
        std::set{*scheme_, scheme} == std::set{Scheme::kLayerScales, Scheme::kComfyNew};
    if (compatible) scheme_ = Scheme::kComfyNew;
    if (compatible || scheme_ == scheme) return;
    fail(Code::kModelMismatch,
         format("two layouts in one model: expected the scales of one, found \"%s\" (%s) and "
                "\"%s\" (%s)",
                excerpt(first_of_scheme_).c_str(), name_of(*scheme_), excerpt(name).c_str(),
                name_of(scheme)));
  }

  void read_file_metadata(const NamedTensors& tensors) {
    std::set<const TensorFile*> files;
    for (const auto& [name, tensor] : tensors) files.insert(tensor.file);
    for (const TensorFile* file : files) {
      const auto it = file->metadata().find("_quantization_metadata");
      if (it == file->metadata().end()) continue;
      const std::string where = file->name() + ": _quantization_metadata";
      for (auto& [layer, mark] : comfy_file_marks(it->second, where)) {
        add_metadata_mark(layer, mark, where);
      }
    }
  }

  // Layers are named with or without the component's prefix; those of other components are theirs.
  void add_metadata_mark(const std::string& layer, const LayerMark& mark,
                         const std::string& where) {
    const bool prefixed = layer.starts_with(hints_.prefix);
    const std::string own = prefixed ? layer.substr(hints_.prefix.size()) : layer;
    if (weights_.count(own + ".weight") == 0) {
      if (!prefixed) return;
      fail(Code::kModelMismatch, format("%s: expected a tensor \"%s.weight\", found none",
                                        excerpt(where).c_str(), excerpt(own).c_str()));
    }
    uses(Scheme::kComfyNew, layer);
    marks_.emplace(own, mark);
  }

  void attach(const std::string& layer, const Companions& c) {
    const auto it = weights_.find(layer + ".weight");
    if (c.codes) {
      if (it != weights_.end()) {
        fail(Code::kModelMismatch,
             format("two layouts in one model: tensors \"%s\" and \"%s\" mean the same",
                    excerpt(it->first).c_str(), excerpt(c.codes->info->name).c_str()));
      }
      weights_[layer + ".weight"].data = *c.codes;
      attach_torchao(layer, weights_[layer + ".weight"], c);
    } else if (it == weights_.end()) {
      orphans_.push_back(c.first);
      return;
    }
    StoredTensor& w = weights_[layer + ".weight"];
    w.weight_scale = c.weight_scale;
    w.input_scale = c.input_scale;
    w.unit_input_scale_is_none = scheme_ == Scheme::kComfyOld;
    w.block = block_side(w);
    if (marker_ && marker_->info->dims == std::vector<std::int64_t>{2}) {
      w.wide_inputs = "scaled_fp8 of 2 elements";
    }
    if (c.mark) {
      const LayerMark mark =
          comfy_layer_mark(text_of(*c.mark), component_ + ": " + excerpt(c.mark->info->name));
      const auto [known, fresh] = marks_.emplace(layer, mark);
      if (!fresh && known->second != mark) {
        fail(Code::kModelMismatch,
             format("layer \"%s\": expected one quantization, found comfy_quant and "
                    "_quantization_metadata that differ",
                    excerpt(layer).c_str()));
      }
    }
  }

  std::int64_t block_side(const StoredTensor& w) const {
    constexpr std::int64_t kUsual = 128;
    if (w.block != 0) return w.block;
    return folder_ && folder_->block != 0 ? folder_->block : kUsual;
  }

  void attach_torchao(const std::string& layer, StoredTensor& w, const Companions& c) {
    const std::string key = hints_.prefix + layer + ".weight";
    const auto& metadata = c.codes->file->metadata();
    const auto it = metadata.find(key);
    if (it == metadata.end()) {
      fail(Code::kModelMismatch,
           format("tensor \"%s\": expected its description in the metadata, found none",
                  excerpt(c.codes->info->name).c_str()));
    }
    const LayerMark mark = torchao_mark(it->second, c.codes->file->name() + ": metadata of " + key);
    w.wide_inputs = mark.wide_inputs;
    const std::vector<std::int64_t>& dims = w.data.info->dims;
    const bool square = mark.block.size() == 2 && mark.block[0] == mark.block[1];
    const bool whole_rows = mark.block.size() == 2 && dims.size() == 2 &&
                            mark.block[1] == dims[1] &&
                            (mark.block[0] == 1 || mark.block[0] == dims[0]);
    if (!whole_rows && (!square || mark.block[0] < 1)) {
      fail(Code::kUnsupported,
           format("tensor \"%s\": block_size: expected whole rows, the whole tensor or squares",
                  excerpt(c.codes->info->name).c_str()));
    }
    if (square && !whole_rows) w.block = mark.block[0];
    if (!c.weight_scale) missing_scale(layer);
  }

  [[noreturn]] void missing_scale(const std::string& layer) const {
    fail(Code::kModelMismatch,
         format("layer \"%s\": expected a scale beside its FP8 weight, found none",
                excerpt(layer).c_str()));
  }

  void check_orphans() const {
    if (orphans_.empty()) return;
    std::string text = format("%zu scales without weight (", orphans_.size());
    for (std::size_t i = 0; i < orphans_.size() && i < 5; ++i) {
      text += (i == 0 ? "" : ", ") + excerpt(orphans_[i]);
    }
    if (orphans_.size() > 5) text += format(" and %zu more", orphans_.size() - 5);
    fail(Code::kModelMismatch, text + ")");
  }

  // ComfyUI's marks and the tensors must say the same.
  void check_marks() {
    for (const auto& [layer, mark] : marks_) {
      StoredTensor& w = weights_.at(layer + ".weight");
      if (w.data.info->dtype != *mark.codes) {
        fail(Code::kModelMismatch,
             format("tensor \"%s.weight\": expected %s as its quantization says, found %s",
                    excerpt(layer).c_str(), safetensors_name(*mark.codes),
                    excerpt(w.data.info->dtype_name).c_str()));
      }
      if (!w.weight_scale) missing_scale(layer);
      w.wide_inputs = mark.wide_inputs;
    }
    if (scheme_ != Scheme::kComfyNew) return;
    for (const auto& [name, w] : weights_) {
      const std::string layer = name.substr(0, name.rfind('.'));
      if (!w.weight_scale || marks_.count(layer) != 0) continue;
      fail(Code::kModelMismatch,
           format("layer \"%s\": expected comfy_quant or an entry of _quantization_metadata beside "
                  "its scale, found none",
                  excerpt(layer).c_str()));
    }
  }

  // A folder's config speaks of FP8 weights, and of layers that are not.
  void check_folder() const {
    if (marker_ && !any_fp8()) {
      fail(Code::kModelMismatch, "scaled_fp8: expected FP8 weights, found none");
    }
    if (!folder_) return;
    const bool as_said = folder_->method == "torchao" ? scheme_ == Scheme::kTorchao
                                                      : any_fp8() && scheme_ != Scheme::kTorchao;
    if (!as_said) {
      fail(Code::kModelMismatch,
           format("quantization_config: expected FP8 weights as %s writes them, found none",
                  folder_->method.c_str()));
    }
    for (const auto& [name, w] : weights_) {
      const std::string layer = name.substr(0, name.rfind('.'));
      if (!is_fp8_tensor(w.data) || !excluded_by(folder_->excluded, layer)) continue;
      fail(Code::kModelMismatch,
           format(
               "tensor \"%s\": expected 16 or 32 bits (excluded in quantization_config), found %s",
               excerpt(name).c_str(), w.data.info->dtype_name.c_str()));
    }
  }

  [[nodiscard]] bool any_fp8() const {
    return std::any_of(weights_.begin(), weights_.end(),
                       [](const auto& w) { return is_fp8_tensor(w.second.data); });
  }

  [[nodiscard]] std::string scheme_name() const {
    if (folder_ && folder_->method == "modelopt") return "ModelOpt FP8";
    if (scheme_) return name_of(*scheme_);
    return any_fp8() ? "plain FP8" : "";
  }

  const std::string& component_;
  const SchemeHints& hints_;
  std::optional<Scheme> scheme_;
  std::string first_of_scheme_;
  std::optional<TensorRef> marker_;
  std::optional<FolderMark> folder_;
  std::map<std::string, Companions> layers_;
  std::map<std::string, LayerMark> marks_;
  std::map<std::string, StoredTensor> weights_;
  std::vector<std::string> orphans_;
};

}  // namespace

ScaledTensors attach_scales(const std::string& component, const NamedTensors& tensors,
                            const SchemeHints& hints) {
  return Attacher(component, hints).run(tensors);
}

}  // namespace octet
