#include "checkpoint/canonical_names.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/check.h"

namespace octet {
namespace {

using Stored = std::map<std::string, StoredTensor>;

// The number at the start of `text`, which loses it.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr int kMost = 1024;
  if (error != std::errc() || number < 0 || number >= kMost) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// The numbers that stand for the pattern's stars.
std::optional<std::vector<int>> match(std::string_view pattern, std::string_view name) {
  std::vector<int> numbers;
  for (const char c : pattern) {
    if (c == '*') {
      const std::optional<int> number = take_number(name);
      if (!number) return std::nullopt;
      numbers.push_back(*number);
    } else {
      if (name.empty() || name[0] != c) return std::nullopt;
      name.remove_prefix(1);
    }
  }
  if (!name.empty()) return std::nullopt;
  return numbers;
}

// 1 + the largest number that follows `prefix` in any name.
int count_after(const Stored& stored, std::string_view prefix) {
  int count = 0;
  for (auto it = stored.lower_bound(std::string(prefix));
       it != stored.end() && it->first.starts_with(prefix); ++it) {
    std::string_view rest = std::string_view(it->first).substr(prefix.size());
    if (const auto number = take_number(rest)) count = std::max(count, *number + 1);
  }
  return count;
}

/// A rule that fits a name, with what its stars stand for.
struct Renaming {
  const NameRule* rule = nullptr;
  std::vector<int> numbers;
  std::string leaf;  // ".weight"; empty where the rule names a tensor in full
  int count = 0;     // of what the first star counts
};

std::string fill_in(const char* pattern, const Renaming& r) {
  std::string name;
  std::size_t next = 0;
  for (const char* c = pattern; *c != '\0'; ++c) {
    if (*c == '*') {
      name += std::to_string(r.numbers.at(next++));
    } else if (*c == '~') {
      name += std::to_string(r.count - 1 - r.numbers.at(next++));
    } else {
      name += *c;
    }
  }
  return name + r.leaf;
}

class ViewBuilder {
 public:
  ViewBuilder(const std::string& component, Family family, const Stored& stored)
      : component_(component), family_(family), stored_(stored) {}

  CanonicalView build() {
    for (const auto& [name, tensor] : stored_) add(name, tensor);
    if (layout_.empty()) layout_ = canonical_layout(family_).layout;
    return {.layout = std::move(layout_), .tensors = std::move(tensors_)};
  }

 private:
  std::optional<Renaming> renaming_by(const NameRule& rule, const std::string& name) {
    std::string_view pattern = rule.stored;
    Renaming r{.rule = &rule, .numbers = {}, .leaf = {}, .count = 0};
    std::string_view layer = name;
    if (pattern[0] == '=') {
      pattern.remove_prefix(1);
    } else {
      const std::size_t dot = name.rfind('.');
      if (dot == std::string::npos) return std::nullopt;
      layer = layer.substr(0, dot);
      r.leaf = name.substr(dot);
    }
    auto numbers = match(pattern, layer);
    if (!numbers) return std::nullopt;
    r.numbers = std::move(*numbers);
    const std::size_t star = pattern.find('*');
    if (star != std::string_view::npos) r.count = count_of(std::string(pattern.substr(0, star)));
    return r;
  }

  int count_of(const std::string& prefix) {
    const auto [it, fresh] = counts_.emplace(prefix, 0);
    if (fresh) it->second = count_after(stored_, prefix);
    return it->second;
  }

  void add(const std::string& name, const StoredTensor& tensor) {
    for (const NameTable& table : name_tables(family_)) {
      for (const NameRule& rule : table.rules) {
        if (const auto renaming = renaming_by(rule, name)) {
          belongs_to(table.layout, name);
          return add_renamed(name, tensor, *renaming);
        }
      }
    }
    const CanonicalLayout canonical = canonical_layout(family_);
    const auto begins = [&](const char* mark) { return name.starts_with(mark); };
    if (std::any_of(canonical.marks.begin(), canonical.marks.end(), begins)) {
      belongs_to(canonical.layout, name);
    }
    insert(name, whole(name, tensor));
  }

  // All names of a component must come from one layout.
  void belongs_to(const char* layout, const std::string& name) {
    if (layout_.empty()) {
      layout_ = layout;
      first_of_layout_ = name;
    }
    if (layout_ == layout) return;
    throw Error(Code::kModelMismatch,
                format("%s: two layouts in one model: expected the names of one, found \"%s\" (%s) "
                       "and \"%s\" (%s)",
                       component_.c_str(), excerpt(first_of_layout_).c_str(), layout_.c_str(),
                       excerpt(name).c_str(), layout));
  }

  void insert(const std::string& name, CanonicalTensor tensor) {
    const std::string stored_name = tensor.stored_name;
    const auto [it, fresh] = tensors_.emplace(name, std::move(tensor));
    if (fresh) return;
    throw Error(Code::kModelMismatch,
                format("%s: two layouts in one model: tensors \"%s\" and \"%s\" mean the same",
                       component_.c_str(), excerpt(it->second.stored_name).c_str(),
                       excerpt(stored_name).c_str()));
  }

  static CanonicalTensor whole(const std::string& name, const StoredTensor& tensor) {
    const TensorInfo& info = *tensor.data.info;
    return {.stored_name = name,
            .dims = info.dims,
            .pieces = {{.tensor = &tensor, .rows = all_rows(info)}},
            .transposed = false};
  }

  // Rows in `parts` equal parts.
  std::vector<RowRange> split(const std::string& name, const StoredTensor& tensor,
                              std::int64_t parts) const {
    const RowRange all = all_rows(*tensor.data.info);
    if (tensor.data.info->dims.empty() || all.count % parts != 0) {
      throw Error(Code::kModelMismatch,
                  format("%s: tensor \"%s\": expected a number of rows that %lld divides, found "
                         "%lld",
                         component_.c_str(), excerpt(name).c_str(), static_cast<long long>(parts),
                         static_cast<long long>(all.count)));
    }
    std::vector<RowRange> ranges;
    for (std::int64_t i = 0; i < parts; ++i) {
      ranges.push_back({.first = i * (all.count / parts), .count = all.count / parts});
    }
    return ranges;
  }

  void add_renamed(const std::string& name, const StoredTensor& tensor, const Renaming& r) {
    CanonicalTensor t = whole(name, tensor);
    const auto swap_halves = [&] {
      const std::vector<RowRange> halves = split(name, tensor, 2);
      t.pieces = {{.tensor = &tensor, .rows = halves[1]}, {.tensor = &tensor, .rows = halves[0]}};
    };
    switch (r.rule->order) {
      case RowOrder::kThirds: {
        const std::vector<RowRange> thirds = split(name, tensor, 3);
        t.dims[0] /= 3;
        for (std::size_t i = 0; i < thirds.size(); ++i) {
          t.pieces = {{.tensor = &tensor, .rows = thirds[i]}};
          insert(fill_in(r.rule->canonical[i], r), t);
        }
        return;
      }
      case RowOrder::kSwappedHalves:
        swap_halves();
        break;
      case RowOrder::kSwappedInLastBlock:
        if (r.numbers[0] + 1 == r.count) swap_halves();
        break;
      case RowOrder::kMatrix:
        while (t.dims.size() > 2 && t.dims.back() == 1) t.dims.pop_back();
        break;
      case RowOrder::kTransposed:
        t.transposed = true;
        std::reverse(t.dims.begin(), t.dims.end());
        break;
      case RowOrder::kAsStored:
        break;
    }
    insert(fill_in(r.rule->canonical[0], r), std::move(t));
  }

  const std::string& component_;
  Family family_;
  const Stored& stored_;
  std::string layout_, first_of_layout_;
  std::map<std::string, int> counts_;  // 1 + the largest number behind a prefix
  std::map<std::string, CanonicalTensor> tensors_;
};

}  // namespace

CanonicalView canonical_view(const std::string& component, Family family, const Stored& stored) {
  return ViewBuilder(component, family, stored).build();
}

}  // namespace octet
