#include "image/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <variant>

#include "base/format.h"
#include "image/flat_json.h"
#include "image/parameter_fields.h"
#include "image/provenance.h"
#include "image/xmp_storage.h"
#include "octet/error.h"

namespace octet {
namespace {

using P = PictureParameters;
template <typename T>
using Member = std::optional<T> P::*;
using AnyMember = std::variant<Member<int>, Member<float>, Member<double>, Member<std::uint64_t>,
                               Member<std::string>, Member<PictureSize>, Member<std::vector<int>>,
                               Member<std::vector<std::string>>>;

struct FieldRow {
  const char* label;
  const char* key;
  AnyMember member;
  bool display = false;
};

const FieldRow kFields[] = {
    {"Steps", "steps", &P::steps},
    {"Sampler", "sampler", &P::sampler, true},
    {"Schedule type", "schedule", &P::schedule, true},
    {"CFG scale", "guidance", &P::guidance},
    {"Seed", "seed", &P::seed},
    {"Size", "size", &P::size},
    {"Model hash", "model_hash", &P::model_hash},
    {"Model", "model", &P::model},
    {"Variant", "variant", &P::variant},
    {"Lora", "lora", &P::loras},
    {"Shift", "shift", &P::shift},
    {"Denoising strength", "strength", &P::strength},
    {"Init image hash", "init_hash", &P::init_hash},
    {"Mask hash", "mask_hash", &P::mask_hash},
    {"Skip layers", "skip_layers", &P::skip_layers},
    {"Skip scale", "skip_scale", &P::skip_scale},
    {"Skip start", "skip_start", &P::skip_start},
    {"Skip end", "skip_end", &P::skip_end},
    {"T5 length", "t5_length", &P::t5_length},
    {"Compat", "compat", &P::compat},
    {"Compute", "compute", &P::compute},
    {"Octet version", "version", &P::version},
};

struct NameRow {
  const char* name;
  const char* display;
};

constexpr NameRow kNames[] = {
    {"euler", "Euler"},   {"dpmpp_2m", "DPM++ 2M"},       {"normal", "Normal"},
    {"simple", "Simple"}, {"sgm_uniform", "SGM Uniform"},
};

// ---- value -> text

template <typename T>
std::string to_text(const T& number) {
  char buffer[64];  // shortest form that reads back the same
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), number);
  return {buffer, result.ptr};
}
std::string to_text(const std::string& text) { return text; }
std::string to_text(const PictureSize& size) { return format("%dx%d", size.width, size.height); }
std::string to_text(const std::vector<int>& list) {
  std::string out;
  for (const int item : list) {
    out += out.empty() ? "" : ",";
    out += to_text(item);
  }
  return out;
}

// Line by line: paths may hold every other separator.
std::string to_text(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& item : list) out += (out.empty() ? "" : "\n") + item;
  return out;
}

// ---- text -> value, false when it does not fit

template <typename T>
bool from_text(std::string_view text, T& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return false;
  if constexpr (std::is_floating_point_v<T>) return std::isfinite(number);
  return true;
}
bool from_text(std::string_view text, std::string& out) {
  out = text;
  return true;
}
bool from_text(std::string_view text, PictureSize& size) {
  const std::size_t x = text.find('x');
  return x != text.npos && from_text(text.substr(0, x), size.width) &&
         from_text(text.substr(x + 1), size.height);
}
bool from_text(std::string_view text, std::vector<int>& list) {
  for (std::size_t at = 0; at <= text.size() && list.size() < 1000;) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::string_view item = text.substr(at, comma - at);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    if (!from_text(item, list.emplace_back())) return false;
    if (comma == text.size()) return true;
    at = comma + 1;
  }
  return false;
}

bool from_text(std::string_view text, std::vector<std::string>& list) {
  constexpr std::size_t kMost = 100;
  for (std::size_t at = 0; at <= text.size() && list.size() < kMost;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    list.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return list.size() < kMost;
}

// ---- fields

template <typename T>
constexpr bool is_number(Member<T>) {
  return std::is_arithmetic_v<T>;
}

void set_field(P& parameters, const FieldRow& row, const std::string& value) {
  const bool good = std::visit(
      [&](auto member) {
        auto& field = parameters.*member;
        field.emplace();
        return from_text(value, *field);
      },
      row.member);
  if (good) return;
  throw Error(Code::kCorruptFile, format("picture parameters: %s: cannot be read from '%s'",
                                         row.label, excerpt(value).c_str()));
}

}  // namespace

std::vector<FieldValue> present_fields(const P& parameters) {
  std::vector<FieldValue> fields;
  for (const FieldRow& row : kFields) {
    std::visit(
        [&](auto member) {
          const auto& field = parameters.*member;
          if (!field) return;
          fields.push_back({row.label, row.key, to_text(*field), is_number(member), row.display});
        },
        row.member);
  }
  return fields;
}

void set_field_by_label(P& parameters, std::string_view label, const std::string& value) {
  for (const FieldRow& row : kFields) {
    if (label == row.label) {
      return set_field(parameters, row, row.display ? internal_name(value) : value);
    }
  }
}

void set_field_by_key(P& parameters, std::string_view key, const std::string& value) {
  for (const FieldRow& row : kFields) {
    if (key == row.key) return set_field(parameters, row, value);
  }
}

std::string display_name(const std::string& name) {
  for (const NameRow& row : kNames) {
    if (name == row.name) return row.display;
  }
  return name;
}

std::string internal_name(const std::string& display) {
  for (const NameRow& row : kNames) {
    if (display == row.display) return row.name;
  }
  return display;
}

std::string parameters_to_json(const P& parameters) {
  std::vector<JsonField> fields = {{"prompt", parameters.prompt},
                                   {"negative_prompt", parameters.negative_prompt}};
  for (FieldValue& field : present_fields(parameters)) {
    fields.push_back({field.key, std::move(field.value), !field.number});
  }
  return write_flat_json(fields);
}

P parameters_from_json(std::string_view json) {
  P parameters;
  for (const JsonField& field : read_flat_json(json)) {
    if (field.key == "prompt") {
      parameters.prompt = field.value;
    } else if (field.key == "negative_prompt") {
      parameters.negative_prompt = field.value;
    } else {
      set_field_by_key(parameters, field.key, field.value);
    }
  }
  return parameters;
}

std::vector<PngText> picture_texts(const P& parameters) {
  return {{"parameters", parameters_to_text(parameters)},
          {"octet", parameters_to_json(parameters)}};
}

std::optional<P> read_picture_parameters(std::span<const std::byte> bytes,
                                         const std::string& name) {
  std::optional<std::string> text;
  if (holds_xmp_only(bytes)) {
    const std::optional<std::string> packet = read_xmp(bytes, name);
    if (packet) text = xmp_property(*packet, "octet:parameters");
    return text ? std::optional(parameters_from_json(*text)) : std::nullopt;
  }
  for (PngText& item : read_png_texts(bytes, name)) {
    if (item.keyword == "octet") return parameters_from_json(item.text);
    if (item.keyword == "parameters" && !text) text = std::move(item.text);
  }
  if (!text) return std::nullopt;
  return parameters_from_text(*text);
}

}  // namespace octet
