#include "prompt_file.h"

#include <algorithm>
#include <span>

#include "base/format.h"
#include "checkpoint/files.h"
#include "generate_options.h"
#include "octet/error.h"

namespace octet::cli {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMaxPrompts = 10000;

std::string content(const std::string& flag, const std::string& path) {
  const auto source = open_file(path);
  if (source->size() > kMaxBytes) {
    throw Error(Code::kInvalidArgument,
                format("%s: expected at most %llu bytes, found %llu in '%s'", flag.c_str(),
                       static_cast<unsigned long long>(kMaxBytes),
                       static_cast<unsigned long long>(source->size()), excerpt(path).c_str()));
  }
  std::string text(static_cast<std::size_t>(source->size()), '\0');
  source->read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace

std::vector<std::string> read_prompts(const std::string& flag, const std::string& path) {
  const std::string text = content(flag, path);
  std::vector<std::string> prompts;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos || line.starts_with('#')) continue;
    check_prompt(format("%s: line %zu", flag.c_str(), number), line);
    prompts.push_back(std::move(line));
  }
  if (prompts.empty() || prompts.size() > kMaxPrompts) {
    throw Error(Code::kInvalidArgument,
                format("%s: expected 1 to %zu prompts, one a line, found %zu in '%s'", flag.c_str(),
                       kMaxPrompts, prompts.size(), excerpt(path).c_str()));
  }
  return prompts;
}

std::vector<std::string> take_every_third(std::vector<std::string>& prompts) {
  std::vector<std::string> taken;
  std::vector<std::string> left;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    (i % 3 == 2 ? taken : left).push_back(std::move(prompts[i]));
  }
  prompts = std::move(left);
  return taken;
}

}  // namespace octet::cli
