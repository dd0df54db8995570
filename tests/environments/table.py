"""docs/environments.md, made from the rows."""
from row import WORKS

HEAD = """# Broken environments

Each row is a test that builds the breakage, for real: with stub libraries where the loader looks first, namespaces
and their mounts, control groups, limits, users and files. The program has no branch for tests. In each of them
`octet doctor` names the id, the cause and a remedy, and `octet generate` and `octet serve` refuse with the same id
in one line, write no file and leave no process behind; or they work, where the breakage does no harm.

    python3 tests/environments/environments_test.py build/octet .              # all rows, part of make test
    python3 tests/environments/environments_test.py build/octet . disk_full -v # one of them

`octet doctor --explain ID` says more about an id.
This file is made from the rows (`--write-docs`), and a test compares it with them.
"""

FOOT = """
## How far this goes

- Drivers and GPUs are stubs: they answer like NVIDIA's driver up to the first context and compute nothing. What a
  broken GPU does while it computes is not here.
- The rows run with the program as `make test` builds it, without the CUDA backend, with one difference for the rows
  of GPUs and CUDA's libraries: its list of machine code says `sm_90a`, as that of a build with CUDA does, so that
  the checks behind that one are reached. With a build with CUDA they run as it is:
  `python3 tests/environments/environments_test.py build-cuda/octet .`
- Rows that need mounts, control groups or another user are skipped, and named, where the tests may not have them.
- An old C library is tried in whole systems: `make release-check` starts the release in Debian 11, 12 and 13, and
  the launcher names the glibc that is needed. A processor without AVX2 is not tried.
- The clock of 1970 is an `LD_PRELOAD`, since the kernel has no namespace for the calendar.
"""


def cell(value):
    if value == WORKS:
        return "works"
    return str(value) if isinstance(value, int) else f"- ({value})"


def line(row):
    asks = " ".join(word for word in (*row.asks, *row.doctor) if "{" not in word)
    asked = f" (`{asks}`)" if asks else ""
    return (f"| `{row.name}` | {row.broken} | {row.how}{asked} | `{row.id}`, {row.level} | {cell(row.generate)} | "
            f"{cell(row.serve)} |")


def document(sections):
    text = HEAD
    for title, rows in sections:
        text += f"\n## {title}\n\n| row | what is broken | what the test does | doctor | generate | serve |\n"
        text += "|---|---|---|---|---|---|\n" + "".join(line(row) + "\n" for row in rows)
    return text + FOOT
