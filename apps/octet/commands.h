// The subcommands of the program: one row and one .cc file each.
//
// A command gets the words after its own name, returns the exit code of a run that worked, and
// throws octet::Error for everything else; main turns that into one line and an exit code.
#pragma once

#include <span>
#include <string>

namespace octet::cli {

using Words = std::span<const std::string>;

struct Command {
  const char* name;
  const char* summary;  // null: for the program itself, not for people
  int (*run)(Words words);
};

int run_audit(Words words);
int run_bench(Words words);
int run_doctor(Words words);
int run_generate(Words words);
int run_health(Words words);
int run_inspect(Words words);
int run_key(Words words);
int run_lock(Words words);
int run_verify(Words words);
int run_quantize(Words words);
int run_sbom(Words words);
int run_serve(Words words);
int run_serve_worker(Words words);
int run_version(Words words);

}  // namespace octet::cli
