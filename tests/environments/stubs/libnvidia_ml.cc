// A libnvidia-ml.so.1 that tells of one GPU of 80 GB; macros say what is wrong with it.
#ifndef FREE
#define FREE 79000000000ULL
#endif
#ifndef ECC_ERRORS
#define ECC_ERRORS 0
#endif
#ifndef CELSIUS
#define CELSIUS 40
#endif

extern "C" {
struct Memory {
  unsigned long long total, free, used;
};
struct Process {
  unsigned pid;
  unsigned long long bytes;
  unsigned instance, compute_instance;
};

int nvmlInit_v2() { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char*, void** device) {
  static int the_gpu = 0;
  *device = &the_gpu;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void*, Memory* memory) {
  *memory = {80000000000ULL, FREE, 80000000000ULL - FREE};
  return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* count, Process* processes) {
  *count = 1;
  processes[0] = {4242, 80000000000ULL - FREE, 0, 0};
  return 0;
}
int nvmlDeviceGetTotalEccErrors(void*, int, int, unsigned long long* count) {
  *count = ECC_ERRORS;
  return 0;
}
int nvmlDeviceGetTemperature(void*, int, unsigned* celsius) {
  *celsius = CELSIUS;
  return 0;
}
}  // extern "C"
