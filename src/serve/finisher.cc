#include "serve/finisher.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/start_thread.h"
#include "image/image.h"
#include "image/provenance.h"
#include "image/record.h"
#include "octet/error.h"

namespace octet::serve {
namespace {

constexpr std::size_t kWaiting = 4;  // results

}  // namespace

Finisher::Finisher(Channel& channel, std::vector<ServedModel> models, std::vector<ModelCard> cards)
    : channel_(channel),
      models_(std::move(models)),
      cards_(std::move(cards)),
      thread_(start_thread([this] { work(); })) {}

Finisher::~Finisher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Finisher::finish(const JobMessage& job, GenerateResult result) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return items_.size() < kWaiting; });
    items_.push_back({job, std::move(result)});
  }
  changed_.notify_all();
}

void Finisher::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || !items_.empty(); });
    if (items_.empty()) return;
    const Item item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    changed_.notify_all();
    try {
      encode_and_send(item);
    } catch (const Error& error) {
      if (error.code() == Code::kIo) return;  // the front is gone, and this process with it
      send(FailedMessage{item.job.id, error.code(), error.what()});
    } catch (const std::bad_alloc&) {
      send(FailedMessage{item.job.id, Code::kOutOfMemory, "not enough memory to encode it"});
    }
  }
}

void Finisher::send(const ToFront& message) {
  try {
    channel_.send(encode_message(message));
  } catch (const Error&) {
    // As above.
  }
}

std::vector<std::byte> Finisher::file_of(const Item& item, const Picture& picture,
                                         std::vector<std::string>& warnings) const {
  const PictureFile& file = item.job.file;
  EncodeOptions options;
  if (file.quality >= 0) {
    options.jpeg_quality = std::max(1, file.quality);
    options.webp_quality = file.quality;
  }
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (models_[i].name != item.job.model) continue;
    EngineOptions engine = models_[i].options;
    engine.model = models_[i].name;  // clients know names; paths are the server's business
    for (LoraOption& lora : engine.loras) lora.path.erase(0, lora.path.rfind('/') + 1);
    ModelInfo info;
    info.digest = cards_[i].digest;
    info.components = {{.name = "transformer", .compute = cards_[i].compute}};
    const PictureParameters record = record_of({.engine = engine,
                                                .model = info,
                                                .request = item.job.request,
                                                .used = item.result.used,
                                                .picture = picture,
                                                .init_digest = file.init_digest,
                                                .mask_digest = file.mask_digest});
    if (!describe_picture(record, file.format, file.provenance, options)) {
      warnings.emplace_back("the settings are too long for a JPEG: its XMP says its origin only");
    }
  }
  const Image image{.width = picture.width, .height = picture.height, .rgb = picture.rgb};
  return encode(image, file.format, options);
}

void Finisher::encode_and_send(const Item& item) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::string> warnings = item.result.warnings;
  int index = 0;
  for (const Picture& picture : item.result.pictures) {
    send(PictureMessage{.id = item.job.id,
                        .index = index++,
                        .width = picture.width,
                        .height = picture.height,
                        .seed = picture.seed,
                        .bytes = file_of(item, picture, warnings)});
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  send(DoneMessage{.id = item.job.id,
                   .used = item.result.used,
                   .seconds = item.result.seconds,
                   .encode_seconds = took.count(),
                   .activation_bytes = item.result.activation_peak_bytes,
                   .warnings = std::move(warnings)});
}

}  // namespace octet::serve
