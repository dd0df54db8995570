#include "base/json_document.h"

#include <algorithm>
#include <functional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/format.h"
#include "octet/error.h"

namespace octet::json {
namespace {

/// Deepest nesting of brackets outside of strings, as far as `limit`; need not be valid JSON.
int nesting_depth(std::string_view text, int limit) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
    if (deepest > limit) break;
  }
  return deepest;
}

/// Watches the parser for a key that an object has twice: which of the two counts is anybody's
/// guess, so neither does.
class UniqueKeys {
 public:
  explicit UniqueKeys(const std::string& file) : file_(file) {}

  bool operator()(int, Value::parse_event_t event, Value& parsed) {
    if (event == Value::parse_event_t::object_start) open_.emplace_back();
    if (event == Value::parse_event_t::object_end) open_.pop_back();
    if (event != Value::parse_event_t::key) return true;
    const auto& key = parsed.get_ref<const std::string&>();
    if (open_.back().insert(key).second) return true;
    throw Error(Code::kCorruptFile, format("%s: %s: expected once, found twice",
                                           excerpt(file_).c_str(), excerpt(key).c_str()));
  }

 private:
  const std::string& file_;
  std::vector<std::unordered_set<std::string>> open_;
};

}  // namespace

Value parse(std::string_view text, const std::string& file, int levels) {
  if (nesting_depth(text, levels) > levels) {
    throw Error(Code::kCorruptFile, format("%s: expected JSON of at most %d levels, found more",
                                           excerpt(file).c_str(), levels));
  }
  try {
    UniqueKeys unique(file);
    return Value::parse(text.begin(), text.end(), std::ref(unique));
  } catch (const Value::exception& error) {
    throw Error(Code::kCorruptFile,
                format("%s: expected valid JSON, found: %s", excerpt(file).c_str(),
                       excerpt(error.what(), 160).c_str()));
  }
}

void fail(const std::string& file, std::string_view field, std::string_view expected,
          const Value* found) {
  std::string shown = "nothing";
  if (found) {
    shown = found->is_structured() ? format("an %s of %zu", found->type_name(), found->size())
                                   : found->dump(-1, ' ', true, Value::error_handler_t::replace);
  }
  throw Error(Code::kCorruptFile, format("%s: %s: expected %s, found %s", excerpt(file).c_str(),
                                         excerpt(std::string(field)).c_str(),
                                         std::string(expected).c_str(), excerpt(shown).c_str()));
}

const Value* find(const Value& object, std::string_view key, const std::string& file) {
  if (!object.is_object()) fail(file, key, "to be a member of an object", &object);
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Value& require_object(const Value& value, const std::string& file, std::string_view field) {
  if (!value.is_object()) fail(file, field, "an object", &value);
  return value;
}

const Value& require_array(const Value& value, const std::string& file, std::string_view field) {
  if (!value.is_array()) fail(file, field, "an array", &value);
  return value;
}

std::string require_string(const Value& value, const std::string& file, std::string_view field) {
  if (!value.is_string()) fail(file, field, "a string", &value);
  return value.get<std::string>();
}

std::string string_or(const Value& object, std::string_view key, std::string fallback,
                      const std::string& file) {
  const Value* value = find(object, key, file);
  return value ? require_string(*value, file, key) : std::move(fallback);
}

bool bool_or(const Value& object, std::string_view key, bool fallback, const std::string& file) {
  const Value* value = find(object, key, file);
  if (value && !value->is_boolean()) fail(file, key, "true or false", value);
  return value ? value->get<bool>() : fallback;
}

}  // namespace octet::json
