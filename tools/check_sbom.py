#!/usr/bin/env python3
"""Gives the two bills of materials of a program to independent validators: check_sbom.py OCTET. Needs
cyclonedx-python-lib with its schemas and spdx-tools (tools/python.sh sbom). Exit code 1: refused."""
import subprocess
import sys
import tempfile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def bill(program, form):
    return subprocess.run([program, "sbom", "--format", form], check=True, capture_output=True,
                          text=True).stdout


def cyclonedx_problems(text):
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    return [str(error)] if error else []


def spdx_problems(text):
    with tempfile.NamedTemporaryFile("w", suffix=".spdx.json") as file:
        file.write(text)
        file.flush()
        return [message.validation_message
                for message in validate_full_spdx_document(parse_file(file.name))]


def main():
    program = sys.argv[1]
    cyclonedx, spdx = bill(program, "cyclonedx"), bill(program, "spdx")
    problems = cyclonedx_problems(cyclonedx) + spdx_problems(spdx)
    for problem in problems:
        print(f"check_sbom: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    # A validator that accepts everything would say so too.
    if not cyclonedx_problems(cyclonedx.replace('"library"', '"book"', 1)):
        sys.exit("check_sbom: the validator of CycloneDX accepts an unknown type of component")
    if not spdx_problems(spdx.replace("Apache-2.0", "No-Such-Licence", 1)):
        sys.exit("check_sbom: the validator of SPDX accepts an unknown licence")
    print("sbom: valid CycloneDX 1.5 and SPDX 2.3")


if __name__ == "__main__":
    main()
