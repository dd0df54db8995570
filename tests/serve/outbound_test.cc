// The server asks nobody: under a filter that kills whoever connects or opens a datagram socket,
// all of it works, and URLs in requests are only text.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

/// For this process and all that it starts.
void forbid_outbound() {
  constexpr auto kNumber = offsetof(seccomp_data, nr), kSecond = offsetof(seccomp_data, args) + 8;
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kSecond),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{.len = sizeof(rules) / sizeof(rules[0]), .filter = rules};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    ::_exit(126);
  }
}

/// The signal that ends a process that does this under the filter; 0: none.
int ended_by(void (*act)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    forbid_outbound();
    act();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(Outbound, TheFilterSeesWhatItShould) {
  EXPECT_EQ(ended_by([] { ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }), SIGSYS);
  EXPECT_EQ(ended_by([] {
              const sockaddr_in address{};
              ::connect(::socket(AF_INET, SOCK_STREAM, 0),
                        reinterpret_cast<const sockaddr*>(&address), sizeof(address));
            }),
            SIGSYS);
  EXPECT_EQ(ended_by([] { ::socket(AF_INET, SOCK_STREAM, 0); }), 0);
}

TEST(Outbound, NobodyIsAsked) {
  const ServerProcess server({}, true, true, forbid_outbound);
  const pid_t worker = server.worker();
  const std::string url = "http://127.0.0.1:9/picture.png";
  for (const char* path : {"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/models",
                           "/sdapi/v1/options", "/sdapi/v1/progress"}) {
    EXPECT_EQ(server.get(path).status, 200) << path;
  }
  EXPECT_EQ(server.draw(Json{{"prompt", url}}.dump()).status, 200);
  for (const char* field : {"image", "image_url", "webhook", "callback", "model"}) {
    const int status = server.draw(Json{{"prompt", "a"}, {field, url}}.dump()).status;
    EXPECT_TRUE(status == 400 || status == 404) << field << " " << status;
  }
  const auto part = [](const std::string& name, const std::string& data) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + data + "\r\n";
  };
  const std::string form = part("prompt", "a") + part("image", url) + "--b--\r\n";
  HttpConnection connection(server.port());
  connection.send("POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                  std::to_string(form.size()) +
                  "\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n" + form);
  EXPECT_EQ(connection.receive().status, 400);
  EXPECT_EQ(server.draw(R"({"prompt":"a"})").status, 200);
  EXPECT_EQ(server.worker(), worker) << "the filter killed one";
}

}  // namespace
}  // namespace octet::test
