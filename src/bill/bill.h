// What this program consists of besides its own code: libraries in it, header-only libraries and
// data, with their licences and versions. cmake/write_bill.cmake makes the list from the linker
// map.
//
// Versions and packages are empty where the build machine had no package database of Debian.
// Thread-safety: pure functions. Errors: Error(kInternal) when the built-in list cannot be read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace octet::bill {

struct ContainedFile {
  std::string name;    // "libz.a", without a folder
  std::string sha256;  // 64 hexadecimal digits
};

struct Component {
  std::string name;            // "zlib"
  std::string kind;            // "library", "headers" or "data"
  std::string licence;         // SPDX expression
  std::string package;         // "zlib1g-dev"
  std::string version;         // of the package, as its distribution writes it
  std::string source;          // "zlib", under which advisories are published
  std::string source_version;  // of the source package
  std::string architecture;    // "amd64"
  std::vector<ContainedFile> files;
};

struct Bill {
  std::string distribution;          // "debian"; empty when unknown
  std::string distribution_version;  // "12"
  std::string codename;              // "bookworm"
  std::string build_type;            // "Release"
  std::string flags;                 // of the C++ compiler
  std::string cuda;                  // version of nvcc; empty: built without CUDA
  std::string architectures;         // of the CUDA machine code: "90a-real"
  std::vector<Component> components;
};

/// The list of this program as JSON, written by the build; empty in a program that has none.
[[nodiscard]] std::string_view built_in_bill();

[[nodiscard]] Bill read_bill(std::string_view json);

/// "pkg:deb/debian/zlib1g-dev@1.2.13?arch=amd64&distro=debian-12"; empty without a package.
[[nodiscard]] std::string package_url(const Bill& bill, const Component& component);

}  // namespace octet::bill
