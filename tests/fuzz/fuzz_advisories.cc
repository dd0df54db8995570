// libFuzzer target: advisories of both formats, and policies. Whatever is read can be audited with.
#include <cstddef>
#include <cstdint>
#include <string>

#include "bill/audit.h"
#include "bill/sample_bill.h"
#include "octet/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const octet::bill::Bill bill = octet::bill::sample_bill();
  octet::bill::Policy policy;
  try {
    policy = octet::bill::read_policy(text, "policy");
  } catch (const octet::Error& error) {
    if (error.code() != octet::Code::kRefused) __builtin_trap();
  }
  try {
    const auto advisories = octet::bill::read_advisories(text, "advisories", bill);
    if (advisories.packages.empty()) __builtin_trap();
    (void)octet::bill::audit(bill, advisories, policy, "2026-11-25");
  } catch (const octet::Error& error) {
    if (error.code() != octet::Code::kRefused) __builtin_trap();
  }
  return 0;
}
