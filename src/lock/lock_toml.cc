#include "lock/lock_toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <set>

#include "base/format.h"
#include "octet/error.h"
#include "text/toml_text.h"
#include "text/unicode.h"

namespace octet {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr const char* kHead =
    "# Written by `octet lock`. `octet verify MODEL --lock FILE` and `--lock FILE` of every "
    "command\n"
    "# that loads a model refuse it when anything differs.\n";

// ---------------------------------------------------------------------------------- writing

std::string quoted(const std::string& text) {
  if (const auto at = unicode::find_invalid_utf8(text)) {
    throw Error(Code::kUnsupported, format("lock: expected names in UTF-8, found \"%s\" (byte %zu)",
                                           excerpt(text).c_str(), *at));
  }
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      out += format("\\u%04X", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void line(std::string& out, const char* key, const std::string& text) {
  out += std::string(key) + " = " + quoted(text) + "\n";
}
void line(std::string& out, const char* key, std::uint64_t number) {
  out += std::string(key) + " = " + std::to_string(number) + "\n";
}

void write(std::string& out, const LockedFile& f) {
  out += "\n[[file]]\n";
  line(out, "name", f.name);
  line(out, "size", f.size);
  line(out, "sha256", f.sha256);
  if (f.header_sha256.empty()) return;
  line(out, "header_sha256", f.header_sha256);
  for (const DtypeCount& d : f.dtypes) {
    out += format("dtypes.%s = { tensors = %lld, bytes = %llu }\n", quoted(d.dtype).c_str(),
                  static_cast<long long>(d.tensors), static_cast<unsigned long long>(d.bytes));
  }
}

void write(std::string& out, const LockedComponent& c) {
  out += "\n[[component]]\n";
  line(out, "name", c.name);
  line(out, "variant", c.variant);
  line(out, "dtypes", c.dtypes);
  line(out, "scales", c.scales);
  line(out, "tensors", static_cast<std::uint64_t>(c.tensors));
  line(out, "bytes", c.bytes);
}

// ---------------------------------------------------------------------------------- reading

/// One table of the file, its place for messages, and the keys that have been asked for.
class Table {
 public:
  Table(const toml::table& table, std::string place) : table_(table), place_(std::move(place)) {}

  [[noreturn]] void fail(const std::string& key, const std::string& expected,
                         const std::string& found) const {
    throw Error(Code::kRefused, format("%s: %s: expected %s, found %s", place_.c_str(),
                                       excerpt(key, 40).c_str(), expected.c_str(), found.c_str()));
  }

  [[nodiscard]] std::string text(const char* key) {
    const toml::node& node = require(key);
    const auto* value = node.as_string();
    if (value == nullptr) fail(key, "a string", type_of(node));
    return value->get();
  }

  [[nodiscard]] std::string digest(const char* key) {
    const std::string value = text(key);
    const bool is_hex = value.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (value.size() == 64 && is_hex) return value;
    fail(key, "64 lower-case hexadecimal digits", "\"" + excerpt(value) + "\"");
  }

  [[nodiscard]] std::uint64_t number(const char* key) {
    const toml::node& node = require(key);
    const auto* value = node.as_integer();
    if (value == nullptr) fail(key, "an integer", type_of(node));
    if (value->get() < 0) fail(key, "no negative number", std::to_string(value->get()));
    return static_cast<std::uint64_t>(value->get());
  }

  /// An array of tables; absent reads as empty.
  [[nodiscard]] std::vector<Table> tables(const char* key) {
    std::vector<Table> rows;
    if (!has(key)) return rows;
    const toml::node& node = require(key);
    const toml::array* array = node.as_array();
    if (array == nullptr) fail(key, "tables [[" + std::string(key) + "]]", type_of(node));
    for (const toml::node& item : *array) {
      if (!item.is_table()) fail(key, "tables only", type_of(item));
      rows.emplace_back(*item.as_table(),
                        format("%s: %s %zu", place_.c_str(), key, rows.size() + 1));
    }
    return rows;
  }

  [[nodiscard]] Table table(const char* key) {
    const toml::node& node = require(key);
    if (!node.is_table()) fail(key, "a table", type_of(node));
    return {*node.as_table(), place_ + ": " + key};
  }

  [[nodiscard]] bool has(const char* key) const { return table_.contains(key); }

  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& [key, node] : table_) names.emplace_back(key.str());
    return names;
  }

  /// Refuses what nobody asked for.
  void finish() const {
    for (const std::string& key : keys()) {
      if (asked_.count(key) == 0) fail(key, "no such key (unknown to this version)", "one");
    }
  }

 private:
  const toml::node& require(const std::string& key) {
    asked_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) fail(key, "a value", "none");
    return *node;
  }

  static std::string type_of(const toml::node& node) {
    std::string name;
    switch (node.type()) {
      case toml::node_type::none:
        name = "nothing";
        break;
      case toml::node_type::table:
        name = "a table";
        break;
      case toml::node_type::array:
        name = "an array";
        break;
      case toml::node_type::string:
        name = "a string";
        break;
      case toml::node_type::integer:
        name = "an integer";
        break;
      case toml::node_type::floating_point:
        name = "a fraction";
        break;
      case toml::node_type::boolean:
        name = "a boolean";
        break;
      case toml::node_type::date:
      case toml::node_type::time:
      case toml::node_type::date_time:
        name = "a date or time";
        break;
    }
    return name;
  }

  const toml::table& table_;
  std::string place_;
  std::set<std::string> asked_;
};

bool stays_inside(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string::npos) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

LockedFile read_file(Table& t) {
  LockedFile f;
  f.name = t.text("name");
  if (!stays_inside(f.name)) {
    t.fail("name", "a file inside the model", "\"" + excerpt(f.name) + "\"");
  }
  f.size = t.number("size");
  f.sha256 = t.digest("sha256");
  const bool weights = t.has("header_sha256") || t.has("dtypes");  // one never without the other
  if (weights) f.header_sha256 = t.digest("header_sha256");
  if (t.has("dtypes")) {
    Table dtypes = t.table("dtypes");
    for (const std::string& dtype : dtypes.keys()) {
      Table row = dtypes.table(dtype.c_str());
      f.dtypes.push_back({.dtype = dtype,
                          .tensors = static_cast<std::int64_t>(row.number("tensors")),
                          .bytes = row.number("bytes")});
      row.finish();
    }
  }
  t.finish();
  return f;
}

LockedComponent read_component(Table& t) {
  LockedComponent c;
  c.name = t.text("name");
  c.variant = t.text("variant");
  c.dtypes = t.text("dtypes");
  c.scales = t.text("scales");
  c.tensors = static_cast<std::int64_t>(t.number("tensors"));
  c.bytes = t.number("bytes");
  t.finish();
  return c;
}

LockedTokenizer read_tokenizer(Table& t) {
  LockedTokenizer k;
  k.name = t.text("name");
  k.sha256 = t.digest("sha256");
  t.finish();
  return k;
}

LockedLora read_lora(Table& t) {
  LockedLora l;
  l.name = t.text("name");
  l.weight = t.text("weight");
  t.finish();
  return l;
}

template <typename Item>
std::vector<Item> read_all(Table& root, const char* key, Item (*read)(Table&)) {
  std::vector<Item> items;
  std::set<std::string> names;
  for (Table& t : root.tables(key)) {
    items.push_back(read(t));
    if (!names.insert(items.back().name).second) {
      t.fail("name", "each name once", "\"" + excerpt(items.back().name) + "\" again");
    }
  }
  return items;
}

ModelLock read_lock(const toml::table& document, const std::string& name) {
  Table root(document, name);
  // The format decides what the other keys mean, so it is looked at first.
  const std::uint64_t format_version = root.number("format");
  if (format_version != kFormat) {
    root.fail("format", std::to_string(kFormat), std::to_string(format_version));
  }
  ModelLock lock;
  lock.engine = root.text("engine");
  lock.numerics = static_cast<std::int64_t>(root.number("numerics"));
  lock.layout = root.text("layout");
  lock.variant = root.text("variant");
  lock.files = read_all<LockedFile>(root, "file", read_file);
  lock.components = read_all<LockedComponent>(root, "component", read_component);
  lock.tokenizers = read_all<LockedTokenizer>(root, "tokenizer", read_tokenizer);
  lock.loras = read_all<LockedLora>(root, "lora", read_lora);
  root.finish();
  if (lock.files.empty()) root.fail("file", "at least one", "none");
  return lock;
}

}  // namespace

std::string to_toml(const ModelLock& lock) {
  std::string out = kHead;
  line(out, "format", std::uint64_t{kFormat});
  line(out, "engine", lock.engine);
  line(out, "numerics", static_cast<std::uint64_t>(lock.numerics));
  line(out, "layout", lock.layout);
  line(out, "variant", lock.variant);
  for (const LockedComponent& c : lock.components) write(out, c);
  for (const LockedTokenizer& t : lock.tokenizers) {
    out += "\n[[tokenizer]]\n";
    line(out, "name", t.name);
    line(out, "sha256", t.sha256);
  }
  for (const LockedLora& l : lock.loras) {
    out += "\n[[lora]]\n";
    line(out, "name", l.name);
    line(out, "weight", l.weight);
  }
  for (const LockedFile& f : lock.files) write(out, f);
  return out;
}

ModelLock parse_lock(const std::string& text, const std::string& name) {
  if (text.size() > kMaxLockBytes) {
    throw Error(Code::kRefused,
                format("%s: expected a lock of at most %llu bytes, found %zu", name.c_str(),
                       static_cast<unsigned long long>(kMaxLockBytes), text.size()));
  }
  toml::table document;
  try {
    document = toml::parse(toml_text(text, name), name);
  } catch (const toml::parse_error& error) {
    throw Error(Code::kRefused,
                format("%s: line %u: expected TOML, found an error: %s", name.c_str(),
                       static_cast<unsigned>(error.source().begin.line),
                       excerpt(std::string(error.description()), 200).c_str()));
  }
  return read_lock(document, name);
}

}  // namespace octet
