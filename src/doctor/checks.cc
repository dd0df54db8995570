// The table of all checks, and what is done with it.
#include "doctor/checks.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <span>

#include "base/format.h"

namespace octet::doctor {
namespace {

/// It takes minutes: stress.h.
Results not_asked_for(const Subject& /*subject*/, Depth /*depth*/) {
  return ok("not asked for: --stress draws for some minutes and watches");
}

constexpr Check kChecks[] = {
    {"cpu", "the processor's instruction sets",
     "Octet's kernels are written for AVX2 and AVX-512; without AVX2 pictures take many times as "
     "long. The oldest processor that can run the program at all is an x86-64-v2.",
     Level::kFailure, Code::kDevice, Start::kHost, check_cpu},
    {"glibc", "the version of the C library",
     "The program is built for glibc 2.34. An older one cannot load it, and the loader's message "
     "(version `GLIBC_2.34' not found) does not say what to do.",
     Level::kFailure, Code::kDevice, Start::kHost, check_glibc},
    {"proc", "/proc, the kernel's files about processes",
     "The server starts its worker through /proc/self/exe, and limits of control groups are read "
     "from there. A chroot without it has neither.",
     Level::kFailure, Code::kDevice, Start::kHost, check_proc},
    {"seccomp", "whether the kernel lets a process lock itself in",
     "The server decodes pictures of strangers in a child process that can neither open files nor "
     "talk to the network. Where the kernel refuses that, /v1/images/edits and img2img refuse "
     "every picture.",
     Level::kWarning, Code::kDevice, Start::kNever, check_seccomp},
    {"limits", "limits of this shell or service: open files, address space, size of files",
     "Every connection and every weight file is a descriptor; a limit on address space (ulimit -v) "
     "below what the model needs ends in 'not enough memory' on a machine that has plenty.",
     Level::kFailure, Code::kOutOfMemory, Start::kHost, check_limits},
    {"cpu-quota", "the processor time that the control group allows",
     "A container that may use half a core draws many times slower than the machine could.",
     Level::kWarning, Code::kDevice, Start::kNever, check_cpu_quota},
    {"memory", "memory for the planned peak of the request, within the control group's limit",
     "A process that grows beyond the limit of its container is killed without a word (exit code "
     "137). Octet plans the peak from the model's headers and refuses before it begins.",
     Level::kFailure, Code::kOutOfMemory, Start::kHost, check_memory},
    {"shared-memory", "/dev/shm",
     "Octet itself does not use it; CUDA libraries and profilers do, and containers have 64 MB of "
     "it unless told otherwise.",
     Level::kWarning, Code::kDevice, Start::kNever, check_shared_memory},
    {"output", "the folder in which results are written: there, writable, with room",
     "A picture is written in full or not at all, so a full disk costs the whole computation.",
     Level::kFailure, Code::kIo, Start::kHost, check_output},
    {"cache", "the folder in which measured choices of kernels are kept ($OCTET_CACHE)",
     "Without it every start on a GPU measures again which algorithm is the fastest, which costs "
     "seconds. Pictures are the same.",
     Level::kWarning, Code::kIo, Start::kNever, check_cache},
    {"disk-speed", "how fast the model's files are read",
     "Starts and restarts of a server wait for the disk: 16 GB take 8 s at 2 GB/s and 3 minutes at "
     "90 MB/s.",
     Level::kWarning, Code::kIo, Start::kNever, check_disk_speed},
    {"model", "whether the model can be loaded, from the headers of all its files",
     "Missing parts, other layouts and broken files are found before the server starts.",
     Level::kFailure, Code::kModelMismatch, Start::kNever, check_model},
    {"model-lock", "every byte of the model against its lock (--lock)",
     "A model that changed draws other pictures. generate, serve and bench compare sizes, headers "
     "and small files with the lock at every start and refuse what differs.",
     Level::kFailure, Code::kRefused, Start::kNever, check_lock},
    {"port", "whether the address can be listened on (--listen)",
     "A port that another program holds, or one below 1024 without the right to it, ends the start "
     "of the server.",
     Level::kFailure, Code::kDevice, Start::kHost, check_port},
    {"key-file", "owner and mode of the file of keys (--keys)",
     "Whoever can write the file can add a key; whoever can read it learns the names.",
     Level::kFailure, Code::kRefused, Start::kHost, check_key_file},
    {"clock", "the system's clock",
     "Times in pictures, logs and HTTP answers come from it, and expiry of results and keys in "
     "your own tools, too.",
     Level::kWarning, Code::kDevice, Start::kNever, check_clock},
    {"device-nodes", "the files of the driver in /dev",
     "A container that was started without the NVIDIA runtime has the libraries, perhaps, but not "
     "/dev/nvidia0.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_device_nodes},
    {"driver-version", "which CUDA the driver speaks, and which rule of compatibility applies",
     "A driver runs programs of its own CUDA version and of older ones; within one major version "
     "(13.x) also of newer ones. Another major version needs a newer driver or, on data-centre "
     "GPUs, "
     "the package cuda-compat.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_driver_version},
    {"driver-match", "whether libcuda.so.1 is the one of the kernel module that is loaded",
     "After an update without a reboot, or with another driver's folder in LD_LIBRARY_PATH, the "
     "two differ and every CUDA call fails (error 803, 'system has unsupported display driver / "
     "cuda driver combination').",
     Level::kFailure, Code::kDevice, Start::kDevice, check_driver_match},
    {"driver", "libcuda.so.1: found, complete, and starting",
     "It is the only part of CUDA that must come with the machine. Without it pictures are drawn "
     "by "
     "the processor.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_driver},
    {"gpu", "the GPUs that the driver shows, and the one that is asked for",
     "CUDA_VISIBLE_DEVICES hides and renumbers GPUs; a number that is not there ends the start.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_gpu},
    {"gpu-fp8", "whether each GPU multiplies FP8 in hardware",
     "GPUs from compute capability 8.9 on have FP8 units. On others FP8 weights save memory but no "
     "time: they are multiplied in 16 bits, and --compute fp8 is refused.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_gpu_fp8},
    {"gpu-code", "whether this program holds machine code for each GPU",
     "A program runs on a GPU only if it was compiled for its architecture, or holds PTX that the "
     "driver can compile (JIT). Otherwise CUDA says 'no kernel image is available for execution'.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_gpu_code},
    {"cublaslt", "every libcublasLt in reach, which one is taken and why not the others",
     "Matrix products run in cuBLASLt of CUDA 13, which comes with the CUDA toolkit or with "
     "PyTorch's packages. One of another version first in the path, or an incomplete one, ends in "
     "'undefined symbol' elsewhere; Octet names it.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_cublaslt},
    {"cudnn", "every libcudnn in reach",
     "Octet does not use cuDNN: whichever version lies here, or none, changes nothing. It is "
     "listed "
     "because it breaks other programs and is suspected first.",
     Level::kOk, Code::kDevice, Start::kNever, check_cudnn},
    {"nccl", "every libnccl in reach",
     "Octet computes on one GPU per process and does not use NCCL.", Level::kOk, Code::kDevice,
     Start::kNever, check_nccl},
    {"one-copy", "whether two copies of a CUDA library are in this process",
     "A second copy, usually through LD_PRELOAD, shadows functions of the first: crashes and wrong "
     "results that no message explains.",
     Level::kFailure, Code::kDevice, Start::kDevice, check_one_copy},
    {"gpu-memory", "free memory of each GPU, who holds the rest, and the planned peak",
     "'out of memory' on a GPU is mostly another program: a notebook, an old server, a desktop.",
     Level::kFailure, Code::kOutOfMemory, Start::kNever, check_gpu_memory},
    {"gpu-health", "errors of memory (ECC), temperature, throttling, width of the PCIe link",
     "A GPU with uncorrected errors computes wrong pictures; one that is hot or throttled computes "
     "slowly.",
     Level::kFailure, Code::kDevice, Start::kNever, check_gpu_health},
    {"stress", "the machine while it draws, round after round (--stress)",
     "What is well when idle may not be so under load: steps become slower as the GPU heats up, "
     "memory grows, numbers are no longer finite, errors of memory (ECC) come.",
     Level::kFailure, Code::kDevice, Start::kNever, not_asked_for},
};

bool applies(const Check& check, const Subject& subject, Depth depth) {
  const bool on_gpu = check.start == Start::kDevice;
  if (depth == Depth::kFull) return true;
  if (check.start == Start::kNever) return false;
  return !on_gpu || (subject.uses_device && asked_gpu(subject).has_value());
}

/// A check that cannot be made is a warning about itself, never the end of the examination.
Results run(const Check& check, const Subject& subject, Depth depth) {
  try {
    return check.run(subject, depth);
  } catch (const std::exception& error) {
    return warning(format("this check could not be made: %s", error.what()),
                   "octet doctor --explain " + std::string(check.id));
  }
}

const Check& find(const std::string& id) {
  std::string known;
  for (const Check& check : kChecks) {
    if (id == check.id) return check;
    if (!known.empty()) known += ", ";
    known += check.id;
  }
  throw Error(Code::kInvalidArgument, format("--explain: expected one of %s, found '%s'",
                                             known.c_str(), excerpt(id).c_str()));
}

void add(std::vector<Finding>& findings, const Check& check, Results results) {
  for (Result& r : results) {
    findings.push_back({.id = check.id,
                        .level = std::min(r.level, check.worst),
                        .says = excerpt(r.says, 1500),
                        .remedy = std::move(r.remedy),
                        .code = r.code.value_or(check.code)});
  }
}

}  // namespace

const char* name_of(Level level) {
  constexpr const char* kNames[] = {"ok", "warning", "failure"};
  return kNames[static_cast<int>(level)];
}

Results ok(const std::string& says) { return {{Level::kOk, says, ""}}; }
Results warning(const std::string& says, const std::string& remedy) {
  return {{Level::kWarning, says, remedy}};
}
Results failure(const std::string& says, const std::string& remedy) {
  return {{Level::kFailure, says, remedy}};
}

std::optional<int> asked_gpu(const Subject& subject) {
  const std::string& device = subject.engine.device;
  if (device == "cuda") return 0;
  const std::string prefix = "cuda:";
  if (!device.starts_with(prefix)) return {};
  int index = 0;
  std::from_chars(device.data() + prefix.size(), device.data() + device.size(), index);
  return index;
}

Result gpu_problem(const Subject& subject, const std::string& says, const std::string& remedy) {
  if (asked_gpu(subject)) return {Level::kFailure, says, remedy + ", or use --device cpu"};
  if (subject.engine.device == "cpu") return {Level::kOk, says + "; not used", ""};
  return {Level::kWarning, says + "; pictures are drawn by the processor", remedy};
}

std::vector<Finding> examine(const Subject& subject) {
  std::vector<Finding> findings;
  for (const Check& check : kChecks) add(findings, check, run(check, subject, Depth::kFull));
  return findings;
}

std::vector<Finding> fast_checks(const Subject& subject) {
  std::vector<Finding> findings;
  for (const Check& check : kChecks) {
    if (applies(check, subject, Depth::kFast)) {
      add(findings, check, run(check, subject, Depth::kFast));
    }
  }
  std::erase_if(findings, [](const Finding& f) { return f.level != Level::kFailure; });
  return findings;
}

void require_fit(const Subject& subject) {
  for (const Finding& f : fast_checks(subject)) {
    throw Error(f.code, f.id + ": " + f.says + "; " + f.remedy);
  }
}

int exit_code(const std::vector<Finding>& findings) {
  Level worst = Level::kOk;
  for (const Finding& f : findings) worst = std::max(worst, f.level);
  return static_cast<int>(worst);
}

std::string check_of(const Error& error) {
  if (error.code() == Code::kInvalidArgument) return "";
  const std::string says = error.what();
  for (const Check& check : kChecks) {
    if (says.starts_with(std::string(check.id) + ": ")) return check.id;
  }
  return "";
}

Error named_memory(const Error& error, const std::string& device) {
  if (error.code() != Code::kOutOfMemory) return error;
  const std::string says = error.what();
  const std::string id = check_of(error);
  // Weights that wait for the GPU lie in the host's memory.
  const bool on_gpu = (device.starts_with("cuda") || says.starts_with("cuda: ")) &&
                      says.find("host memory") == std::string::npos;
  if (id == "memory" && on_gpu) return {error.code(), "gpu-" + says};
  if (!id.empty()) return error;
  return {error.code(), (on_gpu ? "gpu-memory: " : "memory: ") + says};
}

Error named(const Error& error, const EngineOptions& engine) {
  const std::string id = check_of(error);
  switch (error.code()) {
    case Code::kIo:
    case Code::kCorruptFile:
    case Code::kModelMismatch:
    case Code::kUnsupported:
      if (!id.empty() && id != "model") return error;
      return {error.code(),
              format("%s%s; octet inspect '%s' says more", id.empty() ? "model: " : "",
                     error.what(), excerpt(engine.model, 300).c_str())};
    default:
      return named_memory(error, engine.device);
  }
}

Error named_output(const Error& error) {
  if (error.code() != Code::kIo || std::string(error.what()).starts_with("output: ")) return error;
  return {error.code(), std::string("output: ") + error.what() +
                            "; free some room there, or name another folder with -o"};
}

std::vector<std::string> check_ids() {
  std::vector<std::string> ids;
  for (const Check& check : kChecks) ids.emplace_back(check.id);
  return ids;
}

std::string explain(const std::string& id) {
  const Check& check = find(id);
  const char* blocks =
      check.start == Start::kNever ? "It does not run at the start of generate, serve and bench."
      : check.start == Start::kHost
          ? "It runs at every start of generate, serve and bench; a failure ends it."
          : "It runs at every start with --device cuda; a failure ends it.";
  return format(
      "%s looks at %s.\n%s\nAt worst it is a %s (exit code %d where it ends a start).\n%s\n"
      "Broken environments and what is said of them: docs/environments.md\n",
      check.id, check.looks_at, check.matters, name_of(check.worst), octet::exit_code(check.code),
      blocks);
}

}  // namespace octet::doctor
