// Two functions of newer glibc that the static libstdc++ and libgcc of Debian 12 ask for, written
// with what glibc 2.34 has, so that one program runs there too (tools/check_binary.py holds the
// line).
//
// Hidden: shared libraries that are opened at run time keep the functions of their own glibc.
// Formulas: glibc manual, "Dynamic Linker Introspection" (_dl_find_object) and "Unpredictable
// Bytes" (arc4random). Thread-safe. Errors: arc4random ends the program when the kernel gives no
// random bytes, as glibc's does.

#include <dlfcn.h>
#include <link.h>
#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

#ifdef DLFO_STRUCT_HAS_EH_DBASE  // the compiler's glibc knows _dl_find_object
namespace {

struct Search {
  std::uintptr_t address;
  dl_find_object* found;
};

/// For dl_iterate_phdr: 1 when `info` is the object that holds the address and can be unwound.
int match(dl_phdr_info* info, std::size_t, void* data) {
  auto* search = static_cast<Search*>(data);
  const ElfW(Phdr)* frames = nullptr;
  std::uintptr_t first = 0;
  std::uintptr_t end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    if (part.p_type == PT_GNU_EH_FRAME) frames = &part;
    if (part.p_type != PT_LOAD) continue;
    const std::uintptr_t start = info->dlpi_addr + part.p_vaddr;
    if (search->address < start || search->address - start >= part.p_memsz) continue;
    first = start;
    end = start + part.p_memsz;
  }
  if (end == 0) return 0;
  if (!frames) return -1;  // nothing else can hold the address
  search->found->dlfo_flags = 0;
  search->found->dlfo_map_start = reinterpret_cast<void*>(first);
  search->found->dlfo_map_end = reinterpret_cast<void*>(end);
  search->found->dlfo_link_map = nullptr;  // unwinding does not ask for it
  search->found->dlfo_eh_frame = reinterpret_cast<void*>(info->dlpi_addr + frames->p_vaddr);
  return 1;
}

}  // namespace

extern "C" {

__attribute__((visibility("hidden"))) int _dl_find_object(void* address,
                                                          dl_find_object* found) noexcept {
  Search search{reinterpret_cast<std::uintptr_t>(address), found};
  return dl_iterate_phdr(match, &search) == 1 ? 0 : -1;
}

__attribute__((visibility("hidden"))) std::uint32_t arc4random() noexcept {
  std::uint32_t value = 0;
  if (getrandom(&value, sizeof value, 0) != sizeof value) std::abort();
  return value;
}

}  // extern "C"
#endif
