// The log: its two forms, and readers that are slow.

#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <string>

namespace octet {
namespace {

TEST(Log, IsTextOrJson) {
  const LogFields fields = {{"a", "x"},  {"b", "two words"}, {"c", std::int64_t{-3}},
                            {"d", 0.25}, {"e", true},        {"f", ""}};
  EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kInfo, "job ended", fields, 0),
            "octet: job ended a=x b=\"two words\" c=-3 d=0.25 e=true f=\"\"");
  EXPECT_EQ(log_line(LogFormat::kText, LogLevel::kError, "e", {}, 0), "octet: error: e");
  EXPECT_EQ(log_line(LogFormat::kJson, LogLevel::kWarning, "e", fields, 1700000000123),
            R"({"time":"2023-11-14T22:13:20.123Z","level":"warning","event":"e","a":"x",)"
            R"("b":"two words","c":-3,"d":0.25,"e":true,"f":""})");
}

TEST(Log, ValuesForgeNoLines) {
  const std::string bad = "a\nb\x1b[2J\x7f\"\\\xff\xc3\xa9";
  for (const LogFormat form : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line = log_line(form, LogLevel::kInfo, bad, {{"k", bad}, {"n", HUGE_VAL}}, 0);
    for (const char c : form == LogFormat::kJson ? line : line.substr(line.find("k="))) {
      EXPECT_TRUE(c >= 0x20 && c <= 0x7f) << static_cast<int>(c);
    }
  }
  const std::string longest(100000, 'x');
  EXPECT_LT(log_line(LogFormat::kJson, LogLevel::kInfo, "e", {{"k", longest}}, 0).size(), 1200u);
}

TEST(Log, LeavesOutWhatIsBelowItsLevelAndKeepsTheOrder) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  {
    Log log(LogFormat::kText, LogLevel::kInfo, ends[1]);
    log.debug("no");
    for (int i = 0; i < 100; ++i) log.info("n", {{"i", std::int64_t{i}}});
  }
  ::close(ends[1]);
  std::string expected, got(10000, '\0');
  for (int i = 0; i < 100; ++i) expected += "octet: n i=" + std::to_string(i) + "\n";
  got.resize(static_cast<std::size_t>(::read(ends[0], got.data(), got.size())));
  EXPECT_EQ(got, expected);
  ::close(ends[0]);
}

TEST(Log, AReaderThatSleepsStopsNobody) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const auto begin = std::chrono::steady_clock::now();
  {
    Log log(LogFormat::kText, LogLevel::kInfo, ends[1]);
    for (int i = 0; i < 20000; ++i) log.info("a line that nobody reads");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  }  // ends, too
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace octet
