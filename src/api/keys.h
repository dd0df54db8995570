// API keys: who may use a server that others can reach.
//
// The file has one key per line, its name and the SHA-256 of its secret; the secret is shown once,
// when it is made. Secrets have 256 random bits, so their digests need no salt. The file must be
// the user's own and closed to others. Thread-safety: KeyRing one thread; functions pure besides
// the file. Errors: Error(kIo) for a file that cannot be read, Error(kRefused) for one that is open
// to others, Error(kInvalidArgument) for names and lines that are none.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octet::api {

struct StoredKey {
  std::string name;
  std::string digest;  // 64 hexadecimal digits
};

[[nodiscard]] std::vector<StoredKey> read_keys(const std::string& path);
/// Adds a key and returns its secret. A file that is not there is made.
[[nodiscard]] std::string add_key(const std::string& path, const std::string& name);
void revoke_key(const std::string& path, const std::string& name);

/// The name of the key with this secret; looks at all of them, in constant time.
[[nodiscard]] std::optional<std::string> match_key(const std::vector<StoredKey>& keys,
                                                   std::string_view secret);

/// The secret in an Authorization header: "Bearer SECRET", or the password of "Basic ...".
[[nodiscard]] std::optional<std::string> secret_of(std::string_view authorization);

/// The keys of a file, read again when it has changed.
class KeyRing {
 public:
  /// An empty path: no keys are needed.
  explicit KeyRing(std::string path);

  [[nodiscard]] bool needed() const { return !path_.empty(); }
  [[nodiscard]] std::optional<std::string> match(std::string_view secret);

 private:
  void read();
  [[nodiscard]] bool is_current() const;

  const std::string path_;
  std::vector<StoredKey> keys_;
  struct stat read_from_ {};
  bool settled_ = false;  // what was read can be told from what comes later
};

}  // namespace octet::api
