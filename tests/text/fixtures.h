// The small tokenizers of tests/text/data as TokenizerFiles.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "octet/error.h"
#include "text/tokenizer_files.h"

namespace octet {

inline std::string read_fixture(const std::string& name) {
  std::ifstream in(std::string(OCTET_TEST_DATA) + "/text/data/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// `paths` below tests/text/data, each stored under its file name.
inline TokenizerFiles fixture_files(const std::vector<std::string>& paths) {
  TokenizerFiles files;
  files.origin = "fixture";
  for (const std::string& path : paths) {
    files.contents[path.substr(path.rfind('/') + 1)] = read_fixture(path);
  }
  return files;
}

inline TokenizerFiles clip_files() {
  return fixture_files({"clip/vocab.json", "clip/merges.txt", "clip/tokenizer_config.json"});
}
inline TokenizerFiles clip_bang_files() {
  return fixture_files({"clip/vocab.json", "clip/merges.txt", "clip_bang/tokenizer_config.json"});
}
inline TokenizerFiles t5_files() { return fixture_files({"t5/spiece.model"}); }
inline TokenizerFiles t5_json_files() { return fixture_files({"t5_json/tokenizer.json"}); }

/// Runs `action` and gives the error it throws; anything else is a failure.
template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& other) {
    ADD_FAILURE() << "untyped exception: " << other.what();
    return Error(Code::kInternal, other.what());
  }
  ADD_FAILURE() << "no error";
  return Error(Code::kInternal, "no error");
}

}  // namespace octet
