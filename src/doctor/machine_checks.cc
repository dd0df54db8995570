// The processor, the C library, the kernel, and the limits under which this process runs.
#include <gnu/libc-version.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/format.h"
#include "doctor/checks.h"

namespace octet::doctor {
namespace {

constexpr int kGlibcMajor = 2, kGlibcMinor = 34;  // what the program is linked for
// A model is at most some dozen files; a server has a descriptor per connection.
constexpr rlim_t kFewestFiles = 64, kFilesOfServer = 1024;

bool limited(rlim_t value) { return value != RLIM_INFINITY; }

Results check_open_files(const Subject& subject) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  // serve raises the soft limit itself.
  const rlim_t files = subject.address.empty() ? limit.rlim_cur : limit.rlim_max;
  const std::string says =
      format("%llu open files are allowed", static_cast<unsigned long long>(files));
  const std::string remedy = "ulimit -n 65536";
  if (files < kFewestFiles) return failure(says + ", expected 64 or more", remedy);
  if (!subject.address.empty() && files < kFilesOfServer) {
    return warning(says + ", expected 1024 or more for a server", remedy);
  }
  return ok(says);
}

/// Room for a picture's file; weights are mapped nowhere and never written.
void add_file_size(Results& results) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  if (!limited(limit.rlim_cur) || limit.rlim_cur >= (1U << 20)) return;
  results.push_back({Level::kFailure,
                     format("files may grow to %llu bytes, expected 1 MiB or more",
                            static_cast<unsigned long long>(limit.rlim_cur)),
                     "ulimit -f unlimited"});
}

void add_address_space(Results& results, bool uses_device) {
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  if (!limited(limit.rlim_cur)) return;
  const unsigned long long mib = static_cast<unsigned long long>(limit.rlim_cur) >> 20;
  // CUDA reserves address space for all memory of host and GPU together.
  if (uses_device) {
    results.push_back({Level::kFailure,
                       format("address space is limited to %llu MiB, expected no limit with CUDA, "
                              "which reserves more than the machine has memory",
                              mib),
                       "ulimit -v unlimited"});
  } else {
    results.push_back({Level::kWarning, format("address space is limited to %llu MiB", mib),
                       "ulimit -v unlimited"});
  }
}

}  // namespace

Results check_cpu(const Subject& /*subject*/, Depth /*depth*/) {
  const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  if (!v2) {
    return failure("the processor lacks SSE4.2 or POPCNT, expected an x86-64-v2 or newer",
                   "run Octet on a machine made after 2009");
  }
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (!avx2) {
    return warning("the processor has no AVX2: pictures take several times as long on it",
                   "lscpu | grep avx2 (in a virtual machine: choose the host's CPU model)");
  }
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  return ok(
      format("the processor has AVX2%s%s", avx512 ? ", AVX-512" : "", bf16 ? ", AVX512-BF16" : ""));
}

Results check_glibc(const Subject& /*subject*/, Depth /*depth*/) {
  const char* version = ::gnu_get_libc_version();
  int major = 0;
  int minor = 0;
  std::sscanf(version, "%d.%d", &major, &minor);
  const std::string says =
      format("glibc is %s, %d.%d or newer is needed", version, kGlibcMajor, kGlibcMinor);
  if (major > kGlibcMajor || (major == kGlibcMajor && minor >= kGlibcMinor)) return ok(says);
  return failure(says, "use Debian 12, Ubuntu 22.04, RHEL 9 or newer, or the container image");
}

Results check_proc(const Subject& subject, Depth /*depth*/) {
  if (::access("/proc/self/exe", X_OK) == 0) return ok("/proc is mounted");
  const std::string says =
      format("/proc/self/exe: %s, expected /proc to be mounted", std::strerror(errno));
  const std::string remedy = "mount -t proc proc /proc";
  return subject.address.empty() ? warning(says, remedy) : failure(says, remedy);
}

Results check_seccomp(const Subject& /*subject*/, Depth /*depth*/) {
  // The question of the manual page: with a null program a kernel that has filters says EFAULT.
  if (::prctl(PR_SET_SECCOMP, 2, nullptr, 0, 0) != 0 && errno == EFAULT) {
    return ok("pictures of strangers can be decoded in a cage (seccomp)");
  }
  return warning("the kernel has no seccomp filters, so the server refuses pictures of strangers",
                 "use a kernel with CONFIG_SECCOMP_FILTER=y");
}

Results check_limits(const Subject& subject, Depth depth) {
  Results results = check_open_files(subject);
  if (depth == Depth::kFull) results.push_back(process_limit(subject));  // a start tries it anyway
  add_file_size(results);
  add_address_space(results, subject.uses_device && asked_gpu(subject).has_value());
  return results;
}

Results check_cpu_quota(const Subject& /*subject*/, Depth /*depth*/) {
  double quota = 0;
  double period = 0;
  std::ifstream both("/sys/fs/cgroup/cpu.max");  // version 2: "50000 100000" or "max 100000"
  if (!(both >> quota >> period)) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return ok("no quota of processor time");
  const std::string says = format("the control group allows %.2f processors", quota / period);
  if (quota >= period) return ok(says);
  return warning(says + ", which makes every picture slow",
                 "raise it: docker run --cpus 4, or resources.limits.cpu in Kubernetes");
}

}  // namespace octet::doctor
