#include "picture_encoder.h"

#include <system_error>
#include <utility>

namespace octet::cli {

void PictureEncoder::add(const std::function<File()>& encode) {
  collect();
  try {
    current_ = std::async(std::launch::async, encode);
  } catch (const std::system_error&) {  // no memory for another thread
    files_.push_back(encode());
  }
}

std::vector<PictureEncoder::File> PictureEncoder::finish() {
  collect();
  return std::exchange(files_, {});
}

void PictureEncoder::collect() {
  if (current_.valid()) files_.push_back(current_.get());
}

}  // namespace octet::cli
