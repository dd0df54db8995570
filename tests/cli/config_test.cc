// Options of `octet serve` in a TOML file.

#include <gtest/gtest.h>

#include "config_file.h"
#include "process.h"
#include "serve_options.h"
#include "support/errors.h"

namespace octet::cli {
namespace {

using test::expect_error;

ServeOptions read(const std::string& text, std::vector<std::string> words = {}) {
  const test::TempFolder folder;
  test::write_file(folder / "octet.toml", text);
  words.insert(words.end(), {"--config", folder / "octet.toml"});
  bool help = false;
  return read_serve_options(words, &help);
}

TEST(Config, SaysWhatTheCommandLineWould) {
  const ServeOptions o = read(R"(
listen = "127.0.0.1:9000"   # a text
queue = 7
deadline = 2.5
no-provenance = true
model = ["a=/models/one", "emoji"]
allowed-host = "k\u00fche.example"
device = "cpu"
)");
  EXPECT_EQ(o.port, 9000);
  EXPECT_EQ(o.queue, 7);
  EXPECT_EQ(o.deadline, 2.5F);
  EXPECT_TRUE(o.no_provenance);
  ASSERT_EQ(o.served.size(), 2u);
  EXPECT_EQ(o.served[0].name, "a");
  EXPECT_EQ(o.served[0].options.model, "/models/one");
  EXPECT_EQ(o.served[1].options.device, "cpu");
  EXPECT_EQ(o.allowed_hosts, std::vector<std::string>{"kühe.example"});
}

TEST(Config, TheCommandLineWins) {
  const std::string text = "queue = 7\nbatch = 3\nmodel = ['a', 'b']\n";
  const ServeOptions o = read(text, {"--queue", "9", "--model", "c"});
  EXPECT_EQ(o.queue, 9);
  EXPECT_EQ(o.batch, 3);
  EXPECT_EQ(o.models, std::vector<std::string>{"c"}) << "one source per option";
}

TEST(Config, TheWorkerReadsTheSameWithoutTheFile) {
  const ServeOptions o =
      read("queue = 7\nno-provenance = true\nlisten = '127.0.0.1:1'\n", {"--batch=2"});
  bool help = false;
  const ServeOptions again = read_serve_options(o.words, &help);
  EXPECT_EQ(again.queue, 7);
  EXPECT_EQ(again.batch, 2);
  EXPECT_EQ(again.port, 1);
  EXPECT_TRUE(again.no_provenance);
  EXPECT_EQ(again.config, "");
}

TEST(Config, WhatIsWrongIsNamedWithItsLine) {
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {"\nqueeu = 7\n", "line 2: unknown option 'queeu' (did you mean queue?)"},
           {"config = 'x'\n", "unknown option 'config'"},
           {"--queue = 7\n", "unknown option '--queue'"},
           {"help = true\n", "unknown option 'help'"},
           {"[server]\nqueue = 7\n", "unknown option 'server'"},
           {"queue = [7]\n", "queue: expected one value, found an array"},
           {"queue = true\n", "queue: expected a text or a number"},
           {"queue = {}\n", "queue: expected a text or a number"},
           {"queue = 0\n", "line 1: --queue: expected an integer from 1 to 10000, found '0'"},
           {"queue = 7\nqueue = 8\n", "line 2: expected TOML"},
           {"no-provenance = 1\n", "no-provenance: expected true or false"},
           {"listen = 2026-01-01\n", "listen: expected a text or a number"},
           {"device = 'gpu", "line 1: expected TOML"},
           {"a = '\xff'\n", "line 1: expected TOML in UTF-8"},
           {std::string(100, '.'), "line 1: expected at most 64 dots"}}) {
    expect_error(Code::kInvalidArgument, said, [&] { (void)read(text); });
  }
  expect_error(Code::kInvalidArgument, "bytes", [&] { (void)read(std::string(2 << 20, '#')); });
}

TEST(Config, FilesThatCannotBeRead) {
  bool help = false;
  for (const std::string path : {"/none/x.toml", "/", "/dev/zero"}) {
    const std::vector<std::string> words = {"--config", path};
    expect_error(Code::kIo, "--config: " + path, [&] { (void)read_serve_options(words, &help); });
  }
}

TEST(Config, EveryOptionOfTheHelpCanStandInTheFile) {
  ServeOptions options;
  const std::string help = serve_help();
  for (const Flag& flag : serve_flags(options)) {
    EXPECT_NE(help.find(flag.name), std::string::npos);
    if (flag.name == "--config") continue;
    const std::string value = flag.value.empty() ? "true" : "'x'";
    const auto given = parse_config(serve_flags(options), flag.name.substr(2) + " = " + value, "c");
    ASSERT_EQ(given.size(), 1u);
  }
}

}  // namespace
}  // namespace octet::cli
