// A cuBLASLt of the next major version under this one's file name.
#include <cstddef>

extern "C" std::size_t cublasLtGetVersion() { return 140100; }
