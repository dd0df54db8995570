"""Broken machines: memory, limits, disks, the kernel, the clock."""
from row import WORKS, Row

MEMORY, IO, DEVICE = 4, 5, 6


def of_host(name, check, says, remedy, **more):
    """A failure that all three name."""
    return Row(name=name, id=check, says=says, remedy=remedy, **{"level": "failure", **more})


def odd(name, check, says, remedy, **more):
    """A warning: everything works all the same."""
    return Row(name=name, id=check, level="warning", says=says, remedy=remedy, generate=WORKS,
               **{"serve": WORKS, **more})


# --- memory and limits


def small_group(room):
    room.group("memory", {"memory.limit_in_bytes": str(64 << 20), "memory.max": str(64 << 20)})


def few_threads(room):
    room.as_nobody()
    room.starters = ["prlimit", "--nproc=1:1", *room.starters]


LIMITS = [
    of_host("cgroup_below_the_plan", "memory", (r"memory\.(max|limit_in_bytes): 64 MiB", r"planned to take \d+ MiB"),
            "docker run --memory", generate=MEMORY, serve=MEMORY,
            broken="The container may use less memory than the picture is planned to take.",
            how="a control group of 64 MiB", build=small_group),
    of_host("few_open_files", "limits", ("32 open files", "expected 64"), "ulimit -n", generate=MEMORY, serve=MEMORY,
            broken="The shell allows too few open files.", how="`ulimit -n 32`",
            build=lambda room: room.limit("-n 32")),
    of_host("small_files_only", "limits", (r"grow to \d+ bytes", "expected 1 MiB"), "ulimit -f", generate=MEMORY,
            serve=MEMORY, broken="The shell limits the size of files.", how="`ulimit -f 8` (4 KiB)",
            build=lambda room: room.limit("-f 8")),
    of_host("address_space_limited", "limits", (r"limited to 4096 MiB", "expected no limit"), "ulimit -v",
            asks=("--device", "cuda"), generate=MEMORY, serve=MEMORY, also=("gpu-code", "cublaslt"),
            broken="The shell limits address space, which CUDA reserves generously.",
            how="`ulimit -v 4194304`, a good driver",
            build=lambda room: (room.driver(), room.limit("-v 4194304"))),
    of_host("address_space_below_the_plan", "memory", (r"ulimit -v: 97 MiB", r"planned to take \d+ MiB"), "ulimit -v unlimited",
            asks=("--device", "cpu"), generate=MEMORY, serve=MEMORY,
            broken="The shell allows less address space than the picture is planned to take.",
            how="`ulimit -v 100000`", build=lambda room: room.limit("-v 100000")),
    of_host("no_more_processes", "limits", ("0 further threads", "expected"), "ulimit -u",
            refusal=("no further thread or process can be started",), asks=("--threads", "4"), generate=MEMORY, serve=MEMORY,
            broken="The user may start no more threads or processes.",
            how="RLIMIT_NPROC of 1, started as a user of its own", build=few_threads),
]

# --- disks


def full_disk(room):
    folder = room.full_folder("full", "1m")
    room.before.append(f"dd if=/dev/zero of={folder}/big bs=4k 2>/dev/null || true")


def disk_fills_up(room):
    room.full_folder("small", "100k")


def read_only_output(room):
    room.read_only(room.folder("results"))


def read_only_cache(room):
    cache = room.folder("cache")
    room.environment["OCTET_CACHE"] = str(cache)
    room.read_only(cache)


def cache_is_a_file(room):
    room.environment["OCTET_CACHE"] = str(room.file("cache", b"not a folder"))


NO_OUTPUT = "serve keeps results in memory"


def output(folder):
    return ("-o", f"../{folder}/out.png")


DISKS = [
    of_host("disk_full", "output", (r"0\.0 MB are free", "expected room"), "du -xh", generate=IO, serve=NO_OUTPUT,
            doctor=("-o", "../full/out.png"), drawing=output("full"),
            broken="No space is left where the picture is to be written.", how="a file system of 1 MiB, filled",
            build=full_disk),
    of_host("disk_fills_up", "output", ("0.1 MB are free",), "free", generate=IO, level="warning",
            refusal=("No space left on device",),
            serve=NO_OUTPUT, doctor=("-o", "../small/out.png"), drawing=(*output("small"), "--width", "512", "--height", "512"),
            broken="Space runs out while the picture is written.", how="a file system of 100 KiB, a larger picture",
            build=disk_fills_up),
    of_host("output_read_only", "output", ("results", "[Rr]ead-only"), "-o", generate=IO, serve=NO_OUTPUT,
            doctor=("-o", "../results/out.png"), drawing=output("results"),
            broken="The folder for pictures is on a read-only file system.", how="a read-only bind mount",
            build=read_only_output),
    of_host("output_folder_absent", "output", ("nowhere", "No such file"), "-o", generate=IO,
            serve=NO_OUTPUT, doctor=("-o", "../nowhere/out.png"), drawing=output("nowhere"),
            broken="The folder for pictures does not exist.", how="`-o` below a folder that is not there",
            build=lambda room: None),
    odd("cache_read_only", "cache", ("cache cannot be written", "read-only"), "OCTET_CACHE=",
        broken="The cache is on a read-only file system.", how="a read-only bind mount", build=read_only_cache),
    odd("cache_is_a_file", "cache", ("not a folder",), "OCTET_CACHE=", broken="A file stands where the cache should be.",
        how="`OCTET_CACHE` names a file", build=cache_is_a_file),
    odd("no_home", "cache", ("none of OCTET_CACHE, XDG_CACHE_HOME and HOME",), "OCTET_CACHE=",
        broken="`HOME` is not set, as in some services.", how="an environment without it",
        build=lambda room: room.environment.pop("HOME")),
]

# --- the kernel and the clock


def small_shm(room):
    room.mount("mount -t tmpfs -o size=1m none /dev/shm")


def no_shm(room):
    room.device_nodes()
    room.mount("umount /dev/shm; rmdir /dev/shm")


def no_filters(room):
    room.starters.append(str(room.program("no_seccomp.cc")))


def clock_of_1970(room):
    room.environment["LD_PRELOAD"] = str(room.stub("clock.cc", "clock.so"))


def half_a_processor(room):
    """As a container sees it: its own group is the root."""
    room.group("cpu", {"cpu.cfs_quota_us": "20000", "cpu.max": "20000 100000"})
    room.own_groups("cpu")


NO_WORKER = WORKS  # it starts no other process
KERNEL = [
    odd("shared_memory_small", "shared-memory", (r"has 1 MiB free", "32 MiB"), "--shm-size",
        broken="/dev/shm is tiny.", how="a `/dev/shm` of 1 MiB", build=small_shm),
    odd("shared_memory_absent", "shared-memory", ("there is no /dev/shm",), "mount -t tmpfs",
        broken="There is no /dev/shm.", how="a `/dev` without it", build=no_shm),
    of_host("no_proc", "proc", ("/proc/self/exe: No such file", "expected /proc"), "mount -t proc", generate=NO_WORKER,
            serve=DEVICE, doctor=("--listen", "127.0.0.1:0"), broken="/proc is not mounted, as in a bare chroot.",
            how="an empty file system over it", build=lambda room: room.mount("mount -t tmpfs none /proc")),
    odd("no_seccomp", "seccomp", ("no seccomp filters",), "CONFIG_SECCOMP_FILTER",
        broken="The kernel, or a sandbox around it, refuses seccomp filters.",
        how="a filter of its own that refuses further ones", build=no_filters),
    odd("a_fifth_of_a_processor", "cpu-quota", (r"allows 0\.20 processors",), "--cpus",
        broken="The container may use a fifth of a processor.", how="a control group with that quota",
        build=half_a_processor),
    odd("clock_of_1970", "clock", ("1970-01-02", "before"), "set-ntp",
        broken="The clock stands at 1970.", how="a `time()` that says so, in `LD_PRELOAD`", build=clock_of_1970),
]

ROWS = LIMITS + DISKS + KERNEL
