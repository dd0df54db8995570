// TOML from outside, in a form that toml++ 3.3 can bear.
//
// Thread-safety: pure functions. Errors: Error(kRefused) naming `name` and the line, for bytes that
// are no UTF-8 and for keys nested too deeply.
#pragma once

#include <string>

namespace octet {

/// The same document, in ASCII: what is not ASCII becomes escapes, which inside strings mean the
/// same, and outside strings are the error that it should be.
[[nodiscard]] std::string toml_text(const std::string& text, const std::string& name);

}  // namespace octet
