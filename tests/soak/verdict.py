"""What a measurement must show, line by line: printed, written as JSON, told by the exit code."""
import json
import os
import platform
import time
from pathlib import Path


class Verdict:
    def __init__(self, name, **conditions):
        self.report = {"name": name, "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                       "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
                       "load_before": os.getloadavg()[0], "conditions": conditions,
                       "lines": [], "figures": {}}
        self.failures = 0

    def line(self, what, holds, found, must="", judged=True):
        """`judged=False` only reports: for times on a machine that does other work as well."""
        word = ("holds" if holds else "DOES NOT HOLD") if judged else "reported"
        self.failures += 1 if judged and not holds else 0
        self.report["lines"].append({"what": what, "holds": bool(holds), "judged": judged,
                                     "found": found, "must": must})
        print(f"{word:14}{what}: {found}{f' (must: {must})' if must else ''}", flush=True)

    def figures(self, **figures):
        self.report["figures"].update(figures)

    def finish(self, path):
        """The exit code."""
        self.report |= {"load_after": os.getloadavg()[0], "holds": self.failures == 0}
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(json.dumps(self.report, indent=2) + "\n")
        print(f"{self.report['name']}: " + ("all lines hold" if not self.failures else
                                            f"{self.failures} lines do not hold"), flush=True)
        return 1 if self.failures else 0
