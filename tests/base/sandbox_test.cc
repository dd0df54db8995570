// The cage, from inside: what it lets through and what ends the process.
#include "base/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

namespace octet {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// How a caged process ends that does this: its exit code, or minus the signal.
int end_of(const std::function<int()>& action, const SandboxLimits& limits = {}) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::dup2(::open("/dev/zero", O_RDONLY), STDIN_FILENO);
    try {
      enter_sandbox(limits);
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(action());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

class Sandbox : public testing::Test {
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "sanitizers make system calls of their own";
  }
};

TEST_F(Sandbox, ComputingReadingAndWritingGoOn) {
  EXPECT_EQ(end_of([] {
              char bytes[64];
              if (::read(0, bytes, sizeof(bytes)) != 64) return 1;
              for (std::size_t size = 1; size < (std::size_t{64} << 20); size *= 2) {
                std::vector<char> memory(size, 'x');
                if (memory.back() != 'x') return 2;
              }
              try {
                throw std::runtime_error("thrown and caught");
              } catch (const std::exception&) {
              }
              return ::write(1, bytes, sizeof(bytes)) == 64 ? 7 : 3;
            }),
            7);
}

TEST_F(Sandbox, EverythingElseEndsTheProcess) {
  const std::pair<const char*, std::function<int()>> calls[] = {
      {"open", [] { return ::open("/etc/passwd", O_RDONLY); }},
      {"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"fork", [] { return ::fork(); }},
      {"exec", [] { return ::execl("/bin/true", "true", nullptr); }},
      {"kill", [] { return ::kill(::getppid(), 0); }},
      {"write to standard error", [] { return ::write(2, "x", 1) == 1 ? 0 : 1; }},
      {"read of another descriptor",
       [] {
         char byte = 0;
         return ::read(3, &byte, 1) == 1 ? 0 : 1;
       }},
      {"executable memory",
       [] {
         return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                        MAP_FAILED
                    ? 1
                    : 0;
       }},
      {"mapping of a file",
       [] { return ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, 0, 0) == MAP_FAILED ? 1 : 0; }},
      {"making memory executable",
       [] {
         static char page[8192];
         return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
       }},
      {"a call of the 32-bit numbers",
       [] {
         int result = 0;
         asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");  // getpid there
         return result > 0 ? 0 : 1;
       }},
  };
  for (const auto& [name, call] : calls) EXPECT_EQ(end_of(call), -SIGSYS) << name;
}

TEST_F(Sandbox, MemoryAndTimeAreLimited) {
  EXPECT_EQ(end_of(
                [] {
                  std::vector<std::vector<char>> all;
                  std::vector<std::unique_ptr<int>> small;  // from another part of malloc
                  try {
                    while (true) {
                      all.emplace_back(std::size_t{8} << 20, 'x');
                      for (int i = 0; i < 1000; ++i) small.push_back(std::make_unique<int>(i));
                    }
                  } catch (const std::bad_alloc&) {
                    return 5;
                  }
                },
                {.memory_bytes = std::size_t{256} << 20}),
            5);
  const int end = end_of(
      [] {
        volatile unsigned spin = 0;
        while (true) spin = spin + 1;
        return 0;
      },
      {.processor_seconds = 1});
  EXPECT_TRUE(end == -SIGXCPU || end == -SIGKILL) << end;
}

}  // namespace
}  // namespace octet
