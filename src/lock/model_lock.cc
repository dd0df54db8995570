#include "lock/model_lock.h"

#include <map>

#include "base/format.h"

namespace octet {
namespace {

constexpr const char* kNone = "(none)";

std::string quoted(const std::string& text) { return text.empty() ? kNone : excerpt(text); }

std::string describe(const std::vector<DtypeCount>& dtypes) {
  std::string text;
  for (const DtypeCount& d : dtypes) {
    text += format("%s%s %lld tensors %llu bytes", text.empty() ? "" : ", ",
                   excerpt(d.dtype, 20).c_str(), static_cast<long long>(d.tensors),
                   static_cast<unsigned long long>(d.bytes));
  }
  return text.empty() ? kNone : text;
}

/// Collects the lines about one thing.
class Comparison {
 public:
  explicit Comparison(std::vector<std::string>& lines) : lines_(lines) {}

  void text(const std::string& what, const std::string& locked, const std::string& found) {
    if (locked != found) add(what, quoted(locked), quoted(found));
  }
  template <typename Number>
  void number(const std::string& what, Number locked, Number found) {
    if (locked != found) add(what, std::to_string(locked), std::to_string(found));
  }
  void add(const std::string& what, const std::string& locked, const std::string& found) {
    lines_.push_back(what + ": locked " + locked + ", found " + found);
  }

 private:
  std::vector<std::string>& lines_;
};

void compare(Comparison& c, const LockedFile& locked, const LockedFile& found) {
  const std::string name = "file " + excerpt(locked.name);
  c.number(name + ": size", locked.size, found.size);
  if (!found.problem.empty()) {
    c.add(name, "a readable file", excerpt(found.problem, 200));
    return;
  }
  c.text(name + ": header sha256", locked.header_sha256, found.header_sha256);
  if (locked.dtypes != found.dtypes) {
    c.add(name + ": dtypes", describe(locked.dtypes), describe(found.dtypes));
  }
  if (!found.sha256.empty()) c.text(name + ": sha256", locked.sha256, found.sha256);
}

void compare(Comparison& c, const LockedComponent& locked, const LockedComponent& found) {
  const std::string name = "component " + excerpt(locked.name);
  c.text(name + ": variant", locked.variant, found.variant);
  c.text(name + ": dtypes", locked.dtypes, found.dtypes);
  c.text(name + ": scales", locked.scales, found.scales);
  c.number(name + ": tensors", locked.tensors, found.tensors);
  c.number(name + ": bytes", locked.bytes, found.bytes);
}

void compare(Comparison& c, const LockedTokenizer& locked, const LockedTokenizer& found) {
  c.text("tokenizer " + excerpt(locked.name) + ": sha256", locked.sha256, found.sha256);
}

void compare(Comparison& c, const LockedLora& locked, const LockedLora& found) {
  c.text(excerpt(locked.name) + ": weight", locked.weight, found.weight);
}

/// Pairs two lists by name; what stands in one only is a difference too.
template <typename Item>
void compare_all(Comparison& c, const char* kind, const std::vector<Item>& locked,
                 const std::vector<Item>& found) {
  std::map<std::string, std::pair<const Item*, const Item*>> pairs;
  for (const Item& item : locked) pairs[item.name].first = &item;
  for (const Item& item : found) pairs[item.name].second = &item;
  for (const auto& [name, pair] : pairs) {
    const std::string what = std::string(kind) + " " + excerpt(name);
    if (pair.second == nullptr) {
      c.add(what, "present", "missing");
    } else if (pair.first == nullptr) {
      c.add(what, "absent", "present");
    } else {
      compare(c, *pair.first, *pair.second);
    }
  }
}

}  // namespace

std::vector<std::string> differences(const ModelLock& locked, const ModelLock& found) {
  std::vector<std::string> lines;
  Comparison c(lines);
  c.text("engine version", locked.engine, found.engine);
  c.number("numerics version", locked.numerics, found.numerics);
  c.text("layout", locked.layout, found.layout);
  c.text("variant", locked.variant, found.variant);
  compare_all(c, "file", locked.files, found.files);
  compare_all(c, "component", locked.components, found.components);
  compare_all(c, "tokenizer", locked.tokenizers, found.tokenizers);
  compare_all(c, "LoRA", locked.loras, found.loras);
  return lines;
}

}  // namespace octet
