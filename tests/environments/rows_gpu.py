"""Broken GPUs, drivers and CUDA libraries. No GPU is needed: the drivers are stubs where the loader looks first."""
from row import WORKS, Row

CUDA = ("--device", "cuda")
DEVICE = 6
NODES = ("nvidiactl", "nvidia0", "nvidia-uvm")


def gpu_row(name, check, says, remedy, **more):
    """A failure of whoever asks for a GPU: all three name it."""
    values = {"asks": CUDA, "level": "failure", "generate": DEVICE, "serve": DEVICE, **more}
    return Row(name=name, id=check, says=says, remedy=remedy, **values)


# --- the driver's library


def absent(room):
    room.search(room.folder("empty"))


def empty_file(room):
    room.file("libraries/libcuda.so.1")
    room.search(room.root / "libraries")


def truncated(room):
    library = room.driver()
    library.write_bytes(library.read_bytes()[:1000])


def other_class(room):
    room.stub("empty.cc", "libcuda.so.1", flags=("-m32", "-nostdlib"))
    room.search(room.root / "libraries")


def unreadable(room):
    room.driver().chmod(0)
    room.as_nobody()


def module(room, version):
    """What the kernel module says of itself."""
    file = room.file("version", f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Tue Sep  2\n".encode())
    room.mount("mount -t tmpfs none /proc/driver", "mkdir /proc/driver/nvidia", f"cp {file} /proc/driver/nvidia/version")


def updated_without_reboot(room):
    room.driver("INIT_STATUS=803", name="libcuda.so.580.95.05")
    module(room, "575.57.08")


def no_forward_compatibility(room):
    room.driver("INIT_STATUS=804", name="libcuda.so.580.95.05", folder="cuda/compat")


def hidden(room):
    room.driver()
    room.device_nodes(*NODES)
    room.environment["CUDA_VISIBLE_DEVICES"] = "GPU-00000000-dead-beef-0000-000000000000"


def no_nodes(room):
    room.driver("INIT_STATUS=100")
    room.device_nodes()


DRIVERS = [
    gpu_row("driver_absent", "driver", (r"libcuda\.so\.1 is not found",), "nvidia-driver|--device cpu",
            broken="There is no NVIDIA driver.", how="a machine without `libcuda.so.1`", build=absent),
    gpu_row("driver_empty_file", "driver", (r"libcuda\.so\.1 cannot be loaded", "file too short"), "reinstall",
            broken="`libcuda.so.1` is an empty file, as in images that were built with the NVIDIA runtime.",
            how="an empty file first in `LD_LIBRARY_PATH`", build=empty_file),
    gpu_row("driver_truncated", "driver", (r"libcuda\.so\.1 cannot be loaded", r"expected \d+ bytes", "found 1000"), "reinstall",
            broken="`libcuda.so.1` is cut off: a full disk while it was installed.",
            how="the first 1000 bytes of a stub", build=truncated),
    gpu_row("driver_of_32_bits", "driver", (r"libcuda\.so\.1 cannot be loaded", "wrong ELF class: ELFCLASS32"), "reinstall",
            broken="`libcuda.so.1` is the one for 32-bit programs.", how="a library compiled with `-m32`",
            build=other_class),
    gpu_row("driver_unreadable", "driver", (r"libcuda\.so\.1 cannot be loaded", "Permission denied"), "reinstall|read",
            broken="`libcuda.so.1` may not be read by this user.", how="mode 0000, started as another user",
            build=unreadable),
    gpu_row("driver_too_old", "driver-version", (r"supports CUDA 12\.4", r"expected 13\.0 or newer"), "580",
            broken="The driver is older than the program's CUDA.", how="a stub that says CUDA 12.4",
            build=lambda room: room.driver("DRIVER_VERSION=12040")),
    gpu_row("driver_lacks_a_function", "driver", ("expected the function cuDeviceGetPCIBusId",), "LD_LIBRARY_PATH",
            broken="A stub for linking stands where the driver should: `undefined symbol`.",
            how="a stub without `cuDeviceGetPCIBusId`", build=lambda room: room.driver("WITHOUT_BUS_ID")),
    gpu_row("driver_does_not_start", "driver", (r"does not start: unknown error \(999\)",), "dmesg",
            broken="The driver is in a bad state: CUDA error 999.", how="a stub whose `cuInit` returns 999",
            build=lambda room: room.driver("INIT_STATUS=999")),
    gpu_row("fabric_manager_absent", "driver", ("not ready: system not yet initialized",), "nvidia-fabricmanager",
            broken="A machine with NVSwitch, whose fabric manager does not run: CUDA error 802.",
            how="a stub whose `cuInit` returns 802", build=lambda room: room.driver("INIT_STATUS=802")),
    gpu_row("driver_updated_without_reboot", "driver-match", (r"580\.95\.05", r"575\.57\.08"), "reboot",
            broken="The driver's library was updated, its kernel module is still the old one: CUDA error 803.",
            how="a stub `libcuda.so.580.95.05` that returns 803, `/proc/driver/nvidia/version` of 575.57.08",
            build=updated_without_reboot),
    gpu_row("compat_on_a_gpu_without_it", "driver-match", ("forward compatibility was attempted",), "cuda-compat",
            broken="cuda-compat is first in `LD_LIBRARY_PATH` on a GPU that does not support it: CUDA error 804.",
            how="a stub in `cuda/compat` that returns 804", build=no_forward_compatibility),
    gpu_row("container_without_nvidia_runtime", "device-nodes", ("/dev/nvidiactl: No such file",), "--gpus all",
            also=("gpu",),
            broken="A container that was started without `--gpus all`: the libraries are there, the devices not.",
            how="a stub that sees no GPU, a `/dev` without `nvidia*`", build=no_nodes),
]

# --- the GPUs

GPUS = [
    gpu_row("gpu_hidden", "gpu", ('CUDA_VISIBLE_DEVICES="GPU-00000000-dead-beef',), "unset CUDA_VISIBLE_DEVICES",
            broken="`CUDA_VISIBLE_DEVICES` names a GPU that was replaced.",
            how="a stub that knows another UUID, as the driver treats it", build=hidden),
    gpu_row("gpu_number_too_high", "gpu", ("expected cuda:0 to cuda:1", "found cuda:3"), "--device cuda:0",
            asks=("--device", "cuda:3"), broken="`--device cuda:3` on a machine with two GPUs.",
            how="a stub with two GPUs", build=lambda room: room.driver("GPUS=2")),
    gpu_row("fp8_on_a_gpu_without_it", "gpu-fp8", (r"sm_80\) has no FP8 units", "sm_89 or newer"), "--compute",
            also=("gpu-code",), asks=(*CUDA, "--compute", "fp8"),
            broken="`--compute fp8` on an A100, which has no FP8 units.",
            how="a stub with a GPU of compute capability 8.0", build=lambda room: room.driver("CAPABILITY=80")),
    gpu_row("gpu_without_machine_code", "gpu-code", ("sm_75", "no kernel image"), "OCTET_CUDA_ARCHITECTURES",
            broken="A GPU that the program was not compiled for: `no kernel image`.",
            how="a stub with a GPU of compute capability 7.5", build=lambda room: room.driver("CAPABILITY=75")),
]

# --- CUDA's libraries beside the driver


def cublaslt(room, *folders):
    room.environment["OCTET_CUDA_LIBS"] = ":".join(str(folder) for folder in folders)
    room.driver()


def no_cublaslt(room):
    cublaslt(room, room.folder("none"))
    room.mount("mount -t tmpfs none /usr/local")  # where CUDA's installer puts it


def old_cublaslt_first(room):
    old = room.stub("libcublaslt.cc", "libcublasLt.so.13", "old", ("VERSION=120800",))
    new = room.stub("libcublaslt.cc", "libcublasLt.so.13", "new")
    cublaslt(room, old.parent, new.parent)


def cublaslt_lacks_a_function(room):
    cublaslt(room, room.stub("libcublaslt.cc", "libcublasLt.so.13", "bare", ("WITHOUT_MATMUL",)).parent)


def cublaslt_truncated(room):
    library = room.stub("libcublaslt.cc", "libcublasLt.so.13", "broken")
    library.write_bytes(library.read_bytes()[:100])
    cublaslt(room, library.parent)


def two_copies(room):
    own = room.stub("libcublaslt.cc", "libcublasLt.so.13", "own")
    other = room.stub("libcublaslt.cc", "libcublasLt.so.13", "other", ("VERSION=130000",))
    cublaslt(room, own.parent)
    room.environment["LD_PRELOAD"] = str(other)


def cudnn_of_another_version_first(room):
    room.stub("empty.cc", "libcudnn.so.8", "libraries")
    room.stub("empty.cc", "libcudnn.so.9", "other")
    room.search(room.root / "other")
    room.search(room.root / "libraries")


def monitored(room, *macros):
    """A good driver with a monitor that tells something bad."""
    room.driver()
    room.stub("libcublaslt.cc", "libcublasLt.so.13")
    room.environment["OCTET_CUDA_LIBS"] = str(room.root / "libraries")
    room.stub("libnvidia_ml.cc", "libnvidia-ml.so.1", macros=macros)


NO_CONTEXT = "looked at by doctor alone; a stub ends before memory is taken"
LIBRARIES = [
    gpu_row("cublaslt_absent", "cublaslt", (r"libcublasLt\.so\.13", "found none|not found"), "OCTET_CUDA_LIBS",
            broken="CUDA's math library is not installed.", how="a good driver, no `libcublasLt.so.13`",
            build=no_cublaslt),
    Row("cublaslt_folder_misspelt", "cublaslt", "warning",
        broken="`OCTET_CUDA_LIBS` names a folder that is not there.", how="a path that leads nowhere",
        build=lambda room: room.environment.update(OCTET_CUDA_LIBS="/nowhere/lib"),
        says=("/nowhere/lib/", "expected a folder"), remedy="unset OCTET_CUDA_LIBS", generate=WORKS, serve=WORKS,
        asks=("--device", "cpu")),
    gpu_row("cublaslt_too_old_first", "cublaslt", ("expected cuBLASLt 13", "found version 120800"), "OCTET_CUDA_LIBS",
            broken="A cuBLASLt of CUDA 12 comes first in the path, the right one behind it.",
            how="two stubs in `OCTET_CUDA_LIBS`, the first says 12.8", build=old_cublaslt_first),
    gpu_row("cublaslt_lacks_a_function", "cublaslt", ("expected the function cublasLtMatmul", "undefined symbol|found none"),
            "OCTET_CUDA_LIBS", broken="A cuBLASLt that is not whole: `undefined symbol`.",
            how="a stub without `cublasLtMatmul`", build=cublaslt_lacks_a_function),
    gpu_row("cublaslt_truncated", "cublaslt", (r"libcublasLt\.so\.13", r"expected \d+ bytes", "found 100 "), "OCTET_CUDA_LIBS",
            broken="cuBLASLt is cut off: an installation that was interrupted.", how="the first 100 bytes of a stub",
            build=cublaslt_truncated),
    gpu_row("cublaslt_twice", "one-copy", ("two copies of libcublasLt", "own/", "other/"), "unset LD_PRELOAD",
            broken="`LD_PRELOAD` brings a second cuBLASLt.", how="two stubs, one of them in `LD_PRELOAD`",
            build=two_copies),
    Row("cudnn_of_another_version_first", "cudnn", "ok",
        broken="The wrong major version of cuDNN comes first in the library path, which breaks PyTorch.",
        how="`libcudnn.so.8` before `libcudnn.so.9` in `LD_LIBRARY_PATH`", build=cudnn_of_another_version_first,
        says=(r"libcudnn\.so\.8", "not used by Octet"), remedy="^$", generate=WORKS, serve=WORKS),
]

GPUS += [
    gpu_row("gpu_memory_taken", "gpu-memory", ("0.2 of 80.0 GB are free", "held by process 4242", "GB at least"),
            "nvidia-smi", generate=NO_CONTEXT, serve=NO_CONTEXT,
            broken="Another program holds the GPU's memory.", how="a stub of NVML that tells 0.2 GB of 80 free",
            build=lambda room: monitored(room, "FREE=200000000")),
    gpu_row("gpu_memory_errors", "gpu-health", ("3 uncorrected errors of memory", "expected 0"), "nvidia-smi -r",
            generate=NO_CONTEXT, serve=NO_CONTEXT, broken="The GPU's memory has uncorrected errors (ECC).",
            how="a stub of NVML that tells 3", build=lambda room: monitored(room, "ECC_ERRORS=3")),
    gpu_row("gpu_too_hot", "gpu-health", ("95 degrees", "hotter than 90"), "cooling", level="warning",
            generate=NO_CONTEXT, serve=NO_CONTEXT, broken="The GPU is too hot.", how="a stub of NVML that tells 95 degrees",
            build=lambda room: monitored(room, "CELSIUS=95")),
]

ROWS = DRIVERS + GPUS + LIBRARIES
