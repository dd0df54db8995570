#include "serve/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <thread>

#include "support/errors.h"

namespace octet::serve {
namespace {

struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    a = std::make_unique<Channel>(ends[0]);
    b = std::make_unique<Channel>(ends[1]);
  }
  std::unique_ptr<Channel> a, b;
};

TEST(Channel, MessagesOfAllSizesArriveWhole) {
  Pair pair;
  const std::vector<std::size_t> sizes = {0, 1, 4095, 1 << 20, 3};
  std::thread sender([&] {
    for (const std::size_t size : sizes) {
      pair.a->send(std::vector<std::byte>(size, static_cast<std::byte>(size)));
    }
    pair.a.reset();
  });
  for (const std::size_t size : sizes) {
    const auto message = pair.b->receive();
    ASSERT_TRUE(message);
    EXPECT_EQ(*message, std::vector<std::byte>(size, static_cast<std::byte>(size)));
  }
  EXPECT_FALSE(pair.b->receive());
  sender.join();
}

TEST(Channel, SendersDoNotMix) {
  Pair pair;
  std::vector<std::thread> senders;
  for (int i = 0; i < 4; ++i) {
    senders.emplace_back([&pair, i] {
      for (int n = 0; n < 50; ++n) {
        pair.a->send(std::vector<std::byte>(5000, static_cast<std::byte>(i)));
      }
    });
  }
  for (int n = 0; n < 200; ++n) {
    const auto message = pair.b->receive();
    ASSERT_TRUE(message);
    EXPECT_EQ(*message, std::vector<std::byte>(5000, message->front()));
  }
  for (std::thread& sender : senders) sender.join();
}

TEST(Channel, BrokenEndsAreErrors) {
  Pair pair;
  const std::uint32_t huge = 0xffffffff;
  ASSERT_EQ(::write(pair.a->descriptor(), &huge, sizeof(huge)), 4);
  test::expect_error(Code::kInternal, "4294967295", [&] { (void)pair.b->receive(); });
  pair.b.reset();
  test::expect_error(Code::kIo, "", [&] { pair.a->send(std::vector<std::byte>(10)); });
}

TEST(Channel, HalfAMessageIsNone) {
  Pair pair;
  const char half[] = {10, 0, 0, 0, 1, 2};
  ASSERT_EQ(::write(pair.a->descriptor(), half, sizeof(half)), 6);
  pair.a.reset();
  EXPECT_FALSE(pair.b->receive());
}

}  // namespace
}  // namespace octet::serve
