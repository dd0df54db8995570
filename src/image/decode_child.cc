// The child's side, and the form of its answer.
#include "image/decode_child.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>

#include "base/sandbox.h"
#include "image/decode_answer.h"
#include "octet/error.h"

namespace octet {
namespace {

std::vector<std::byte> read_everything() {
  std::vector<std::byte> bytes;
  std::array<std::byte, std::size_t{64} << 10> piece;
  while (bytes.size() <= kMaxInputBytes) {
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes.insert(bytes.end(), piece.begin(), piece.begin() + got);
  }
  return bytes;
}

bool write_everything(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return true;
}

bool answer(const DecodedPicture& picture) {
  std::string remarks;
  for (const std::string& line : picture.remarks) remarks += (remarks.empty() ? "" : "\n") + line;
  const DecodeAnswer head{.kind = DecodeAnswer::kPicture,
                          .width = static_cast<std::uint32_t>(picture.image.width),
                          .height = static_cast<std::uint32_t>(picture.image.height),
                          .has_alpha = picture.alpha.empty() ? 0U : 1U,
                          .text_bytes = static_cast<std::uint32_t>(remarks.size())};
  return write_everything(std::as_bytes(std::span(&head, 1))) &&
         write_everything(std::as_bytes(std::span(picture.image.rgb))) &&
         write_everything(std::as_bytes(std::span(picture.alpha))) &&
         write_everything(std::as_bytes(std::span(remarks)));
}

bool answer_error(std::uint32_t kind, const std::string& what) {
  const std::string text = what.substr(0, DecodeAnswer::kMaxText);
  const DecodeAnswer head{.kind = kind, .text_bytes = static_cast<std::uint32_t>(text.size())};
  return write_everything(std::as_bytes(std::span(&head, 1))) &&
         write_everything(std::as_bytes(std::span(text)));
}

bool decode_and_answer() {
  try {
    enter_sandbox({});
    return answer(decode_picture(read_everything(), DecodeAnswer::kName));
  } catch (const Error& error) {
    const bool picture = error.code() == Code::kInvalidArgument;
    const bool memory = error.code() == Code::kOutOfMemory;
    return answer_error(picture  ? DecodeAnswer::kRefused
                        : memory ? DecodeAnswer::kNoMemory
                                 : DecodeAnswer::kFailed,
                        error.what());
  } catch (const std::bad_alloc&) {
    return answer_error(DecodeAnswer::kNoMemory, "");
  }
}

}  // namespace

int run_decode_child() { return decode_and_answer() ? 0 : 1; }

}  // namespace octet
