// What `octet serve` needs besides a model: an address and, off loopback, a file of keys.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "doctor/checks.h"

namespace octet::doctor {
namespace {

/// 0, or errno of the attempt to listen there.
int try_to_listen(const std::string& address, std::uint16_t port) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  const bool is_v4 = ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) != 1) return EINVAL;
  const int fd = ::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;  // as the server itself does: connections that linger are no obstacle
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto* where =
      is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  const bool listens =
      ::bind(fd, where, is_v4 ? sizeof v4 : sizeof v6) == 0 && ::listen(fd, 1) == 0;
  const int error = listens ? 0 : errno;
  ::close(fd);
  return error;
}

}  // namespace

Results check_port(const Subject& subject, Depth /*depth*/) {
  if (subject.address.empty()) return ok("no address to listen on is given");
  const std::string where = format("%s:%u", excerpt(subject.address).c_str(), subject.port);
  const int error = try_to_listen(subject.address, subject.port);
  if (error == 0) return ok(where + " can be listened on");
  return failure(format("cannot listen on %s: %s", where.c_str(), std::strerror(error)),
                 error == EADDRINUSE
                     ? format("see who holds it: ss -ltnp 'sport = :%u', or take another port with "
                              "--listen",
                              subject.port)
                     : "name an address of this machine and a port from 1024 on with --listen");
}

Results check_key_file(const Subject& subject, Depth /*depth*/) {
  if (subject.keys.empty()) return ok("no file of keys is given");
  const std::string name = excerpt(subject.keys, 300);
  struct stat info {};
  if (::stat(subject.keys.c_str(), &info) != 0) {
    return {{Level::kFailure, format("%s: %s", name.c_str(), std::strerror(errno)),
             "octet key add NAME --keys '" + name + "'", Code::kIo}};
  }
  const std::string says = format("%s has mode %04o", name.c_str(), info.st_mode & 07777);
  if (!S_ISREG(info.st_mode)) {
    return failure(name + " is not a regular file", "octet key add NAME --keys FILE");
  }
  if (info.st_uid != ::geteuid()) {
    return failure(format("%s belongs to user %u, expected user %u, who runs the server",
                          name.c_str(), info.st_uid, ::geteuid()),
                   format("chown %u '%s'", ::geteuid(), name.c_str()));
  }
  if ((info.st_mode & 077) != 0) {
    return failure(says + ", expected 0600: others can read or write it",
                   "chmod 600 '" + name + "'");
  }
  return ok(says);
}

}  // namespace octet::doctor
