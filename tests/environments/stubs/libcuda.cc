// A libcuda.so.1 that is wrong in one way, chosen by macros when it is compiled. It answers what
// can be asked without a context, like the driver's own library; it computes nothing.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifndef DRIVER_VERSION
#define DRIVER_VERSION 13000
#endif
#ifndef INIT_STATUS
#define INIT_STATUS 0
#endif
#ifndef GPUS
#define GPUS 1
#endif
#ifndef CAPABILITY
#define CAPABILITY 90
#endif

namespace {
constexpr int kNoDevice = 100;
constexpr char kUuid[] = "GPU-6f1a0a4e-1111-2222-3333-444455556666";

// As the driver does: what is not a number or UUID of its own ends the list.
int visible() {
  const char* names = std::getenv("CUDA_VISIBLE_DEVICES");
  if (names == nullptr) return GPUS;
  if (std::strcmp(names, kUuid) == 0) return 1;
  char* end = nullptr;
  const long index = std::strtol(names, &end, 10);
  return end != names && *end == '\0' && index >= 0 && index < GPUS ? 1 : 0;
}
}  // namespace

extern "C" {
int cuInit(unsigned /*flags*/) {
  if (INIT_STATUS != 0) return INIT_STATUS;
  return visible() == 0 ? kNoDevice : 0;
}
int cuDriverGetVersion(int* version) {
  *version = DRIVER_VERSION;
  return 0;
}
int cuDeviceGetCount(int* count) {
  *count = visible();
  return 0;
}
int cuDeviceGet(int* device, int index) {
  *device = index;
  return 0;
}
int cuDeviceGetName(char* name, int size, int /*device*/) {
  std::snprintf(name, static_cast<std::size_t>(size), "NVIDIA Stub %d", CAPABILITY);
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int /*device*/) {
  *value = attribute == 75 ? CAPABILITY / 10 : attribute == 76 ? CAPABILITY % 10 : 0;
  return 0;
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int /*device*/) {
  *bytes = std::size_t{80} << 30;
  return 0;
}
#ifndef WITHOUT_BUS_ID
int cuDeviceGetPCIBusId(char* name, int size, int device) {
  std::snprintf(name, static_cast<std::size_t>(size), "0000:%02X:00.0", device + 1);
  return 0;
}
#endif
int cuGetErrorString(int error, const char** text) {
  switch (error) {
    case kNoDevice:
      *text = "no CUDA-capable device is detected";
      break;
    case 802:
      *text = "system not yet initialized";
      break;
    case 803:
      *text = "system has unsupported display driver / cuda driver combination";
      break;
    case 804:
      *text = "forward compatibility was attempted on non supported HW";
      break;
    case 999:
      *text = "unknown error";
      break;
    default:
      *text = "another error";
      break;
  }
  return 0;
}
}  // extern "C"
