// The one binder of request bodies: a table of fields, each with type, range and meaning.
//
// A route makes the rows for a struct of its own; the same rows parse the JSON, word the errors and
// describe the body in /openapi.json. JSON null counts as absent, as OpenAI's clients send it.
// Thread-safety: pure functions. Errors: RequestError, status 400, naming the field.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "octet/error.h"

namespace octet::api {

/// A request that is refused: what the dialects word in their own way.
class RequestError : public Error {
 public:
  RequestError(int status, std::string code, const std::string& message, std::string param = "");
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const std::string& name() const { return name_; }    // "unknown_parameter"
  [[nodiscard]] const std::string& param() const { return param_; }  // empty: no field
  std::optional<int> retry_after = {};                               // seconds

 private:
  int status_;
  std::string name_, param_;
};

struct Field;

/// Accepted in any form and ignored: `help` says why.
struct Ignored {};

using FieldTarget =
    std::variant<Ignored, bool*, std::optional<bool>*, int*, std::optional<int>*, std::int64_t*,
                 std::optional<float>*, std::optional<double>*, std::optional<std::uint64_t>*,
                 std::string*, std::optional<std::string>*, std::vector<int>*,
                 std::vector<std::string>*, const std::vector<Field>*>;

struct Field {
  std::string name;
  std::string help;  // one sentence
  FieldTarget target;
  double low = -1e308, high = 1e308;  // of numbers
  int multiple = 1;                   // of integers
  std::size_t max_bytes = 256;        // of texts, each
  std::vector<std::string> choices = {};
  bool required = false;
};

enum class Unknown { kRefuse, kIgnore };

/// Parses a JSON object of at most 32 levels and stores its members; those of a field that is a
/// list of fields are the members of an object in it. Returns the names of members that were
/// ignored although they ask for something: they are not null, false, 0 or empty.
std::vector<std::string> bind_fields(std::span<const Field> fields, std::string_view body,
                                     Unknown unknown);

/// The JSON schema of such a body, as text.
[[nodiscard]] std::string schema_of(std::span<const Field> fields);

}  // namespace octet::api
