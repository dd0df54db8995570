#include "backend/cuda/algorithm_cache.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>

#include "base/atomic_file.h"
#include "base/sha256.h"
#include "base/version.h"
#include "octet/error.h"

namespace octet::cuda {
namespace {

constexpr std::size_t kMostLines = 4096;

std::string folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string own = variable("OCTET_CACHE"); !own.empty()) return own;
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/octet";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/octet";
  return "";
}

std::string to_hex(const AlgorithmCache::Bytes& bytes) {
  static const char* const kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    text += kDigits[b >> 4];
    text += kDigits[b & 15];
  }
  return text;
}

bool from_hex(const std::string& text, AlgorithmCache::Bytes& bytes) {
  if (text.empty() || text.size() % 2 != 0) return false;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  bytes.clear();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high * 16 + low);
  }
  return true;
}

// A line without its checksum, and the checksum: a damaged line must not become another algorithm.
std::string checksum(const std::string& line) {
  return sha256_hex(std::as_bytes(std::span(line))).substr(0, 16);
}

}  // namespace

AlgorithmCache::AlgorithmCache(const std::string& name) {
  const std::string place = folder();
  if (place.empty()) return;
  std::string file = std::string("octet-") + engine_version() + "-";
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    file += plain || c == '.' || c == '-' ? c : '_';
  }
  path_ = place + "/" + file + ".txt";
  load();
}

void AlgorithmCache::load() {
  std::ifstream file(path_);
  std::string key_text, algorithm_text, sum;
  for (std::size_t i = 0; i < kMostLines && file >> key_text >> algorithm_text >> sum; ++i) {
    Bytes key, algorithm;
    if (checksum(key_text + " " + algorithm_text) != sum) continue;
    if (from_hex(key_text, key) && from_hex(algorithm_text, algorithm)) entries_[key] = algorithm;
  }
}

const AlgorithmCache::Bytes* AlgorithmCache::find(const Bytes& key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second;
}

void AlgorithmCache::add(const Bytes& key, const Bytes& algorithm) {
  entries_[key] = algorithm;
  if (path_.empty()) return;
  load();  // what another process found meanwhile
  std::string text;
  for (const auto& [k, a] : entries_) {
    const std::string line = to_hex(k) + " " + to_hex(a);
    text += line + " " + checksum(line) + "\n";
  }
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  try {
    write_file_atomically(path_, std::as_bytes(std::span(text)));
  } catch (const Error&) {
    path_.clear();  // see the header: a cache that cannot be kept is no error
  }
}

}  // namespace octet::cuda
