#include "bill/policy.h"

#include <toml++/toml.h>

#include <initializer_list>

#include "base/format.h"
#include "octet/error.h"

namespace octet::bill {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  [[noreturn]] void refuse(const toml::source_region& at, const std::string& what) const {
    throw Error(Code::kRefused, format("%s: line %u: %s", excerpt(name_).c_str(),
                                       static_cast<unsigned>(at.begin.line), what.c_str()));
  }

  void only(const toml::table& table, std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : table) {
      bool known = false;
      for (const std::string_view allowed : keys) known = known || key.str() == allowed;
      if (!known) {
        refuse(value.source(), "unknown key '" + excerpt(std::string(key.str())) + "'");
      }
    }
  }

  /// A text that is not empty; `needed` says what it means where it must be there.
  std::string text(const toml::table& table, const char* key, const char* needed) const {
    const toml::node* node = table.get(key);
    if (!node && !needed) return {};
    const auto value = node ? node->value_exact<std::string>() : std::nullopt;
    if (value && !value->empty()) return *value;
    refuse(node ? node->source() : table.source(),
           format("%s: expected a text, %s", key, needed ? needed : "or no such key"));
  }

  Severity severity(const toml::table& table, const char* key, Severity fallback) const {
    if (!table.contains(key)) return fallback;
    const Severity value = severity_from(text(table, key, "a severity"));
    if (value != Severity::kUnknown) return value;
    refuse(table.get(key)->source(), std::string(key) + ": expected low, medium, high or critical");
  }

  Acceptance acceptance(const toml::node& node) const {
    const toml::table* table = node.as_table();
    if (!table) refuse(node.source(), "accept: expected a table");
    only(*table, {"id", "package", "reason", "expires"});
    const toml::node* expires = table->get("expires");
    const auto date = expires ? expires->value_exact<toml::date>() : std::nullopt;
    if (!date) {
      refuse(expires ? expires->source() : table->source(),
             "expires: expected a date, as in 2026-12-31");
    }
    return {.id = text(*table, "id", "the name of an advisory"),
            .package = text(*table, "package", nullptr),
            .reason = text(*table, "reason", "why it does not matter here"),
            .expires = format("%04d-%02d-%02d", date->year, date->month, date->day)};
  }

 private:
  const std::string& name_;
};

/// toml++ 3.3 has undefined behaviour for some characters outside ASCII, and walks the parts of
/// dotted keys by recursion.
void refuse_what_toml_cannot_bear(const std::string& text, const std::string& name) {
  constexpr int kMostDots = 64;
  int line = 1;
  int dots = 0;
  for (const char c : text) {
    if (c == '\n') {
      ++line;
      dots = 0;
    }
    if (c == '.') ++dots;
    if (dots <= kMostDots && static_cast<unsigned char>(c) < 0x80) continue;
    throw Error(Code::kRefused, format("%s: line %d: expected ASCII and at most %d dots, found %s",
                                       excerpt(name).c_str(), line, kMostDots,
                                       dots > kMostDots ? "more" : "other"));
  }
}

}  // namespace

Policy read_policy(const std::string& text, const std::string& name) {
  refuse_what_toml_cannot_bear(text, name);
  const Reader reader(name);
  toml::table document;
  try {
    document = toml::parse(text);
  } catch (const toml::parse_error& error) {
    reader.refuse(error.source(), "expected TOML: " + excerpt(std::string(error.description())));
  }
  reader.only(document, {"fail_on", "unknown_as", "accept"});
  Policy policy;
  policy.fail_on = reader.severity(document, "fail_on", policy.fail_on);
  policy.unknown_as = reader.severity(document, "unknown_as", policy.unknown_as);
  if (const toml::node* list = document.get("accept")) {
    if (!list->is_array()) reader.refuse(list->source(), "accept: expected [[accept]] tables");
    for (const toml::node& entry : *list->as_array()) {
      policy.accepted.push_back(reader.acceptance(entry));
    }
  }
  return policy;
}

}  // namespace octet::bill
