#include "base/whole_library.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/format.h"

namespace octet {
namespace {

/// The file's size that its segments and sections need; 0: it is no 64-bit ELF file.
std::uint64_t needed_bytes(std::ifstream& file) {
  Elf64_Ehdr head{};
  if (!file.read(reinterpret_cast<char*>(&head), sizeof head)) return 0;
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return 0;
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr)) return 0;
  std::uint64_t needed = head.e_phoff + std::uint64_t{head.e_phnum} * sizeof(Elf64_Phdr);
  file.seekg(static_cast<std::streamoff>(head.e_phoff));
  for (int i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!file.read(reinterpret_cast<char*>(&segment), sizeof segment)) break;  // cut off before
    if (segment.p_type == PT_LOAD) needed = std::max(needed, segment.p_offset + segment.p_filesz);
  }
  return needed;
}

}  // namespace

std::string locate_library(const std::string& name) {
  const char* path = std::getenv("LD_LIBRARY_PATH");
  std::istringstream entries(path == nullptr ? "" : path);
  std::vector<std::string> folders;
  for (std::string folder; std::getline(entries, folder, ':');) folders.push_back(folder);
  for (const char* folder : {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64",
                             "/usr/lib64", "/lib", "/usr/lib"}) {
    folders.emplace_back(folder);
  }
  for (const std::string& folder : folders) {
    std::string file = folder + "/" + name;
    std::error_code error;
    if (std::filesystem::exists(file, error)) return file;
  }
  return "";
}

std::string library_fault(const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0) return std::strerror(errno);
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  const std::uint64_t needed = error ? 0 : needed_bytes(file);
  if (needed <= size) return "";
  return format("expected %llu bytes or more, found %llu (cut off)",
                static_cast<unsigned long long>(needed), static_cast<unsigned long long>(size));
}

}  // namespace octet
