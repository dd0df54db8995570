// Catching the error of an action, and the rules every message must keep.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "octet/error.h"

namespace octet::test {

/// Runs `action` and gives the octet::Error it throws; anything else is a failure of the test.
template <typename Action>
Error error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(text.find('\n'), std::string::npos) << "more than one line: " << text;
    EXPECT_LT(text.size(), 1000u) << text;
    return error;
  } catch (const std::exception& other) {
    ADD_FAILURE() << "not an octet::Error: " << other.what();
    return {Code::kInternal, other.what()};
  }
  ADD_FAILURE() << "expected an error, there was none";
  return {Code::kInternal, ""};
}

/// The action fails with this code, and its message holds `part`.
template <typename Action>
void expect_error(Code code, const std::string& part, Action&& action) {
  const Error error = error_of(std::forward<Action>(action));
  EXPECT_STREQ(code_name(error.code()), code_name(code)) << error.what();
  EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
      << "expected \"" << part << "\" in: " << error.what();
}

}  // namespace octet::test
