// Reading of hostile JSON with typed errors. Included by .cc files only, because it brings the JSON
// library along.
//
// Every function names the file and the field concerned and throws Error(kCorruptFile).
// Thread-safety: pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace octet::json {

using Value = nlohmann::json;

/// Parses `text`; nesting beyond `levels` and keys given twice are refused. `file` names it in
/// messages.
[[nodiscard]] Value parse(std::string_view text, const std::string& file, int levels = 64);

/// Throws "<file>: <field>: expected <expected>, found <value>".
[[noreturn]] void fail(const std::string& file, std::string_view field, std::string_view expected,
                       const Value* found);

/// Member `key` of `object`, or null when it is absent or JSON null. `object` must be an object.
[[nodiscard]] const Value* find(const Value& object, std::string_view key, const std::string& file);

const Value& require_object(const Value& value, const std::string& file, std::string_view field);
const Value& require_array(const Value& value, const std::string& file, std::string_view field);
[[nodiscard]] std::string require_string(const Value& value, const std::string& file,
                                         std::string_view field);

/// Optional members with a default for the absent case.
[[nodiscard]] std::string string_or(const Value& object, std::string_view key, std::string fallback,
                                    const std::string& file);
[[nodiscard]] bool bool_or(const Value& object, std::string_view key, bool fallback,
                           const std::string& file);

}  // namespace octet::json
