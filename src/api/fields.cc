#include "api/fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "base/json_document.h"

namespace octet::api {
namespace {

constexpr int kLevels = 32;

[[noreturn]] void refuse(const Field& field, const std::string& expected,
                         const json::Value& found) {
  std::string shown = found.is_structured()
                          ? format("an %s", found.type_name())
                          : found.dump(-1, ' ', true, json::Value::error_handler_t::replace);
  throw RequestError(400, "invalid_value",
                     format("%s: expected %s, found %s", field.name.c_str(), expected.c_str(),
                            excerpt(shown).c_str()),
                     field.name);
}

std::string range_text(const Field& field) {
  std::string text;
  if (field.multiple > 1) text += format(" that is a multiple of %d", field.multiple);
  if (field.low > -1e308) text += format(" from %.10g", field.low);
  if (field.high < 1e308) text += format(" to %.10g", field.high);
  return text;
}

std::string choices_text(const Field& field) {
  std::string text = "one of ";
  for (const std::string& choice : field.choices) {
    text += (&choice == field.choices.data() ? "" : ", ") + choice;
  }
  return text;
}

int read_int(const Field& field, const json::Value& value) {
  const std::string expected = "an integer" + range_text(field);
  if (!value.is_number_integer()) refuse(field, expected, value);
  // Unsigned ones beyond the signed range are stored as such.
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= std::uint64_t{INT32_MAX}
                        : value.get<std::int64_t>() >= INT32_MIN;
  const int number = fits ? value.get<int>() : 0;
  if (!fits || number < field.low || number > field.high || number % field.multiple != 0) {
    refuse(field, expected, value);
  }
  return number;
}

/// From `low`, which is an integer, up.
std::int64_t read_int64(const Field& field, const json::Value& value) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<std::uint64_t>() <= static_cast<std::uint64_t>(field.high));
  if (!fits || value.get<std::int64_t>() < static_cast<std::int64_t>(field.low)) {
    refuse(field, "an integer" + range_text(field), value);
  }
  return value.get<std::int64_t>();
}

double read_number(const Field& field, const json::Value& value) {
  if (!value.is_number()) refuse(field, "a number" + range_text(field), value);
  const double number = value.get<double>();
  if (!std::isfinite(number) || number < field.low || number > field.high) {
    refuse(field, "a number" + range_text(field), value);
  }
  return number;
}

std::uint64_t read_unsigned(const Field& field, const json::Value& value) {
  if (!value.is_number_unsigned()) {
    refuse(field, "an integer from 0 to 18446744073709551615", value);
  }
  return value.get<std::uint64_t>();
}

bool read_bool(const Field& field, const json::Value& value) {
  if (!value.is_boolean()) refuse(field, "true or false", value);
  return value.get<bool>();
}

std::string read_text(const Field& field, const json::Value& value) {
  if (!value.is_string()) refuse(field, "a string", value);
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > field.max_bytes || text.find('\0') != std::string::npos) {
    throw RequestError(400, "invalid_value",
                       format("%s: expected at most %zu bytes without NUL, found %zu",
                              field.name.c_str(), field.max_bytes, text.size()),
                       field.name);
  }
  const auto& choices = field.choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
    refuse(field, choices_text(field), value);
  }
  return text;
}

std::vector<int> read_list(const Field& field, const json::Value& value) {
  constexpr std::size_t kLongest = 64;
  if (!value.is_array() || value.size() > kLongest) {
    refuse(field, format("an array of at most %zu integers", kLongest), value);
  }
  std::vector<int> numbers;
  for (const json::Value& element : value) numbers.push_back(read_int(field, element));
  return numbers;
}

std::vector<std::string> read_texts(const Field& field, const json::Value& value) {
  constexpr std::size_t kLongest = 16;
  if (!value.is_array() || value.size() > kLongest) {
    refuse(field, format("an array of at most %zu strings", kLongest), value);
  }
  std::vector<std::string> texts;
  for (const json::Value& element : value) texts.push_back(read_text(field, element));
  return texts;
}

/// One overload per member type of FieldTarget.
struct Store {
  const Field& field;
  const json::Value& value;
  void operator()(Ignored) const {}
  void operator()(bool* to) const { *to = read_bool(field, value); }
  void operator()(std::optional<bool>* to) const { *to = read_bool(field, value); }
  void operator()(int* to) const { *to = read_int(field, value); }
  void operator()(std::optional<int>* to) const { *to = read_int(field, value); }
  void operator()(std::int64_t* to) const { *to = read_int64(field, value); }
  void operator()(std::optional<float>* to) const {
    *to = static_cast<float>(read_number(field, value));
  }
  void operator()(std::optional<double>* to) const { *to = read_number(field, value); }
  void operator()(std::optional<std::uint64_t>* to) const { *to = read_unsigned(field, value); }
  void operator()(std::string* to) const { *to = read_text(field, value); }
  void operator()(std::optional<std::string>* to) const { *to = read_text(field, value); }
  void operator()(std::vector<int>* to) const { *to = read_list(field, value); }
  void operator()(std::vector<std::string>* to) const { *to = read_texts(field, value); }
  void operator()(const std::vector<Field>*) const {}  // Binder's
};

/// The JSON type of each member type.
struct TypeOf {
  const char* operator()(Ignored) const { return ""; }
  const char* operator()(const bool*) const { return "boolean"; }
  const char* operator()(const std::optional<bool>*) const { return "boolean"; }
  const char* operator()(const int*) const { return "integer"; }
  const char* operator()(const std::optional<int>*) const { return "integer"; }
  const char* operator()(const std::int64_t*) const { return "integer"; }
  const char* operator()(const std::optional<float>*) const { return "number"; }
  const char* operator()(const std::optional<double>*) const { return "number"; }
  const char* operator()(const std::optional<std::uint64_t>*) const { return "integer"; }
  const char* operator()(const std::string*) const { return "string"; }
  const char* operator()(const std::optional<std::string>*) const { return "string"; }
  const char* operator()(const std::vector<int>*) const { return "array"; }
  const char* operator()(const std::vector<std::string>*) const { return "array"; }
  const char* operator()(const std::vector<Field>*) const { return "object"; }
};

bool asks_for_nothing(const json::Value& value) {
  const bool no_text = value.is_string() && value.get_ref<const std::string&>().empty();
  return value.is_null() || value == false || value == 0 || no_text ||
         (value.is_structured() && value.empty());
}

/// Stores the members of objects, one in the other.
class Binder {
 public:
  explicit Binder(Unknown unknown) : unknown_(unknown) {}

  void bind(std::span<const Field> fields, const json::Value& object, const std::string& prefix) {
    for (const auto& [key, value] : object.items()) {
      const auto field = std::find_if(fields.begin(), fields.end(),
                                      [&k = key](const Field& f) { return f.name == k; });
      if (field == fields.end()) {
        not_known(prefix + key, value);
      } else if (!value.is_null()) {
        store(*field, value);
      }
    }
    for (const Field& field : fields) {
      if (!field.required || (object.contains(field.name) && !object[field.name].is_null()))
        continue;
      throw RequestError(400, "missing_required_parameter",
                         field.name + ": expected a value, found none", field.name);
    }
  }
  [[nodiscard]] std::vector<std::string> take_ignored() { return std::move(ignored_); }

 private:
  void not_known(const std::string& name, const json::Value& value) {
    if (unknown_ == Unknown::kRefuse) {
      throw RequestError(400, "unknown_parameter",
                         "unknown parameter '" + excerpt(name) + "'; /openapi.json lists them",
                         excerpt(name));
    }
    if (!asks_for_nothing(value)) ignored_.push_back(excerpt(name));
  }
  void store(const Field& field, const json::Value& value) {
    const auto* inner = std::get_if<const std::vector<Field>*>(&field.target);
    if (!inner) return std::visit(Store{field, value}, field.target);
    if (!value.is_object()) refuse(field, "an object", value);
    bind(**inner, value, field.name + ".");
  }

  Unknown unknown_;
  std::vector<std::string> ignored_;
};

json::Value parse_object(std::string_view body) {
  json::Value object;
  try {
    object = json::parse(body, "body", kLevels);
  } catch (const Error& error) {
    throw RequestError(400, "invalid_json", error.what());
  }
  if (!object.is_object()) {
    throw RequestError(400, "invalid_json", "body: expected a JSON object");
  }
  return object;
}

}  // namespace

RequestError::RequestError(int status, std::string code, const std::string& message,
                           std::string param)
    : Error(Code::kInvalidArgument, message),
      status_(status),
      name_(std::move(code)),
      param_(std::move(param)) {}

std::vector<std::string> bind_fields(std::span<const Field> fields, std::string_view body,
                                     Unknown unknown) {
  Binder binder(unknown);
  binder.bind(fields, parse_object(body), "");
  return binder.take_ignored();
}

std::string schema_of(std::span<const Field> fields) {
  nlohmann::ordered_json schema = {{"type", "object"},
                                   {"properties", nlohmann::ordered_json::object()}};
  for (const Field& field : fields) {
    nlohmann::ordered_json& p = schema["properties"][field.name];
    p["description"] = field.help;
    const std::string type = std::visit(TypeOf(), field.target);
    if (!type.empty()) p["type"] = type;
    nlohmann::ordered_json& numbers = type == "array" ? p["items"] : p;
    if (type == "array") {
      const bool texts = std::holds_alternative<std::vector<std::string>*>(field.target);
      numbers["type"] = texts ? "string" : "integer";
    }
    if (const auto* inner = std::get_if<const std::vector<Field>*>(&field.target)) {
      p["properties"] = nlohmann::ordered_json::parse(schema_of(**inner))["properties"];
    }
    if (field.low > -1e308) numbers["minimum"] = field.low;
    if (field.high < 1e308) numbers["maximum"] = field.high;
    if (field.multiple > 1) p["multipleOf"] = field.multiple;
    if (!field.choices.empty()) p["enum"] = field.choices;
    if (type == "string" && field.choices.empty()) p["maxLength"] = field.max_bytes;
    if (field.required) schema["required"].push_back(field.name);
  }
  return schema.dump();
}

}  // namespace octet::api
