// A driver of CUDA 11.8.
extern "C" int cuInit(unsigned /*flags*/) { return 0; }

extern "C" int cuDriverGetVersion(int* version) {
  *version = 11080;
  return 0;
}
