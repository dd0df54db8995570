#include "flag_parser.h"

#include <algorithm>

#include "base/format.h"
#include "octet/error.h"
#include "suggest.h"

namespace octet::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::kInvalidArgument, message);
}

/// Walks over the words once; a flag may take the word after it.
class Splitter {
 public:
  Splitter(std::span<const Flag> flags, std::span<const std::string> arguments)
      : flags_(flags), arguments_(arguments) {}

  CommandLine split() {
    bool only_words = false;
    while (next_ < arguments_.size()) {
      const std::string& word = arguments_[next_++];
      if (only_words || word.size() < 2 || word[0] != '-') {
        line_.words.push_back(word);
      } else if (word == "--") {
        only_words = true;
      } else {
        take_flag(word);
      }
    }
    return std::move(line_);
  }

 private:
  void take_flag(const std::string& word) {
    if (word == "--help" || word == "-h") {
      line_.help = true;
      return;
    }
    const bool is_long = word[1] == '-';
    // "--steps=20" and "-oFILE" carry their value in the same word.
    const std::size_t name_end = is_long ? std::min(word.find('='), word.size()) : 2;
    const Flag& flag = find(word.substr(0, name_end), is_long);
    const bool is_switch = flag.value.empty();
    std::string text;
    if (name_end < word.size()) {
      if (is_switch) refuse(format("%s: expected no value, found one", flag.name.c_str()));
      text = word.substr(name_end + (is_long ? 1 : 0));
    } else if (!is_switch) {
      text = next_word(flag);
    }
    for (const GivenFlag& earlier : line_.flags) {
      if (earlier.flag == &flag && !flag.repeats)
        refuse(format("%s: expected once, found twice", flag.name.c_str()));
    }
    line_.flags.push_back({&flag, std::move(text)});
  }

  const std::string& next_word(const Flag& flag) {
    if (next_ == arguments_.size()) {
      refuse(
          format("%s: expected %s after it, found nothing", flag.name.c_str(), flag.value.c_str()));
    }
    return arguments_[next_++];
  }

  const Flag& find(const std::string& name, bool is_long) const {
    for (const Flag& flag : flags_) {
      if (name == (is_long ? flag.name : flag.letter)) return flag;
    }
    std::vector<std::string> known = {"--help"};
    for (const Flag& flag : flags_) known.push_back(flag.name);
    refuse(format("unknown flag %s%s", excerpt(name).c_str(), suggestion(name, known).c_str()));
  }

  std::span<const Flag> flags_;
  std::span<const std::string> arguments_;
  std::size_t next_ = 0;
  CommandLine line_;
};

}  // namespace

CommandLine split_command_line(std::span<const Flag> flags,
                               std::span<const std::string> arguments) {
  return Splitter(flags, arguments).split();
}

}  // namespace octet::cli
