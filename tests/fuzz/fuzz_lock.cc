// libFuzzer target: lock files. What is read must be written and read again as the same lock.
#include <cstddef>
#include <cstdint>
#include <string>

#include "lock/lock_toml.h"
#include "octet/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const octet::ModelLock lock = octet::parse_lock(text, "octet.lock");
    if (octet::parse_lock(octet::to_toml(lock), "again") != lock) __builtin_trap();
    if (!octet::differences(lock, lock).empty()) __builtin_trap();
  } catch (const octet::Error& error) {
    if (error.code() != octet::Code::kRefused) __builtin_trap();
  }
  return 0;
}
