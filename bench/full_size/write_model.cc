// Writes a synthetic model (engine/synthetic_model.h) to disk, to try reading and memory with files
// of full size: write_model synthetic:sd3.5-large FOLDER [without-PART...]
//
//   write_model synthetic:sd3.5-large /tmp/large without-text_encoder_3 without-tokenizer_3
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <vector>

#include "engine/synthetic_model.h"
#include "octet/error.h"

namespace {

constexpr std::uint64_t kBlock = std::uint64_t{16} << 20;

// The next block is computed while one is written.
void copy(const octet::ByteSource& source, const std::filesystem::path& target) {
  std::filesystem::create_directories(target.parent_path());
  std::ofstream out(target, std::ios::binary);
  const auto block_at = [&](std::uint64_t offset) {
    std::vector<std::byte> block(
        static_cast<std::size_t>(std::min(kBlock, source.size() - offset)));
    source.read(offset, block);
    return block;
  };
  std::future<std::vector<std::byte>> next = std::async(block_at, 0);
  for (std::uint64_t offset = 0; offset < source.size();) {
    const std::vector<std::byte> block = next.get();
    offset += block.size();
    if (offset < source.size()) next = std::async(std::launch::async, block_at, offset);
    out.write(reinterpret_cast<const char*>(block.data()),
              static_cast<std::streamsize>(block.size()));
  }
  out.flush();
  if (!out) throw octet::Error(octet::Code::kIo, target.string() + ": cannot write");
}

bool left_out(const std::string& file, const std::vector<std::string>& arguments) {
  const std::string folder = file.substr(0, file.find('/'));
  for (const std::string& argument : arguments) {
    if (argument == "without-" + folder) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: write_model synthetic:NAME FOLDER [without-PART...]\n");
    return 2;
  }
  try {
    const auto files = octet::open_synthetic(arguments[0]);
    for (const std::string& file : files->list()) {
      if (left_out(file, arguments)) continue;
      const auto source = files->open(file);
      std::printf("%s  %.3f GB\n", file.c_str(), static_cast<double>(source->size()) * 1e-9);
      std::fflush(stdout);
      copy(*source, std::filesystem::path(arguments[1]) / file);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_model: %s\n", error.what());
    return 1;
  }
  return 0;
}
