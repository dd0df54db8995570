#include "serve/messages.h"

#include "serve/archive.h"

namespace octet {

// The members of the public types, in namespace octet so that the archives find them.
template <class Archive>
void fields(Archive& a, FloatArray& v) {
  a(v.dims, v.values);
}

template <class Archive>
void fields(Archive& a, InitPicture& v) {
  a(v.width, v.height, v.rgb);
}

template <class Archive>
void fields(Archive& a, InitMask& v) {
  a(v.width, v.height, v.values);
}

template <class Archive>
void fields(Archive& a, GenerateRequest& v) {
  a(v.prompt, v.negative_prompt, v.steps, v.guidance, v.shift, v.seed, v.width, v.height, v.batch,
    v.sampler, v.schedule, v.skip_layers, v.skip_scale, v.skip_start, v.skip_end, v.t5_length,
    v.compat, v.noise, v.init, v.mask, v.strength, v.dump_steps);
}

template <class Archive>
void fields(Archive& a, UsedSettings& v) {
  a(v.steps, v.run_steps, v.skipped_steps, v.strength, v.guidance, v.shift, v.seed, v.width,
    v.height, v.sampler, v.schedule, v.skip_scale, v.skip_start, v.skip_end, v.t5_length);
}

template <class Archive>
void fields(Archive& a, StageSeconds& v) {
  a(v.init, v.text, v.modulation, v.denoise, v.decode);
}

namespace serve {

template <class Archive>
void fields(Archive& a, PictureFile& v) {
  a(v.format, v.quality, v.provenance, v.init_digest, v.mask_digest);
}
template <class Archive>
void fields(Archive& a, JobMessage& v) {
  a(v.id, v.model, v.request, v.file, v.previews, v.token, v.traceparent);
}
template <class Archive>
void fields(Archive& a, CancelMessage& v) {
  a(v.id);
}
template <class Archive>
void fields(Archive&, ShutdownMessage&) {}
template <class Archive>
void fields(Archive& a, ModelCard& v) {
  a(v.name, v.digest, v.variant, v.device, v.compute, v.width, v.height, v.side_multiple,
    v.longest_side, v.steps, v.guidance, v.sampler, v.schedule, v.load_seconds, v.weight_bytes);
}
template <class Archive>
void fields(Archive& a, ReadyMessage& v) {
  a(v.models, v.slots);
}
template <class Archive>
void fields(Archive& a, UnusableMessage& v) {
  a(v.code, v.message);
}
template <class Archive>
void fields(Archive& a, ProgressMessage& v) {
  a(v.id, v.stage, v.step, v.steps);
}
template <class Archive>
void fields(Archive& a, PreviewMessage& v) {
  a(v.id, v.step, v.steps, v.bytes);
}
template <class Archive>
void fields(Archive& a, PictureMessage& v) {
  a(v.id, v.index, v.width, v.height, v.seed, v.bytes);
}
template <class Archive>
void fields(Archive& a, DoneMessage& v) {
  a(v.id, v.used, v.seconds, v.encode_seconds, v.activation_bytes, v.warnings);
}
template <class Archive>
void fields(Archive& a, FailedMessage& v) {
  a(v.id, v.code, v.message, v.impossible);
}
template <class Archive>
void fields(Archive& a, StepMessage& v) {
  a(v.model, v.width, v.height, v.pictures, v.seconds, v.activation_bytes, v.prompt_bytes,
    v.prompt_hits, v.prompt_misses);
}

namespace {

template <class Variant>
std::vector<std::byte> encode(const Variant& message) {
  ArchiveWriter writer;
  writer(static_cast<std::uint8_t>(message.index()));
  std::visit([&](const auto& m) { writer(m); }, message);
  return writer.take();
}

template <class Variant, std::size_t kIndex = 0>
Variant decode(std::span<const std::byte> bytes, std::size_t index) {
  if constexpr (kIndex < std::variant_size_v<Variant>) {
    if (index != kIndex) return decode<Variant, kIndex + 1>(bytes, index);
    return from_bytes<std::variant_alternative_t<kIndex, Variant>>(bytes);
  } else {
    throw Error(Code::kInternal, format("message: no kind %zu", index));
  }
}

template <class Variant>
Variant decode_any(std::span<const std::byte> bytes) {
  OCTET_CHECK(!bytes.empty(), "a message without a kind");
  return decode<Variant>(bytes.subspan(1), static_cast<std::size_t>(bytes[0]));
}

}  // namespace

std::vector<std::byte> encode_message(const ToWorker& message) { return encode(message); }
std::vector<std::byte> encode_message(const ToFront& message) { return encode(message); }
ToWorker decode_to_worker(std::span<const std::byte> bytes) { return decode_any<ToWorker>(bytes); }
ToFront decode_to_front(std::span<const std::byte> bytes) { return decode_any<ToFront>(bytes); }

}  // namespace serve
}  // namespace octet
