#include "octet/error.h"

namespace octet {
namespace {

struct CodeRow {
  Code code;
  int exit;
  const char* name;
};

constexpr CodeRow kCodes[] = {
    {Code::kInternal, 1, "internal"},
    {Code::kInvalidArgument, 2, "invalid_argument"},
    {Code::kUnsupported, 3, "unsupported"},
    {Code::kCorruptFile, 3, "corrupt_file"},
    {Code::kModelMismatch, 3, "model_mismatch"},
    {Code::kOutOfMemory, 4, "out_of_memory"},
    {Code::kIo, 5, "io"},
    {Code::kDevice, 6, "device"},
    {Code::kRefused, 7, "refused"},
    {Code::kCancelled, 130, "cancelled"},
};

const CodeRow& row(Code code) {
  for (const CodeRow& r : kCodes) {
    if (r.code == code) return r;
  }
  return kCodes[0];
}

}  // namespace

int exit_code(Code code) { return row(code).exit; }
const char* code_name(Code code) { return row(code).name; }

}  // namespace octet
