#include "engine/loading.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "checkpoint/pickle.h"
#include "engine/loras.h"
#include "engine/model_index.h"

namespace octet {
namespace {

constexpr const char* kT5 = "text_encoder_3";
constexpr std::array<const char*, 3> k16Bit = {"fp16", "bf16", ""};

[[noreturn]] void unknown(const char* field, const std::string& expected,
                          const std::string& found) {
  throw Error(Code::kInvalidArgument,
              std::string(field) + ": expected " + expected + ", found " + excerpt(found));
}

std::string list(const Variants& variants) {
  std::string text;
  for (const auto& [name, files] : variants) {
    text += (text.empty() ? "" : ", ") + (name.empty() ? std::string("unnamed") : name);
  }
  return text.empty() ? "none" : text;
}

// The dtype that a variant's label promises.
const char* promised_dtype(const std::string& variant) {
  if (variant == "fp8") return "F8_E4M3";
  if (variant == "fp16") return "F16";
  if (variant == "bf16") return "BF16";
  if (variant == "fp32") return "F32";
  return nullptr;
}

/// One component being loaded: its weights, stored dtype and label.
struct Source {
  std::string component;
  std::string variant;
  std::string stored;  // dtype of most bytes
  WeightReader reader;
};

// The dtype of most bytes, or FP8 from a sixteenth on: the modulation of an FP8 transformer, half
// of its bytes, is often kept in 16 bits, and so may be blocks that FP8 would cost too much.
std::string main_dtype(const std::vector<std::pair<std::string, std::uint64_t>>& bytes) {
  std::uint64_t all = 0;
  for (const auto& [dtype, count] : bytes) all += count;
  for (const auto& [dtype, count] : bytes) {
    if (dtype.starts_with("F8_") && count >= all / 16) return dtype;
  }
  return bytes[0].first;
}

// `precision` is the label whose dtype the files must hold: their own, or the one asked for.
Source open_source(const ModelFolder& folder, const std::string& component,
                   const std::string& variant, const std::string& precision) {
  WeightReader reader = folder.open(component, variant);
  const auto bytes = reader.dtype_bytes();
  if (bytes.empty()) {
    throw Error(Code::kModelMismatch, component + ": expected tensors, found none");
  }
  const std::string stored = main_dtype(bytes);
  const char* promised = promised_dtype(precision);
  if (promised != nullptr && stored != promised && !(precision == "fp8" && stored == "F8_E5M2")) {
    throw Error(Code::kModelMismatch,
                format("%s: variant \"%s\": expected mostly %s, found mostly %s in the %s files",
                       component.c_str(), precision.c_str(), promised, stored.c_str(),
                       variant.empty() ? "unlabelled" : variant.c_str()));
  }
  return {component, variant, stored, std::move(reader)};
}

/// Which files to take, and the precision they must turn out to hold.
struct Choice {
  std::string variant;
  std::string precision;
};

// A label that was asked for: the files that carry it, else unlabelled ones if they hold it.
Choice choose_label(const Variants& all, const std::string& component, const std::string& label) {
  if (all.count(label) != 0) return {label, label};
  if (all.count("") != 0 && promised_dtype(label) != nullptr) return {"", label};
  throw Error(Code::kModelMismatch, format("variant: %s: expected \"%s\", found %s",
                                           component.c_str(), label.c_str(), list(all).c_str()));
}

[[noreturn]] void missing(const ModelFolder& folder, const std::string& part,
                          const std::string& expected) {
  const std::string advice = folder.files().advice(part);
  throw Error(Code::kModelMismatch, folder.files().location() + ": " + part + ": expected " +
                                        expected + ", found none" +
                                        (advice.empty() ? "" : ": " + advice));
}

// The first file of a component that is a pickle; empty: none.
std::string pickle_of(const ModelFolder& folder, const std::string& component) {
  for (const std::string& file : folder.files().list()) {
    if (file.starts_with(component + "/") && is_pickle_name(file)) return file;
  }
  return "";
}

Variants require_variants(const ModelFolder& folder, const std::string& component) {
  Variants all = folder.variants(component);
  if (!all.empty()) return all;
  const std::string pickle = pickle_of(folder, component);
  if (!pickle.empty()) refuse_pickle(pickle);
  missing(folder, component, "safetensors");
}

// Unasked: the plain files, else FP8, else whatever is there alone.
Choice choose_transformer(const ModelFolder& folder, const std::optional<std::string>& asked) {
  const Variants all = require_variants(folder, "transformer");
  if (asked) return choose_label(all, "transformer", *asked);
  for (const char* name : {"", "fp8"}) {
    if (all.count(name) != 0) return {name, name};
  }
  if (all.size() == 1) return {all.begin()->first, all.begin()->first};
  throw Error(Code::kModelMismatch, "variant: expected a choice by --variant, found " + list(all));
}

// Encoders and VAE: "fp8" means an FP8 transformer between 16-bit parts; other variants mean that
// precision throughout. Unasked, 16-bit files under whichever label.
Choice choose_part(const ModelFolder& folder, const std::string& component,
                   const std::optional<std::string>& asked) {
  const Variants all = require_variants(folder, component);
  if (asked && *asked != "fp8") return choose_label(all, component, *asked);
  for (const char* name : k16Bit) {
    if (all.count(name) != 0) return {name, name};
  }
  if (all.size() == 1) return {all.begin()->first, all.begin()->first};
  throw Error(Code::kModelMismatch, format("variant: %s: expected 16-bit weights, found %s",
                                           component.c_str(), list(all).c_str()));
}

bool stored_fp8(const Source& s) { return s.stored == "F8_E4M3" || s.stored == "F8_E5M2"; }

Compute transformer_compute(const std::string& asked, const Source& s, const Backend& backend) {
  const bool fp8 = stored_fp8(s);
  if (asked == "f32") return Compute::kF32;
  if (asked == "bf16") return Compute::kBF16;
  if (asked == "auto") {
    if (!fp8) return Compute::kBF16;
    return backend.info().native_fp8 ? Compute::kFP8 : Compute::kW8A16;
  }
  if (asked != "w8a16" && asked != "fp8")
    unknown("compute", "auto, f32, bf16, w8a16 or fp8", asked);
  if (!fp8) {
    throw Error(Code::kInvalidArgument,
                format("compute: %s needs an FP8 transformer, found %s (see --variant)",
                       asked.c_str(), s.stored.c_str()));
  }
  const DeviceInfo device = backend.info();
  if (asked == "fp8" && device.kind == "cuda" && !device.native_fp8) {
    throw Error(Code::kDevice,
                format("compute: expected a GPU with FP8 units for fp8, found %s (%s); w8a16 keeps "
                       "the weights in FP8",
                       device.name.c_str(), device.capabilities.c_str()));
  }
  return asked == "fp8" ? Compute::kFP8 : Compute::kW8A16;
}

std::string reason(const Source& s, Compute compute, const Backend& backend) {
  if (compute == Compute::kF32) return s.stored == "F32" ? "" : "asked for";
  if (compute == Compute::kW8A16) {
    if (s.component != "transformer") return "weights stay FP8, inputs are 16-bit";
    return backend.info().native_fp8
               ? "asked for"
               : "no FP8 units on this device: weights stay FP8, inputs are 16-bit";
  }
  if (compute == Compute::kFP8) {
    return backend.info().native_fp8
               ? ""
               : "no FP8 units on this device: inputs rounded to FP8, products and sums in FP32";
  }
  if (compute == Compute::kBF16 && s.stored == "F16") {
    return "weights stay F16, inputs are BF16, sums are F32";
  }
  if (compute == Compute::kBF16 && s.stored == "F32") return "asked for 16-bit computing";
  if (s.stored.starts_with("Q")) return "GGUF blocks are decoded while loading: weights in BF16";
  return "";
}

// A file may forbid 8-bit inputs layer by layer.
void note_wide_inputs(const WeightReader& reader, Compute compute, ComponentInfo& c) {
  if (compute != Compute::kFP8 || reader.wide_inputs().empty()) return;
  int wide = 0, all = 0;
  std::string text;
  for (const auto& [why, count] : reader.wide_inputs()) {
    wide += count;
    text += format("%s%d layers take 16-bit inputs, as the file says (%s)",
                   text.empty() ? "" : "; ", count, why.c_str());
  }
  for (const int count : reader.scales().weights) all += count;
  if (wide >= all) {
    c.compute = name_of(Compute::kW8A16);
    c.reason.clear();  // nothing is computed in FP8
  }
  c.reason += (c.reason.empty() ? "" : "; ") + text;
}

std::string describe(const Mmdit& m) { return m.config().describe(); }
std::string describe(const ClipTextEncoder& m) {
  return format("CLIP text encoder, %zu layers, width %lld", m.layers(),
                static_cast<long long>(m.width()));
}
std::string describe(const T5Encoder& m) {
  return format("T5 encoder, %zu layers, width %lld", m.layers(),
                static_cast<long long>(m.width()));
}
std::string describe(const Vae& m) {
  return format("VAE, %lld latent channels, 1/%lld of the size",
                static_cast<long long>(m.latent_channels()),
                static_cast<long long>(m.spatial_factor()));
}

/// What has been loaded so far.
struct Parts {
  std::optional<Mmdit> mmdit;
  std::optional<ClipTokenizer> clip_l_tokenizer, clip_g_tokenizer;
  std::optional<T5Tokenizer> t5_tokenizer;
  std::optional<ClipTextEncoder> clip_l, clip_g;
  std::optional<T5Encoder> t5;
  std::optional<Vae> vae;
};

/// Loads components one after the other and keeps the account of them.
class ModelLoader {
 public:
  ModelLoader(const ModelFolder& folder, Backend& backend, const std::optional<std::string>& asked,
              Loras& loras)
      : folder_(folder), backend_(backend), asked_(asked), loras_(loras) {}

  LoadedModel load(const std::string& compute) {
    check_parts();
    check_index();
    loras_.require_components([&](const std::string& c) { return folder_.has_component(c); });
    load_parts(compute, [](auto&& step) { step(); });
    LoadedModel model = assemble();
    model.info.digest = folder_.digest(weight_files_);
    loras_.describe(model.info);
    return model;
  }

  LoadAttempt attempt(const std::string& compute) {
    LoadAttempt a;
    const auto keep_going = [&](auto&& step) {
      try {
        step();
      } catch (const Error& error) {
        a.problems.emplace_back(error.what());
      }
    };
    keep_going([&] { check_index(); });
    load_parts(compute, keep_going);
    a.info = info_;
    if (a.problems.empty()) keep_going([&] { a.model = assemble(); });
    return a;
  }

 private:
  // All parts that the pipeline cannot do without, before anything is read.
  void check_parts() const {
    for (const char* part : {"transformer", "vae", "text_encoder", "text_encoder_2"}) {
      (void)require_variants(folder_, part);
    }
    if (!pickle_of(folder_, kT5).empty()) (void)require_variants(folder_, kT5);
  }

  void check_index() const {
    check_model_index(folder_.files(), [&](const std::string& c) {
      // Weights that cannot be read are there all the same.
      return folder_.has_component(c) || !pickle_of(folder_, c).empty();
    });
  }

  // `run` is given one step for each part and decides what an error does.
  template <typename Run>
  void load_parts(const std::string& compute, const Run& run) {
    Parts& p = parts_;
    run([&] { p.mmdit = load_transformer(compute); });
    run([&] { p.clip_l_tokenizer = ClipTokenizer::load(folder_.tokenizer("tokenizer")); });
    run([&] { p.clip_g_tokenizer = ClipTokenizer::load(folder_.tokenizer("tokenizer_2")); });
    run([&] {
      p.clip_l = load_part<ClipTextEncoder>("text_encoder",
                                            folder_.clip_options("text_encoder", Act::kQuickGelu));
    });
    run([&] {
      p.clip_g = load_part<ClipTextEncoder>("text_encoder_2",
                                            folder_.clip_options("text_encoder_2", Act::kGeluErf));
    });
    if (folder_.has_component(kT5) || !pickle_of(folder_, kT5).empty()) {
      run([&] {
        const TokenizerFiles files = folder_.tokenizer("tokenizer_3");
        if (files.contents.empty()) missing(folder_, "tokenizer_3", "the T5 tokenizer");
        p.t5_tokenizer = T5Tokenizer::load(files);
      });
      run([&] { p.t5 = load_part<T5Encoder>(kT5, folder_.t5_options()); });
    }
    run([&] { p.vae = load_part<Vae>("vae", folder_.vae_options()); });
  }

  // Of parts that are all there.
  LoadedModel assemble() {
    Parts& p = parts_;
    Models models{.text = {.clip_l_tokenizer = std::move(*p.clip_l_tokenizer),
                           .clip_g_tokenizer = std::move(*p.clip_g_tokenizer),
                           .t5_tokenizer = std::move(p.t5_tokenizer),
                           .clip_l = std::move(*p.clip_l),
                           .clip_g = std::move(*p.clip_g),
                           .t5 = std::move(p.t5)},
                  .mmdit = std::move(*p.mmdit),
                  .vae = std::move(*p.vae),
                  .defaults = {}};
    models.defaults = folder_.defaults(models.mmdit.config());
    const ChosenPreset preset = folder_.preset(models.mmdit.config());
    info_.preset = format("%s (%s)", preset.name, preset.why.c_str());
    check_fit(models);
    limit_t5_length(models);
    info_.name = folder_.name();
    info_.path = folder_.files().location();
    return {.models = std::move(models), .info = std::move(info_), .transformer_compute = main_};
  }

  Mmdit load_transformer(const std::string& compute) {
    const Choice choice = choose_transformer(folder_, asked_);
    Source transformer = open_source(folder_, "transformer", choice.variant, choice.precision);
    main_ = transformer_compute(compute, transformer, backend_);
    part_compute_ = main_ == Compute::kF32 ? Compute::kF32 : Compute::kBF16;
    info_.variant = transformer.variant;
    return component<Mmdit>(transformer, main_);
  }

  template <typename Model, typename... Options>
  Model component(Source& source, Compute compute, const Options&... options) {
    backend_.begin_component(source.component);
    loras_.begin(source.component, source.reader);
    Model model(Loader(source.reader, backend_, compute), options...);
    source.reader.finish();
    loras_.end();
    const auto files = folder_.variants(source.component).at(source.variant);
    weight_files_.insert(weight_files_.end(), files.begin(), files.end());
    ComponentInfo c;
    c.name = source.component;
    c.architecture = describe(model);
    c.stored = source.stored;
    c.compute = name_of(compute);
    c.reason = reason(source, compute, backend_);
    note_wide_inputs(source.reader, compute, c);
    c.layout = source.reader.layout();
    if (!source.reader.scheme().empty()) c.layout += ", " + source.reader.scheme();
    for (const auto& [dtype, bytes] : source.reader.dtype_bytes()) {
      c.bytes += bytes;
      c.dtypes.push_back({.dtype = dtype, .bytes = bytes});
    }
    c.variant = source.variant;
    c.tensors = source.reader.tensor_count();
    const ScaleSummary& scales = source.reader.scales();
    c.scales = scales.describe();
    if (scales.high > 0) c.lowest_scale = scales.low, c.highest_scale = scales.high;
    info_.components.push_back(std::move(c));
    return model;
  }

  template <typename Model, typename Options>
  Model load_part(const std::string& name, const Options& options) {
    const Choice choice = choose_part(folder_, name, asked_);
    Source source = open_source(folder_, name, choice.variant, choice.precision);
    // Encoders and VAE never round their inputs to 8 bits, but their weights may be stored so.
    const bool keep_fp8 = part_compute_ == Compute::kBF16 && stored_fp8(source);
    return component<Model>(source, keep_fp8 ? Compute::kW8A16 : part_compute_, options);
  }

  static void require_fit(const char* a, std::int64_t expected, const char* b, std::int64_t found) {
    if (expected == found) return;
    throw Error(Code::kModelMismatch,
                format("%s: expected %lld from %s, found %lld", a, static_cast<long long>(expected),
                       b, static_cast<long long>(found)));
  }

  // Parts of different models differ in their widths.
  static void check_fit(const Models& m) {
    const MmditConfig& c = m.mmdit.config();
    require_fit("transformer: pooled width", c.pooled_width, "both CLIP encoders together",
                m.text.clip_l.pooled_width() + m.text.clip_g.pooled_width());
    if (m.text.t5) {
      require_fit("transformer: text width", c.text_width, "the T5 encoder", m.text.t5->width());
    }
    if (m.text.clip_l.width() > m.text.clip_g.width()) {  // their sum would not tell
      throw Error(
          Code::kModelMismatch,
          format("text_encoder: expected CLIP-L, narrower than text_encoder_2, found widths "
                 "%lld and %lld (the two exchanged?)",
                 static_cast<long long>(m.text.clip_l.width()),
                 static_cast<long long>(m.text.clip_g.width())));
    }
    if (m.text.clip_l.width() + m.text.clip_g.width() > c.text_width) {
      throw Error(Code::kModelMismatch,
                  format("transformer: text width: expected at least both CLIP widths, found %lld",
                         static_cast<long long>(c.text_width)));
    }
    require_fit("transformer: latent channels", c.in_channels, "the vae", m.vae.latent_channels());
    require_fit("tokenizer_2: model_max_length", m.text.clip_l_tokenizer.model_max_length(),
                "tokenizer (the rows of both stand side by side)",
                m.text.clip_g_tokenizer.model_max_length());
    for (const auto* part : {&m.text.clip_l, &m.text.clip_g}) {
      const ClipTokenizer& tokenizer =
          part == &m.text.clip_l ? m.text.clip_l_tokenizer : m.text.clip_g_tokenizer;
      if (tokenizer.model_max_length() <= part->max_tokens()) continue;
      throw Error(Code::kModelMismatch,
                  format("tokenizer: model_max_length: expected at most %lld (positions of the "
                         "encoder), found %d",
                         static_cast<long long>(part->max_tokens()), tokenizer.model_max_length()));
    }
  }

  // A small model's T5 may have been trained with fewer tokens than diffusers' 256.
  static void limit_t5_length(Models& m) {
    const int own = m.text.t5_tokenizer ? m.text.t5_tokenizer->model_max_length() : 0;
    if (own > 0) m.defaults.t5_length = std::min(m.defaults.t5_length, own);
  }

  const ModelFolder& folder_;
  Backend& backend_;
  const std::optional<std::string>& asked_;
  Loras& loras_;
  Compute main_ = Compute::kBF16, part_compute_ = Compute::kBF16;
  Parts parts_;
  ModelInfo info_;
  std::vector<std::string> weight_files_;
};

}  // namespace

LoadedModel load_model(const ModelFolder& folder, Backend& backend,
                       const std::optional<std::string>& variant, const std::string& compute,
                       const std::vector<LoraOption>& loras) {
  Loras changes(loras, backend.info().threads);
  return ModelLoader(folder, backend, variant, changes).load(compute);
}

LoadAttempt try_load_model(const ModelFolder& folder, Backend& backend,
                           const std::optional<std::string>& variant, const std::string& compute) {
  Loras none({}, 1);
  return ModelLoader(folder, backend, variant, none).attempt(compute);
}

}  // namespace octet
