#include "base/sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

void require(bool done, const char* what) {
  if (done) return;
  throw Error(Code::kDevice, format("sandbox: %s: %s", what, std::strerror(errno)));
}

void limit(__rlimit_resource resource, rlim_t value, const char* what) {
  const rlimit both{.rlim_cur = value, .rlim_max = value};
  require(::setrlimit(resource, &both) == 0, what);
}

// ---- the filter, in the kernel's machine language (linux/filter.h)

using Filter = std::vector<sock_filter>;

constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr std::uint32_t kArchitecture = offsetof(seccomp_data, arch);

// The lower half of a call's argument. The upper half of a descriptor or of flags means nothing to
// the kernel.
constexpr std::uint32_t argument(int index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) +
         static_cast<std::uint32_t>(index) * 8;
}

void load(Filter& f, std::uint32_t offset) {
  f.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}
void allow(Filter& f) { f.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)); }
void kill(Filter& f) { f.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)); }

void allow_call(Filter& f, long number) {
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
  allow(f);
}

// With this value of an argument only.
void allow_call_if(Filter& f, long number, int index, std::uint32_t value) {
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 4));
  load(f, argument(index));
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
  allow(f);
  kill(f);
}

// mprotect, which malloc calls when memory runs short; nothing becomes executable.
void allow_mprotect(Filter& f) {
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4));
  load(f, argument(2));
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0));
  allow(f);
  kill(f);
}

// mmap of memory of its own: neither a file nor executable.
void allow_mmap(Filter& f) {
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6));
  load(f, argument(2));
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 3, 0));
  load(f, argument(3));
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 1));
  allow(f);
  kill(f);
}

Filter make_filter() {
  Filter f;
  load(f, kArchitecture);
  f.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  kill(f);
  load(f, kNumber);
  for (const long number : {SYS_exit_group, SYS_exit, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise,
                            SYS_futex, SYS_getrandom, SYS_rt_sigreturn}) {
    allow_call(f, number);
  }
  allow_call_if(f, SYS_read, 0, 0);
  load(f, kNumber);
  allow_call_if(f, SYS_write, 0, 1);
  load(f, kNumber);
  allow_mprotect(f);
  load(f, kNumber);
  allow_mmap(f);
  kill(f);
  return f;
}

}  // namespace

void enter_sandbox(const SandboxLimits& limits) {
  require(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "ending with its parent");
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  limit(RLIMIT_CPU, limits.processor_seconds, "processor time");
  limit(RLIMIT_CORE, 0, "core files");
  if (kSanitized) return;
  // When memory runs short, malloc would count the processors to decide about more arenas.
  require(::mallopt(M_ARENA_MAX, 1) == 1, "one arena");
  limit(RLIMIT_AS, limits.memory_bytes, "memory");
  Filter filter = make_filter();
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = filter.data()};
  require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "filter of system calls");
}

}  // namespace octet
