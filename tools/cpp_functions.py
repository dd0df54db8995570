"""Finds the functions of a C++ source file by its brackets, without a compiler.

Good enough to measure clang-formatted code: it knows comments, literals, preprocessor lines,
member initialiser lists, lambdas at namespace scope and macros that look like functions (TEST).
Lambdas inside a function count as part of it.
"""
import re
from dataclasses import dataclass

_NOISE = re.compile(
    r"""(?P<raw>R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)")"""
    r"|(?P<line>//(?:[^\n\\]|\\.)*)"
    r"|(?P<block>/\*.*?\*/)"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<digits>(?<=[0-9a-fA-F])'(?=[0-9a-fA-F]))"
    r"|(?P<char>'(?:[^'\\\n]|\\.)+')"
    r"|(?P<preprocessor>^[ \t]*\#(?:[^\n\\]|\\.)*)",
    re.DOTALL | re.MULTILINE)

# Parenthesised words that are not a parameter list.
_NOT_PARAMETERS = re.compile(
    r"\b(__attribute__|alignas|noexcept|decltype|requires|explicit|sizeof|__launch_bounds__)"
    r"\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
    r"|\[\[(?:[^\[\]]|\[[^\]]*\])*\]\]")
_TYPE = re.compile(r"^(template\s*<.*>\s*)?(typedef\s+)?(class|struct|union|enum)\b", re.DOTALL)
_LAMBDA = re.compile(r"=\s*\[[^\]]*\]\s*\(")
_INITIALISER_LIST = re.compile(r"\)\s*(noexcept\s*)?:(?!:)")
_OPERATOR = re.compile(r"operator\s*(\(\s*\)|[^\s\w(]+|\w+)")


@dataclass
class Function:
    name: str
    line: int  # first line of its signature, counted from 1
    lines: int  # from there to the closing bracket
    parameters: int


def strip_noise(text):
    """Blanks comments, literals and preprocessor lines; offsets and line numbers stay."""
    return _NOISE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def _top_level_parts(text, separators):
    """Splits at separators that stand outside every bracket, template brackets included."""
    parts, depth, begin = [], 0, 0
    for i, c in enumerate(text):
        if c in "([{<":
            depth += 1
        elif c in ")]}" or (c == ">" and (i == 0 or text[i - 1] != "-")):
            depth -= 1
        elif c in separators and depth <= 0:
            parts.append(text[begin:i])
            begin = i + 1
    return parts + [text[begin:]]


def _signature(header):
    """(name, parameters) of a function header."""
    header = _NOT_PARAMETERS.sub(" ", header)
    operator = _OPERATOR.search(header)
    begin = header.find("(", operator.end() if operator else 0)
    if operator and begin < 0:
        begin = header.find("(")
    depth, end = 0, begin
    for end in range(begin, len(header)):
        depth += {"(": 1, ")": -1}.get(header[end], 0)
        if depth == 0:
            break
    words = header[:begin].split()
    inside = header[begin + 1:end].strip()
    count = 0 if inside in ("", "void") else len(_top_level_parts(inside, ","))
    return (words[-1].lstrip("*&") if words else "?"), count


def _kind(header, scope):
    """What an opening bracket after `header` begins."""
    if scope in ("function", "block", "value"):
        return "block" if scope != "value" else "value"
    flat = _NOT_PARAMETERS.sub(" ", header).strip()
    if not flat or re.match(r"^(inline\s+)?namespace\b|^extern\b\s*$", flat):
        return "namespace"
    if _LAMBDA.search(flat):
        return "function"
    if _TYPE.match(flat) and not re.search(r"\)\s*(const|noexcept|override|final)?\s*$", flat):
        return "type"
    bare = _OPERATOR.sub("operator", flat)
    if len(_top_level_parts(re.sub(r"[=!<>]=", "  ", bare), "=")) > 1:
        return "value"
    if ")" not in flat:
        return "value"
    if _INITIALISER_LIST.search(flat) and re.search(r"[\w>]\s*$", flat):
        return "member"  # a_{1} in a constructor's initialiser list
    return "function"


def functions(text):
    """The functions defined in a source text, in order of their ends."""
    clean = strip_noise(text)
    found, stack, begin = [], [], 0  # stack of (kind, header, offset of header)
    parens = 0
    for i, c in enumerate(clean):
        if c in "()":
            parens += 1 if c == "(" else -1
        elif c == "{":
            header = re.sub(r"\b(public|private|protected)\s*:(?!:)",
                            lambda m: " " * len(m.group(0)), clean[begin:i])
            scope = stack[-1][0] if stack else "namespace"
            kind = "value" if parens > 0 and scope in ("namespace", "type") else _kind(header,
                                                                                      scope)
            stack.append((kind, header, begin + len(header) - len(header.lstrip())))
            if kind not in ("member", "value"):
                begin = i + 1
        elif c == "}":
            if not stack:
                continue
            kind, header, start = stack.pop()
            if kind == "function":
                name, parameters = _signature(header)
                first = clean.count("\n", 0, start) + 1
                found.append(Function(name, first, clean.count("\n", 0, i) + 2 - first,
                                      parameters))
            if kind not in ("member", "value"):
                begin = i + 1
        elif c == ";" and parens == 0 and (not stack or stack[-1][0] != "value"):
            begin = i + 1
    return found
