// A bill for the tests: two libraries of Debian 12, one of nobody, and data.
#pragma once

#include "bill/bill.h"

namespace octet::bill {

inline Bill sample_bill() {
  Bill bill;
  bill.distribution = "debian";
  bill.distribution_version = "12";
  bill.codename = "bookworm";
  Component png{.name = "libpng", .kind = "library", .licence = "libpng-2.0"};
  png.package = "libpng-dev";
  png.source = "libpng1.6";
  png.version = png.source_version = "1.6.39-2+deb12u1";
  png.architecture = "amd64";
  png.files = {{"libpng16.a", "ab"}};
  Component zlib{.name = "zlib", .kind = "library", .licence = "Zlib"};
  zlib.package = "zlib1g-dev";
  zlib.source = "zlib";
  zlib.version = zlib.source_version = "1:1.2.13.dfsg-1";
  zlib.architecture = "amd64";
  const Component cuda{
      .name = "CUDA run time", .kind = "library", .licence = "LicenseRef-NVIDIA-CUDA-EULA"};
  const Component data{.name = "words", .kind = "data", .licence = "MIT"};
  bill.components = {png, zlib, cuda, data};
  return bill;
}

}  // namespace octet::bill
