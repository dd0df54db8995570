// Which cuBLASLt algorithm won for which product, kept between runs.
//
// One text file per version of Octet, GPU model and library version in $OCTET_CACHE, else
// $XDG_CACHE_HOME/octet, else
// ~/.cache/octet; a line per product: key and algorithm in hexadecimal, and a checksum. Lines that
// do not parse are ignored: the file is a hint, and the library checks every algorithm before use.
// A folder that cannot be written is no error; the choice is then made again in the next run.
#pragma once

#include <map>
#include <string>

namespace octet::cuda {

class AlgorithmCache {
 public:
  using Bytes = std::string;

  /// `name` becomes the file's name behind Octet's version, cleaned of everything but letters,
  /// digits, '.' and '-'.
  explicit AlgorithmCache(const std::string& name);
  /// Null when unknown.
  [[nodiscard]] const Bytes* find(const Bytes& key) const;
  /// Remembers, and rewrites the file.
  void add(const Bytes& key, const Bytes& algorithm);

 private:
  void load();

  std::string path_;  // empty: nowhere to keep it
  std::map<Bytes, Bytes> entries_;
};

}  // namespace octet::cuda
