#include "config_file.h"

#include <sys/stat.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "base/format.h"
#include "octet/error.h"
#include "suggest.h"
#include "text/toml_text.h"

namespace octet::cli {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

class Reader {
 public:
  Reader(std::span<const Flag> flags, const std::string& name) : flags_(flags), name_(name) {}

  void take(const std::string& key, const toml::node& node) {
    const Flag& flag = find(key, node);
    const toml::array* list = node.as_array();
    if (list && !flag.repeats) refuse(node, key + ": expected one value, found an array");
    if (!list) {
      take_one(flag, node);
      return;
    }
    for (const toml::node& item : *list) take_one(flag, item);
  }

  std::vector<GivenFlag> given = {};

 private:
  [[nodiscard]] std::string place(const toml::node& node) const {
    return format("%s: line %u", name_.c_str(), static_cast<unsigned>(node.source().begin.line));
  }

  [[noreturn]] void refuse(const toml::node& node, const std::string& message) const {
    throw Error(Code::kInvalidArgument, place(node) + ": " + message);
  }

  const Flag& find(const std::string& key, const toml::node& node) const {
    std::vector<std::string> known;
    for (const Flag& flag : flags_) {
      const std::string name = flag.name.substr(2);
      if (name == "config") continue;  // a file names no other
      if (name == key) return flag;
      known.push_back(name);
    }
    refuse(node, "unknown option '" + excerpt(key) + "'" + suggestion(key, known));
  }

  void take_one(const Flag& flag, const toml::node& node) {
    if (flag.value.empty()) {
      const auto* on = node.as_boolean();
      if (!on) refuse(node, flag.name.substr(2) + ": expected true or false");
      if (on->get()) given.push_back({&flag, "", place(node)});
      return;
    }
    const auto text = text_of(node);
    if (!text) refuse(node, flag.name.substr(2) + ": expected a text or a number");
    given.push_back({&flag, *text, place(node)});
  }

  static std::optional<std::string> text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return std::to_string(integer->get());
    if (const auto* number = node.as_floating_point()) return format("%.17g", number->get());
    return std::nullopt;
  }

  std::span<const Flag> flags_;
  const std::string& name_;
};

}  // namespace

std::vector<GivenFlag> parse_config(std::span<const Flag> flags, const std::string& text,
                                    const std::string& name) {
  toml::table document;
  try {
    document = toml::parse(toml_text(text, name), name);
  } catch (const toml::parse_error& error) {
    throw Error(Code::kInvalidArgument,
                format("%s: line %u: expected TOML, found an error: %s", name.c_str(),
                       static_cast<unsigned>(error.source().begin.line),
                       excerpt(std::string(error.description()), 200).c_str()));
  } catch (const Error& error) {
    throw Error(Code::kInvalidArgument, error.what());
  }
  Reader reader(flags, name);
  for (const auto& [key, node] : document) reader.take(std::string(key.str()), node);
  return std::move(reader.given);
}

std::vector<GivenFlag> read_config(std::span<const Flag> flags, const std::string& path) {
  const std::string name = excerpt(path);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    throw Error(Code::kIo, format("--config: %s: %s", name.c_str(), std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(Code::kIo, format("--config: %s: expected a file", name.c_str()));
  }
  std::string text(kMostBytes + 1, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) {
    throw Error(Code::kIo, format("--config: %s: cannot be read", name.c_str()));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostBytes) {
    throw Error(Code::kInvalidArgument,
                format("--config: %s: expected at most %zu bytes", name.c_str(), kMostBytes));
  }
  return parse_config(flags, text, name);
}

std::vector<GivenFlag> override_config(std::vector<GivenFlag> given,
                                       std::span<const GivenFlag> config) {
  const std::size_t count = given.size();
  for (const GivenFlag& option : config) {
    const bool replaced =
        std::any_of(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(count),
                    [&](const GivenFlag& g) { return g.flag == option.flag; });
    if (!replaced) given.push_back(option);
  }
  return given;
}

void store(const GivenFlag& given) {
  try {
    store(*given.flag, given.text);
  } catch (const Error& error) {
    if (given.place.empty()) throw;
    throw Error(error.code(), given.place + ": " + error.what());
  }
}

std::vector<std::string> words_of(std::span<const GivenFlag> given) {
  std::vector<std::string> words;
  for (const GivenFlag& g : given) {
    words.push_back(g.flag->value.empty() ? g.flag->name : g.flag->name + "=" + g.text);
  }
  return words;
}

}  // namespace octet::cli
