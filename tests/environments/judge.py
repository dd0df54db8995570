"""Runs doctor, generate and serve in a room and judges what they say against the row."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from row import WORKS

SECONDS = 60  # after which a command hangs
EXIT_OF_LEVEL = {"ok": 0, "warning": 1, "failure": 2}
NOISE = re.compile(r"terminate called|what\(\):|Traceback|core dumped|Segmentation|Aborted|Assertion|^#\d+ ",
                   re.MULTILINE)


class Wrong(Exception):
    """What the row demands does not hold."""


def demand(condition, said):
    if not condition:
        raise Wrong(said)


def end_of(process):
    """Exit code, standard output, standard error; Wrong when it does not end or leaves a process behind."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise Wrong(f"hangs: no end after {SECONDS} s; said so far: {err[-500:]!r}") from None
    for _ in range(40):  # a worker that has just been told to end is still there for an instant
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 0)
            time.sleep(0.05)
            continue
        break
    else:
        os.killpg(process.pid, signal.SIGKILL)
        raise Wrong("ended, but left a process behind")
    demand(process.returncode >= 0, f"ended by signal {-process.returncode}: {err[-500:]!r}")
    demand(not NOISE.search(err), f"a crash, not a message: {err[-500:]!r}")
    return process.returncode, out, err


def start(room, program, *arguments):
    return subprocess.Popen(room.words(program, *arguments), cwd=room.work, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                            start_new_session=True)


# --- doctor


def describe(finding):
    return f"{finding['id']} ({finding['level']}): {finding['says']}; {finding['remedy']}"


def examine(room, program, row):
    """Doctor's finding of the row's id and level that says what the row demands."""
    code, out, err = end_of(start(room, program, "doctor", "--json", *row.asks, *row.doctor))
    try:
        findings = json.loads(out)["findings"]
    except (ValueError, KeyError):
        raise Wrong(f"doctor --json: exit {code}, no JSON with findings: {out[-300:]!r} {err[-500:]!r}") from None
    judge_findings(row, findings)
    worst = max((EXIT_OF_LEVEL[f["level"]] for f in findings), default=0)
    demand(code == worst, f"doctor: expected exit {worst} as its worst finding, found {code}")
    demand(err == "", f"doctor: expected nothing on standard error with --json, found {err[-500:]!r}")


def judge_findings(row, findings):
    own = [f for f in findings if f["id"] == row.id and f["level"] == row.level]
    bad = [f for f in findings if f["level"] != "ok"]
    told = " | ".join(describe(f) for f in bad) or "nothing amiss"
    demand(own, f"doctor: expected {row.id} ({row.level}), found {told}")
    matching = [f for f in own if all(re.search(s, f["says"]) for s in row.says)]
    demand(matching, f"doctor: expected words like {row.says}, found {describe(own[0])}")
    for finding in matching:
        demand("\n" not in finding["says"] + finding["remedy"], f"doctor: more than one line: {finding}")
        demand(re.search(row.remedy, finding["remedy"]),
               f"doctor: expected a remedy like {row.remedy!r}, found {describe(finding)}")
    others = [f for f in bad if f["level"] == "failure" and f["id"] not in (row.id, *row.also)]
    demand(not others, "doctor blames others, too: " + " | ".join(describe(f) for f in others))


# --- generate and serve


def judge_refusal(row, command, code, err, expected):
    lines = err.splitlines()
    demand(lines, f"{command}: exit {code} without a word")
    last = lines[-1]
    demand(last.startswith(f"octet: error: {row.id}: "),
           f"{command}: expected 'octet: error: {row.id}: ...' as its last line, found {err[-600:]!r}")
    demand(code == expected, f"{command}: expected exit {expected}, found {code}: {last}")
    for words in (*(row.refusal or row.says), row.remedy):
        demand(re.search(words, last), f"{command}: expected words like {words!r}, found {last!r}")


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def one_thread(row):
    """Tests run beside others."""
    return () if "--threads" in row.asks else ("--threads", "1")


def draw(room, program, row):
    before = files_in(room.work)
    output = () if "-o" in (*row.asks, *row.drawing) else ("-o", "out.png")
    code, out, err = end_of(start(room, program, "generate", "a red apple", "--steps", "1", "--seed", "1", "--quiet",
                                  *one_thread(row), *output, *row.asks, *row.drawing))
    if row.generate == WORKS:
        demand(code == 0, f"generate: expected a picture, found exit {code}: {err[-500:]!r}")
        demand("out.png" in files_in(room.work), "generate: exit 0, but no picture")
        return
    judge_refusal(row, "generate", code, err, row.generate)
    demand(err.count("\n") == 1, f"generate: expected one line, found {err[-800:]!r}")
    demand(out == "", f"generate: expected nothing on standard output, found {out[:200]!r}")
    demand(files_in(room.work) == before, f"generate: refused, but left {files_in(room.work)}")


def listening(process):
    """The server's address, read from its log."""
    said = []
    for line in process.stderr:
        said.append(line)
        match = re.search(r"listening on (http://\S+)", line)
        if match:
            return match[1]
    raise Wrong(f"serve: expected to listen, found {''.join(said)[-500:]!r}")


def await_ready(address):
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address + "/readyz", timeout=10) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
    raise Wrong(f"serve: not ready after {SECONDS} s")


def serve(room, program, row):
    listen = () if "--listen" in (*row.asks, *row.serving) else ("--listen", "127.0.0.1:0")
    process = start(room, program, "serve", *one_thread(row), *listen, *row.asks, *row.serving)
    if row.serve != WORKS:
        code, _, err = end_of(process)
        return judge_refusal(row, "serve", code, err, row.serve)
    try:
        await_ready(listening(process))
    except Wrong:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    process.send_signal(signal.SIGTERM)
    code, _, err = end_of(process)
    demand(code == 0, f"serve: expected exit 0 after SIGTERM, found {code}: {err[-500:]!r}")


def judge(room, program, row):
    examine(room, program, row)
    if row.generate == WORKS or isinstance(row.generate, int):
        draw(room, program, row)
    if row.serve == WORKS or isinstance(row.serve, int):
        serve(room, program, row)
