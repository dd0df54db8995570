"""`octet sbom` must name exactly what the linker took, what the compiler read and what was embedded.

Read here a second time, from the map of the final link, the dependency log of Ninja and the assembly
sources: sbom_test.py OCTET BUILD_FOLDER SOURCE_FOLDER"""
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

PROGRAM, BUILD, SOURCE = (pathlib.Path(path) for path in sys.argv[1:4])

# Interfaces of the system: declarations, nothing that ends up in the program.
INTERFACES = {"libc6-dev", "linux-libc-dev", "libcrypt-dev"}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bill():
    document = json.loads(output(PROGRAM, "sbom", "--format", "cyclonedx"))
    for component in document["components"]:
        component["octet"] = {p["name"][6:]: p["value"] for p in component["properties"]}
    return document["components"]


def of_kind(kind):
    return [component for component in bill() if component["octet"]["kind"] == kind]


def linked_files():
    """Archives with a member in the program, and objects, from outside of the build folder."""
    found = set()
    for line in (BUILD / "apps/octet/octet.map").read_text(errors="replace").splitlines():
        match = re.match(r"(?:LOAD )?(/\S+?\.(?:a(?=\()|o$))", line)
        if match and BUILD not in pathlib.Path(match[1]).parents:
            found.add(pathlib.Path(match[1]).resolve())
    return found


def owners(files):
    """Packages of Debian that the files belong to."""
    found = set()
    files = sorted(str(file) for file in files)
    for at in range(0, len(files), 500):
        run = subprocess.run(["dpkg-query", "-S", *files[at:at + 500]], capture_output=True,
                             text=True, check=False)
        if run.returncode:
            raise AssertionError(f"of no package: {run.stderr[:300]}")
        found |= {re.split("[:,]", line)[0] for line in run.stdout.splitlines()}
    return found


def headers():
    """Headers of others that the compilers of the program's objects read."""
    found, ours = set(), False
    for line in output("ninja", "-C", BUILD, "-t", "deps").splitlines():
        if not line.startswith("    "):
            ours = line.startswith(("src/", "apps/"))
        elif ours and line.strip().startswith("/"):
            path = pathlib.Path(line.strip())
            if SOURCE not in path.parents and BUILD not in path.parents:
                found.add(path)
    return {path.resolve() for path in found}


class Sbom(unittest.TestCase):
    maxDiff = None

    def test_libraries_are_what_the_linker_took(self):
        listed = set()
        for component in of_kind("library"):
            listed |= {(name[7:], value) for name, value in component["octet"].items()
                       if name.startswith("sha256:")}
        linked = {(file.name, hashlib.sha256(file.read_bytes()).hexdigest())
                  for file in linked_files()}
        self.assertGreater(len(linked), 5)
        self.assertEqual(listed, linked)

    @unittest.skipUnless(shutil.which("dpkg-query"), "needs the package database of Debian")
    def test_versions_are_those_of_the_packages(self):
        packaged = [component for component in bill() if "package" in component["octet"]]
        self.assertGreater(len(packaged), 5)
        for component in packaged:
            package = component["octet"]["package"]
            self.assertIn(output("dpkg-query", "-W", "-f", "${Version} ", package).split()[0],
                          component["version"])
        linked = owners(file for file in linked_files() if "cuda" not in file.name)
        self.assertEqual({c["octet"]["package"] for c in of_kind("library")
                          if "package" in c["octet"]}, linked)

    @unittest.skipUnless(shutil.which("dpkg-query"), "needs the package database of Debian")
    def test_header_only_libraries_are_what_the_compiler_read(self):
        read = {path for path in headers() if "cuda" not in str(path)}
        self.assertGreater(len(read), 100)
        linked = {component["octet"].get("package") for component in of_kind("library")}
        listed = {component["octet"]["package"] for component in of_kind("headers")}
        self.assertEqual(owners(read) - INTERFACES - linked, listed)

    def test_embedded_files_are_declared(self):
        declared = json.loads((SOURCE / "packaging/third_party.json").read_text())
        known = {SOURCE / file for data in declared["data"] for file in data["files"]}
        own = [SOURCE / folder for folder in declared["own"]]
        sources = [*(SOURCE / "src").rglob("*.S"), *(BUILD / "src").rglob("*.S")]
        embedded = [path for source in sources
                    for path in re.findall(r'\.incbin "([^"]+)"', source.read_text())]
        self.assertGreater(len(embedded), 5)
        for path in embedded:
            file = pathlib.Path(path)
            file = file if file.is_absolute() else SOURCE / "src/text" / file
            self.assertTrue(file in known or any(folder in file.parents for folder in own),
                            f"{path} is embedded, but packaging/third_party.json does not say so")
        names = {component["name"] for component in of_kind("data")}
        self.assertEqual(names, {data["name"] for data in declared["data"]})

    def test_notices_name_every_package(self):
        def without_version(text):
            return re.sub("-[0-9]+-dev", "-dev", text)
        notices = without_version((SOURCE / "THIRD_PARTY.md").read_text())
        for component in bill():
            package = component["octet"].get("package")
            wanted = f"`{without_version(package)}`" if package else component["name"]
            self.assertTrue(wanted in notices, f"THIRD_PARTY.md does not name {wanted}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
