#include "api/keys.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <span>
#include <sstream>

#include "api/base64.h"
#include "base/atomic_file.h"
#include "base/format.h"
#include "base/sha256.h"
#include "http/message.h"
#include "octet/error.h"

namespace octet::api {
namespace {

constexpr std::size_t kMaxKeys = 10000;

std::string digest_of(std::string_view secret) {
  return sha256_hex(std::as_bytes(std::span(secret)));
}

std::string fresh_secret() {
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
    throw Error(Code::kDevice, "key: the kernel gave no random numbers");
  }
  std::string text = "octet_";
  for (const unsigned char byte : bytes) text += format("%02x", byte);
  return text;
}

bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), fits);
}

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Refuses what others could have changed or could read.
struct stat check_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    throw Error(Code::kIo, format("%s: %s", excerpt(path).c_str(), std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0 || info.st_uid != ::geteuid()) {
    throw Error(Code::kRefused,
                format("%s: expected a file of this user with mode 0600, found mode %04o; "
                       "chmod 600 closes it",
                       excerpt(path).c_str(), info.st_mode & 07777));
  }
  return info;
}

void write_keys(const std::string& path, const std::vector<StoredKey>& keys) {
  std::string text;
  for (const StoredKey& key : keys) text += key.name + " " + key.digest + "\n";
  const mode_t before = ::umask(077);
  try {
    write_file_atomically(path, std::as_bytes(std::span(text)));
  } catch (...) {
    ::umask(before);
    throw;
  }
  ::umask(before);
}

}  // namespace

std::vector<StoredKey> read_keys(const std::string& path) {
  check_file(path);
  std::ifstream file(path);
  std::vector<StoredKey> keys;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    StoredKey key;
    std::string more;
    if (!(words >> key.name >> key.digest) || words >> more || !is_name(key.name) ||
        !is_digest(key.digest) || keys.size() >= kMaxKeys) {
      throw Error(Code::kInvalidArgument, format("%s: line %zu: expected a name and a SHA-256",
                                                 excerpt(path).c_str(), keys.size() + 1));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string add_key(const std::string& path, const std::string& name) {
  if (!is_name(name)) {
    throw Error(
        Code::kInvalidArgument,
        "NAME: expected 1 to 64 letters, digits, '-', '_' or '.', found '" + excerpt(name) + "'");
  }
  std::vector<StoredKey> keys;
  if (::access(path.c_str(), F_OK) == 0) keys = read_keys(path);
  for (const StoredKey& key : keys) {
    if (key.name == name) {
      throw Error(Code::kInvalidArgument, "NAME: expected a new one, found '" + name + "' twice");
    }
  }
  const std::string secret = fresh_secret();
  keys.push_back({name, digest_of(secret)});
  write_keys(path, keys);
  return secret;
}

void revoke_key(const std::string& path, const std::string& name) {
  std::vector<StoredKey> keys = read_keys(path);
  if (std::erase_if(keys, [&](const StoredKey& key) { return key.name == name; }) == 0) {
    throw Error(Code::kInvalidArgument,
                "NAME: expected a key of the file, found '" + excerpt(name) + "'");
  }
  write_keys(path, keys);
}

std::optional<std::string> match_key(const std::vector<StoredKey>& keys, std::string_view secret) {
  const std::string digest = digest_of(secret);
  const StoredKey* found = nullptr;
  for (const StoredKey& key : keys) {
    unsigned difference = 0;
    for (std::size_t i = 0; i < digest.size(); ++i) {
      difference |= static_cast<unsigned>(digest[i] ^ key.digest[i]);
    }
    if (difference == 0) found = &key;
  }
  return found ? std::optional(found->name) : std::nullopt;
}

std::optional<std::string> secret_of(std::string_view authorization) {
  const std::size_t space = std::min(authorization.find(' '), authorization.size());
  const std::string_view scheme = authorization.substr(0, space);
  std::string_view rest = authorization.substr(std::min(space + 1, authorization.size()));
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  if (http::equal_without_case(scheme, "Bearer")) return std::string(rest);
  if (!http::equal_without_case(scheme, "Basic")) return std::nullopt;
  const auto bytes = decode_base64(rest);
  if (!bytes) return std::nullopt;
  const std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  const std::size_t colon = text.find(':');
  return colon == std::string::npos ? std::nullopt : std::optional(text.substr(colon + 1));
}

KeyRing::KeyRing(std::string path) : path_(std::move(path)) {
  if (needed()) read();
}

void KeyRing::read() {
  settled_ = false;  // a file that cannot be read is tried again
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  read_from_ = check_file(path_);
  keys_ = read_keys(path_);
  // Two changes within a tick of the kernel's clock have the same time.
  settled_ = now.tv_sec > read_from_.st_mtim.tv_sec + 1;
}

bool KeyRing::is_current() const {
  const struct stat latest = check_file(path_);
  return settled_ && latest.st_ino == read_from_.st_ino && latest.st_size == read_from_.st_size &&
         latest.st_mtim.tv_sec == read_from_.st_mtim.tv_sec &&
         latest.st_mtim.tv_nsec == read_from_.st_mtim.tv_nsec;
}

std::optional<std::string> KeyRing::match(std::string_view secret) {
  try {
    if (!is_current()) read();
  } catch (const Error&) {
    return std::nullopt;  // a file that became unreadable opens nothing
  }
  return match_key(keys_, secret);
}

}  // namespace octet::api
