"""A room: a folder, an environment, and what is done to both before the program is started in it.

Everything is undone with the room: mounts live in a namespace of their own, control groups are removed,
limits and users belong to the process. Stubs are compiled from stubs/*.cc; macros say what is wrong with them.
"""
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

STUBS = pathlib.Path(__file__).resolve().parent / "stubs"
NOBODY = 65534
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class CannotBuild(Exception):
    """This machine does not allow the breakage; the row is skipped, and that is said."""


def can_mount():
    words = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Room:
    def __init__(self, octet, golden):
        self.octet = octet
        self.golden = golden
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="octet-room-"))
        self.root.chmod(0o755)
        self.work = self.folder("work")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder("home")),
                            "TMPDIR": str(self.folder("tmp"))}
        self.before = []  # lines of the shell that starts the program
        self.starters = []  # commands that run the rest of their line
        self.namespaces = []
        self.groups = []
        self.closers = []

    def close(self):
        for closer in reversed(self.closers):
            closer()
        for group in self.groups:
            try:
                group.rmdir()
            except OSError:
                pass
        subprocess.run(["chmod", "-R", "u+rwX", self.root], check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    # --- files

    def folder(self, name):
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
        return path

    def file(self, name, content=b"", mode=0o644):
        path = self.root / name
        self.folder(str(pathlib.Path(name).parent))
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def model(self, name="model"):
        """A copy of a small model, to be broken."""
        path = self.root / name
        shutil.copytree(self.golden, path)
        return path

    # --- libraries

    def stub(self, source, name, folder="libraries", macros=(), flags=()):
        """Compiles stubs/SOURCE into FOLDER/NAME."""
        words = ["-shared", "-fPIC", *flags, *[f"-D{macro}" for macro in macros]]
        return self.compile(source, self.folder(folder) / name, words)

    def compile(self, source, path, flags):
        words = [os.environ.get("CXX", "c++"), *flags, "-o", path, STUBS / source]
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        if run.returncode:
            raise CannotBuild(f"{source} does not compile here: {run.stderr.strip()[-300:]}")
        return path

    def program(self, source):
        """Compiles stubs/SOURCE into a program."""
        return self.compile(source, self.folder("programs") / pathlib.Path(source).stem, [])

    def driver(self, *macros, name="libcuda.so.1", folder="libraries"):
        """A driver where the loader looks first."""
        path = self.stub("libcuda.cc", name, folder, macros)
        if name != "libcuda.so.1":
            (path.parent / "libcuda.so.1").symlink_to(name)
        self.search(path.parent)
        return path

    def search(self, folder):
        """The loader looks in `folder` before all others."""
        old = self.environment.get("LD_LIBRARY_PATH")
        self.environment["LD_LIBRARY_PATH"] = f"{folder}:{old}" if old else str(folder)

    # --- the kernel

    def mount(self, *lines):
        """Shell lines in a mount namespace of its own."""
        if not can_mount():
            raise CannotBuild("mounting needs root or a user namespace that may mount")
        if "--mount" not in self.namespaces:
            self.namespaces += ["--mount", "--propagation", "private"]
        self.before += lines

    def full_folder(self, name, size):
        path = self.folder(name)
        self.mount(f"mount -t tmpfs -o mode=777,size={size} none {shlex.quote(str(path))}")
        return path

    def read_only(self, path):
        quoted = shlex.quote(str(path))
        self.mount(f"mount --bind {quoted} {quoted}", f"mount -o remount,bind,ro {quoted}")

    def device_nodes(self, *names):
        """A /dev of its own that has these files; they are /dev/null by another name."""
        self.mount("mount -t tmpfs -o mode=755 none /dev",
                   "mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/zero c 1 5",
                   "mknod -m 666 /dev/urandom c 1 9; mkdir -m 1777 /dev/shm",
                   "mount -t tmpfs -o size=1g none /dev/shm",
                   *[f"mknod -m 666 /dev/{name} c 1 3" for name in names])

    def group(self, controller, values):
        """A control group with those of the settings that this machine's version of them has."""
        parent = CGROUPS / controller if (CGROUPS / controller).is_dir() else CGROUPS
        group = parent / f"octet-room-{os.getpid()}"
        try:
            group.mkdir()
            self.groups.append(group)
            known = [name for name in values if (group / name).exists()]
            if not known:
                raise CannotBuild(f"{parent} gives its groups no {' or '.join(values)}")
            for name in known:
                (group / name).write_text(values[name])
        except OSError as error:
            raise CannotBuild(f"control groups cannot be made here: {error}") from error
        self.before.append(f"echo $$ > {group}/cgroup.procs")

    def own_groups(self, controller):
        """As in a container: the program sees its own control group as the root of all."""
        self.mount()
        version1 = (CGROUPS / controller).is_dir()
        folder = CGROUPS / controller if version1 else CGROUPS
        kind = f"cgroup -o {controller}" if version1 else "cgroup2"
        mount = f"umount {folder} && mount -t {kind} none {folder}"
        self.starters += ["unshare", "--cgroup", "--mount", "sh", "-c", mount + ' && exec "$@"', "room"]

    def limit(self, line):
        self.before.append(f"ulimit {line}")

    @staticmethod
    def need_root(what):
        if os.geteuid() != 0:
            raise CannotBuild(f"{what} needs root")

    def as_nobody(self):
        self.need_root("starting as another user")
        self.starters += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    # --- running

    def words(self, program, *arguments):
        """What is to be executed so that `program` runs in this room."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        script = "\n".join(["set -e", *self.before, 'exec "$@"'])
        unshare = ["unshare", *self.namespaces] if self.namespaces else []
        return [*unshare, "sh", "-c", script, "room", *self.starters, "env", "-i", *variables,
                program, *[str(argument) for argument in arguments]]
