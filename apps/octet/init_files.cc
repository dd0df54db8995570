#include "init_files.h"

#include "base/format.h"
#include "base/sha256.h"
#include "checkpoint/files.h"
#include "image/decode.h"
#include "octet/error.h"

namespace octet::cli {
namespace {

std::vector<std::byte> read_limited(const std::string& path) {
  const std::unique_ptr<ByteSource> file = open_file(path);
  if (file->size() > kMaxInputBytes) {
    throw Error(Code::kInvalidArgument,
                format("%s: expected at most %zu bytes, found %llu", excerpt(path, 300).c_str(),
                       kMaxInputBytes, static_cast<unsigned long long>(file->size())));
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(file->size()));
  file->read(0, bytes);
  return bytes;
}

struct InputFile {
  DecodedPicture picture;
  std::string digest;  // SHA-256 of the file
};

InputFile read_picture(const char* flag, const std::string& path) {
  try {
    const std::vector<std::byte> bytes = read_limited(path);
    return {.picture = decode_picture(bytes, path), .digest = sha256_hex(bytes)};
  } catch (const Error& error) {
    throw Error(error.code(), std::string(flag) + ": " + error.what());
  }
}

void append(std::vector<std::string>& lines, const char* flag,
            const std::vector<std::string>& remarks) {
  for (const std::string& remark : remarks) lines.push_back(std::string(flag) + ": " + remark);
}

void read_init(GenerateOptions& options, std::vector<std::string>& said) {
  InputFile file = read_picture("--init", options.init_file);
  append(said, "--init", file.picture.remarks);
  if (!file.picture.alpha.empty()) {
    said.push_back("--init: " + excerpt(options.init_file, 300) +
                   ": its transparent part is laid over white");
  }
  Image image = over_white(file.picture);
  options.request.init = {
      .width = image.width, .height = image.height, .rgb = std::move(image.rgb)};
  options.init_digest = file.digest;
}

// A mask that is transparent somewhere may mean the opposite of white: some programs draw there.
void read_mask(GenerateOptions& options) {
  const InputFile file = read_picture("--mask", options.mask_file);
  if (!file.picture.alpha.empty()) {
    throw Error(Code::kInvalidArgument,
                "--mask: expected an opaque picture, white where to draw and black where to keep, "
                "found transparency in " +
                    excerpt(options.mask_file, 300));
  }
  options.request.mask = {.width = file.picture.image.width,
                          .height = file.picture.image.height,
                          .values = grey_of(file.picture.image)};
  options.mask_digest = file.digest;
}

}  // namespace

std::vector<std::string> read_init_files(GenerateOptions& options) {
  std::vector<std::string> said;
  if (!options.init_file.empty()) read_init(options, said);
  if (!options.mask_file.empty()) read_mask(options);
  return said;
}

}  // namespace octet::cli
