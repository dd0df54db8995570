#include "support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <stdexcept>

namespace octet::test {
namespace {

void demand(bool worked) {
  if (!worked) throw std::runtime_error("no certificate");
}

void write_key(const std::string& path, EVP_PKEY* key, const std::string& passphrase) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  demand(file != nullptr);
  ::chmod(path.c_str(), 0600);
  const auto* word = reinterpret_cast<const unsigned char*>(passphrase.data());
  demand(PEM_write_PrivateKey(file, key, passphrase.empty() ? nullptr : EVP_aes_256_cbc(),
                              passphrase.empty() ? nullptr : word,
                              static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
  std::fclose(file);
}

}  // namespace

void write_certificate(const std::string& path, const CertificateOptions& options) {
  EVP_PKEY* key = options.rsa_bits > 0 ? EVP_RSA_gen(static_cast<unsigned>(options.rsa_bits))
                                       : EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  demand(key && certificate);
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), options.begins);
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.ends);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  demand(names && X509_add_ext(certificate, names, -1) == 1);
  X509_EXTENSION_free(names);
  demand(X509_sign(certificate, key, EVP_sha256()) > 0);
  std::FILE* file = std::fopen((path + ".crt").c_str(), "w");
  demand(file && PEM_write_X509(file, certificate) == 1);
  std::fclose(file);
  write_key(path + ".key", key, options.passphrase);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

}  // namespace octet::test
