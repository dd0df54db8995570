// Certificates and keys for tests, fresh each time.
#pragma once

#include <string>

namespace octet::test {

struct CertificateOptions {
  long begins = -3600, ends = 30L * 24 * 3600;  // seconds from now
  int rsa_bits = 0;                             // 0: P-256
  std::string passphrase = {};                  // of the key, empty: none
};

/// Writes PATH.crt and PATH.key (mode 0600): a certificate for localhost that vouches for itself.
void write_certificate(const std::string& path, const CertificateOptions& options = {});

}  // namespace octet::test
