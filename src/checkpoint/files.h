// Where model files come from: a folder on disk or tables inside the binary.
//
// Reading is by pread at checked offsets, never by mapping, so that a file that shrinks while it
// is read is an error and not a SIGBUS; so is one that changes in any other way. Sources are
// immutable and may be read from any thread.
// Errors: Error(kIo) naming the file and the reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/random_codes.h"

namespace octet {

/// Random access to one file.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Fills `destination` from `offset`; throws when fewer bytes are there.
  virtual void read(std::uint64_t offset, std::span<std::byte> destination) const = 0;
  /// Whether every user of the machine may change it.
  [[nodiscard]] virtual bool writable_by_all() const { return false; }
  /// What the tensor that begins at `offset` is computed from; null for all that is stored.
  [[nodiscard]] virtual const RandomCodes* formula(std::uint64_t /*offset*/) const {
    return nullptr;
  }
};

/// A model's files under relative names with '/' ("transformer/config.json").
class FileSet {
 public:
  virtual ~FileSet() = default;
  /// The folder's path, or "built-in:NAME".
  [[nodiscard]] virtual const std::string& location() const = 0;
  /// How the files lie there, in words.
  [[nodiscard]] virtual std::string layout() const { return "diffusers folder"; }
  [[nodiscard]] virtual bool has(const std::string& file) const = 0;
  /// Whether a listed file lies nowhere but stands for one, such as a vocabulary that Octet
  /// carries.
  [[nodiscard]] virtual bool stands_in(const std::string& /*file*/) const { return false; }
  /// What a user can do about a part that is missing; empty: nothing but bringing its files.
  [[nodiscard]] virtual std::string advice(const std::string& /*part*/) const { return ""; }
  /// All files, sorted.
  [[nodiscard]] virtual std::vector<std::string> list() const = 0;
  [[nodiscard]] virtual std::unique_ptr<ByteSource> open(const std::string& file) const = 0;
};

[[nodiscard]] std::unique_ptr<ByteSource> open_file(const std::string& path);
/// `bytes` must outlive the source.
[[nodiscard]] std::unique_ptr<ByteSource> open_memory(std::string name,
                                                      std::span<const std::byte> bytes);
/// Throws Error(kIo) when `path` is not a readable folder. Looks two levels deep.
[[nodiscard]] std::unique_ptr<FileSet> open_folder(const std::string& path);

struct EmbeddedFile {
  const char* name;
  const unsigned char* begin;
  const unsigned char* end;
};
[[nodiscard]] std::unique_ptr<FileSet> open_embedded(std::string location,
                                                     std::span<const EmbeddedFile> files);

/// The whole of a small file (configs, vocabularies) as text; refuses more than `limit` bytes.
[[nodiscard]] std::string read_text(const FileSet& files, const std::string& file,
                                    std::uint64_t limit = std::uint64_t{64} << 20);

}  // namespace octet
