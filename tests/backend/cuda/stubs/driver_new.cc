// A driver library of CUDA 13.2 that another driver's kernel module refuses.
extern "C" int cuInit(unsigned /*flags*/) { return 803; }  // SYSTEM_DRIVER_MISMATCH

extern "C" int cuDriverGetVersion(int* version) {
  *version = 13020;
  return 0;
}
