// The NVIDIA driver: its files, its version, whether its two halves fit, whether it starts.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/cuda_needs.h"
#include "base/format.h"
#include "doctor/checks.h"
#include "doctor/cuda_driver.h"

namespace octet::doctor {
namespace {

std::string dotted(int version) { return format("%d.%d", version / 1000, version % 1000 / 10); }

bool is_compat_package(const CudaDriver& d) { return d.path.find("/compat/") != std::string::npos; }

/// Without hardware there is nothing to complain about unless a GPU was asked for.
Results none(const Subject& subject, const std::string& says, const std::string& remedy) {
  if (!asked_gpu(subject) && !has_nvidia_hardware()) {
    return ok("no NVIDIA GPU is in this machine; pictures are drawn by the processor");
  }
  return {gpu_problem(subject, says, remedy)};
}

/// The version in the name of the file behind libcuda.so.1; empty where it has none.
std::string version_in(const std::string& path) {
  const std::string mark = "libcuda.so.";
  const std::size_t place = path.rfind(mark);
  if (place == std::string::npos) return "";
  const std::string version = path.substr(place + mark.size());
  return version.find('.') == std::string::npos ? "" : version;
}

std::string rule(const CudaDriver& d) {
  if (is_compat_package(d)) {
    return "forward compatibility by the package cuda-compat, which works on data-centre GPUs only";
  }
  if (d.version == cuda::kCudaVersion) return "the same version, nothing to bridge";
  if (d.version / 1000 > cuda::kCudaMajor) {
    return "a newer driver runs programs of older CUDA versions";
  }
  return d.version > cuda::kCudaVersion
             ? "a newer driver runs programs of older CUDA versions"
             : "minor-version compatibility: any driver of CUDA 13 runs programs of CUDA 13";
}

}  // namespace

Results check_device_nodes(const Subject& subject, Depth /*depth*/) {
  const CudaDriver& d = cuda_driver();
  if (d.path.empty()) return ok("no driver library, so no files in /dev are expected");
  for (const char* node : {"/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"}) {
    const int fd = ::open(node, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
      ::close(fd);
      continue;
    }
    const int error = errno;
    // GPUs that work need no more than works: a container may have been given only /dev/nvidia3.
    if (d.works() && !d.gpus.empty()) continue;
    if (d.status != kNoDevice && error == ENOENT) continue;  // another check has the cause
    return {gpu_problem(
        subject, format("%s: %s", node, std::strerror(error)),
        error == ENOENT ? "in a container: docker run --gpus all (NVIDIA Container Toolkit); on "
                          "the machine itself: sudo nvidia-modprobe -c 0 -u"
                        : "let this user use the GPU: sudo usermod -aG video,render $USER, and "
                          "log in again")};
  }
  return ok(d.works() ? "the driver's files in /dev can be used" : "no file in /dev is in the way");
}

Results check_driver_version(const Subject& subject, Depth /*depth*/) {
  const CudaDriver& d = cuda_driver();
  if (d.path.empty()) return ok("no driver library");
  if (d.version / 1000 < cuda::kCudaMajor) {
    return {gpu_problem(
        subject,
        format("the driver supports CUDA %s, expected %s or newer", dotted(d.version).c_str(),
               dotted(cuda::kCudaVersion).c_str()),
        format("update it to %s or newer: sudo apt install nvidia-driver-580 (or your system's "
               "package) and reboot",
               cuda::kFirstDriver))};
  }
  return ok(format("the driver supports CUDA %s, this program is of %s: %s",
                   dotted(d.version).c_str(), dotted(cuda::kCudaVersion).c_str(), rule(d).c_str()));
}

Results check_driver_match(const Subject& subject, Depth /*depth*/) {
  const CudaDriver& d = cuda_driver();
  if (d.path.empty()) return ok("no driver library");
  const std::string library = version_in(d.path);
  const std::string both = format("%s, kernel module %s", excerpt(d.path, 300).c_str(),
                                  d.loaded.empty() ? "not loaded" : d.loaded.c_str());
  if (d.status == kDriverMismatch || d.status == kForwardNotSupported) {
    return {gpu_problem(
        subject,
        format("libcuda.so.1 is of CUDA %s, which is new enough, but does not work with the driver "
               "that is loaded (%s; %s)",
               dotted(d.version).c_str(), d.status_text.c_str(), both.c_str()),
        d.status == kDriverMismatch
            ? "after an update: reboot; else install the one of the driver that is loaded, or take "
              "another one's folder out of LD_LIBRARY_PATH"
            : "take cuda-compat out of LD_LIBRARY_PATH and update the driver: this GPU has no "
              "forward compatibility")};
  }
  if (!d.loaded.empty() && !library.empty() && d.loaded != library && !is_compat_package(d)) {
    const std::string says = "library and kernel module of the driver differ: " + both;
    if (d.works()) return warning(says, "reboot, so that the module is the library's");
    return {gpu_problem(subject, says, "reboot, so that the module is the library's")};
  }
  return ok(both);
}

Results check_driver(const Subject& subject, Depth /*depth*/) {
  const CudaDriver& d = cuda_driver();
  if (d.path.empty()) {
    const bool absent = d.not_found.find("No such file") != std::string::npos &&
                        d.not_found.find("libcuda.so.1: ") == 0;
    return none(subject,
                absent ? "no NVIDIA driver is here: libcuda.so.1 is not found"
                       : "libcuda.so.1 cannot be loaded: " + d.not_found,
                absent
                    ? "install it: sudo apt install nvidia-driver-580; in a container: docker run "
                      "--gpus all"
                    : "reinstall the driver, and take folders with another libcuda.so.1 out of "
                      "LD_LIBRARY_PATH");
  }
  if (!d.missing.empty() && d.version / 1000 >= cuda::kCudaMajor) {
    return {gpu_problem(subject,
                        format("%s: expected the function %s, found none",
                               excerpt(d.path, 300).c_str(), d.missing.c_str()),
                        "it is not a whole driver (a stub for linking?): take its folder out of "
                        "LD_LIBRARY_PATH")};
  }
  if (d.status == kDriverMismatch || d.status == kForwardNotSupported) {
    return ok("see driver-match");
  }
  if (d.status == kNotReady) {
    return {gpu_problem(subject, format("the driver is not ready: %s", d.status_text.c_str()),
                        "start the fabric manager: sudo systemctl start nvidia-fabricmanager")};
  }
  if (d.status != 0 && d.status != kNoDevice) {
    return {gpu_problem(
        subject, format("the driver does not start: %s (%d)", d.status_text.c_str(), d.status),
        "look for its reason: sudo dmesg | grep -i nvrm")};
  }
  return ok(format("%s starts", excerpt(d.path, 300).c_str()));
}

}  // namespace octet::doctor
