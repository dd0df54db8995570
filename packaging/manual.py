#!/usr/bin/env python3
"""Writes man pages and completions for bash, zsh and fish from what the program says about itself:
manual.py OCTET FOLDER. The source is --help, which the program makes from its tables of flags."""
import dataclasses
import pathlib
import re
import subprocess
import sys

FLAG = re.compile(r"  (?:(-\w), )?(--[a-z0-9][a-z0-9-]*)(?: (\S+))?(?:  +(.*))?$")
CHOICES = re.compile(r": ((?:[\w.-]+, )+[\w.-]+)(?: \(default|$)")


@dataclasses.dataclass
class Flag:
    name: str
    letter: str
    value: str  # placeholder; empty for switches
    help: str
    group: str

    def choices(self):
        match = CHOICES.search(self.help)
        return match[1].split(", ") if match and self.value else []

    def takes_file(self):
        return any(word in self.value for word in ("FILE", "PATH", "FOLDER"))


@dataclasses.dataclass
class Command:
    name: str
    summary: str
    usage: list
    prose: list  # lines between usage and the first flag, and behind the last one
    flags: list
    after: list


def parse_flags(lines):
    """(flags, index of the line behind them); `lines` begin with the heading of a group."""
    flags, group, at = [], "", 0
    while at < len(lines):
        line = lines[at]
        match = FLAG.match(line)
        if re.match(r"\S.*:$", line) and at + 1 < len(lines) and FLAG.match(lines[at + 1]):
            group = line[:-1]
        elif match:
            flags.append(Flag(match[2], match[1] or "", match[3] or "", match[4] or "", group))
        elif line.startswith(" " * 20) and flags:
            flags[-1].help = f"{flags[-1].help} {line.strip()}".strip()
        elif line:
            break
        at += 1
    return flags, at


def parse(text):
    lines = text.rstrip("\n").split("\n")
    name, _, summary = lines[0].partition(": ")
    start = next(i for i, line in enumerate(lines) if line.startswith("Usage: "))
    end = start
    while end < len(lines) and lines[end]:
        end += 1
    usage = [line[7:].strip() for line in lines[start:end]]
    first = next((i for i in range(end, len(lines) - 1)
                  if re.match(r"\S.*:$", lines[i]) and FLAG.match(lines[i + 1])), len(lines))
    flags, used = parse_flags(lines[first:])
    return Command(name, summary, usage, lines[end:first], flags, lines[first + used:])


def ask(program, *words):
    return subprocess.run([program, *words, "--help"], check=True, capture_output=True,
                          text=True).stdout


def commands(program):
    """The program itself and its commands, in the order of its help."""
    text = ask(program)
    names = re.findall(r"^  ([a-z][a-z-]*) +\S", text[text.index("\nCommands:"):], re.MULTILINE)
    return text, [parse(ask(program, name)) for name in names]


# ------------------------------------------------------------------------------------- man pages

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def roff_prose(lines):
    """Paragraphs are filled; lines that are indented stay as they are."""
    out, verbatim = [], False
    for line in lines:
        indented = line.startswith("  ")
        if line and indented != verbatim:
            out.append(".nf" if indented else ".fi")
            verbatim = indented
        out.append(roff(line) if line else ".PP")
    while out and out[-1] == ".PP":
        out.pop()
    return out + ([".fi"] if verbatim else [])


def man_page(command, version, others):
    title = command.name.replace(" ", "-")
    out = [f'.TH {roff(title.upper())} 1 "" "Octet {version}" "Octet"', ".SH NAME",
           f"{roff(title)} \\- {roff(command.summary)}", ".SH SYNOPSIS", ".nf"]
    out += [f".B {roff(line)}" for line in command.usage] + [".fi", ".SH DESCRIPTION"]
    out += roff_prose([line for line in command.prose]) or [roff(command.summary) + "."]
    group = None
    if command.flags:
        out.append(".SH OPTIONS")
    for flag in command.flags:
        if flag.group != group:
            group = flag.group
            out.append(f".SS {roff(group)}")
        names = ", ".join(f"\\fB{roff(name)}\\fR" for name in (flag.letter, flag.name) if name)
        out += [".TP", names + (f" \\fI{roff(flag.value)}\\fR" if flag.value else ""),
                roff(flag.help)]
    if any(command.after):
        out += [".SH NOTES", *roff_prose(command.after)]
    pages = ", ".join(f"\\fB{roff(name)}\\fR(1)" for name in others if name != title)
    return "\n".join(out + [".SH SEE ALSO", pages]) + "\n"


# ----------------------------------------------------------------------------------- completions

def bash(parsed):
    cases, values = [], {}
    for command in parsed:
        word = command.name.split()[1]
        flags = " ".join(flag.name for flag in command.flags)
        cases.append(f"    {word}) flags='{flags} --help' ;;")
        for flag in command.flags:
            if flag.choices():
                values[f"{word}:{flag.name}"] = " ".join(flag.choices())
    choice = "\n".join(f"    {key}) COMPREPLY=($(compgen -W '{words}' -- \"$word\")); return ;;"
                       for key, words in values.items())
    words = " ".join(command.name.split()[1] for command in parsed)
    newline = "\n"
    return f"""# bash completion for octet
_octet() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} flags=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{words} --help --version' -- "$word"))
    return
  fi
  case ${{COMP_WORDS[1]}}:$before in
{choice}
  esac
  case ${{COMP_WORDS[1]}} in
{newline.join(cases)}
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
  esac
}}
complete -F _octet octet
"""


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_flag(flag):
    text = re.sub(r"([\[\]:])", r"\\\1", flag.help)
    spec = f"{flag.name}[{text}]"
    if flag.choices():
        spec += f":value:({' '.join(flag.choices())})"
    elif flag.takes_file():
        spec += ":file:_files"
    elif flag.value:
        spec += ":value: "
    return "      " + quoted(spec)


def zsh(parsed):
    rows = "\n".join("    " + quoted(f"{c.name.split()[1]}:{c.summary.replace(':', ' ')}")
                     for c in parsed)
    cases = []
    for command in parsed:
        flags = " \\\n".join([*map(zsh_flag, command.flags), "      '--help[explain the command]'",
                              "      '*:file:_files'"])
        cases.append(f"    {command.name.split()[1]}) _arguments \\\n{flags} ;;")
    newline = "\n"
    return f"""#compdef octet
_octet() {{
  local -a commands
  commands=(
{rows}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
{newline.join(cases)}
  esac
}}
_octet "$@"
"""


def fish(parsed):
    out = ["# fish completion for octet"]
    names = " ".join(command.name.split()[1] for command in parsed)
    for command in parsed:
        word = command.name.split()[1]
        out.append(f"complete -c octet -n 'not __fish_seen_subcommand_from {names}' -f "
                   f"-a {word} -d {fish_quoted(command.summary)}")
        for flag in command.flags:
            row = f"complete -c octet -n '__fish_seen_subcommand_from {word}' -l {flag.name[2:]}"
            row += f" -s {flag.letter[1:]}" if flag.letter else ""
            row += " -r" if flag.value else ""
            row += f" -f -a '{' '.join(flag.choices())}'" if flag.choices() else ""
            out.append(f"{row} -d {fish_quoted(flag.help)}")
    return "\n".join(out) + "\n"


def fish_quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    overview, parsed = commands(program)
    version = subprocess.run([program, "--version"], check=True, capture_output=True,
                             text=True).stdout.split()[1]
    top = parse(overview)
    others = ["octet", *(command.name.replace(" ", "-") for command in parsed)]
    files = {f"man/man1/{command.name.replace(' ', '-')}.1": man_page(command, version, others)
             for command in (top, *parsed)}
    files["bash-completion/completions/octet"] = bash(parsed)
    files["zsh/site-functions/_octet"] = zsh(parsed)
    files["fish/vendor_completions.d/octet.fish"] = fish(parsed)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
