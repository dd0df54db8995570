#include "pipeline/prompt_cache.h"

#include <utility>

namespace octet {

// The key lies in the list and in the map.
std::size_t PromptCache::Entry::bytes() const {
  return sizeof(Entry) + sizeof(PromptKey) + 2 * key.text.size() +
         (values.text.size() + values.pooled.size()) * sizeof(float);
}

const PromptValues* PromptCache::find(const PromptKey& key) {
  const auto place = places_.find(key);
  ++(place == places_.end() ? misses_ : hits_);
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return &entries_.front().values;
}

void PromptCache::put(const PromptKey& key, PromptValues values) {
  if (const auto place = places_.find(key); place != places_.end()) drop(place->second);
  Entry entry{.key = key, .values = std::move(values)};
  const std::size_t size = entry.bytes();
  if (size > capacity_) return;
  while (bytes_ + size > capacity_) drop(std::prev(entries_.end()));
  entries_.push_front(std::move(entry));
  places_[key] = entries_.begin();
  bytes_ += size;
}

void PromptCache::drop(std::list<Entry>::iterator entry) {
  bytes_ -= entry->bytes();
  places_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace octet
