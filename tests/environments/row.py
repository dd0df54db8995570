"""One row of the table of broken environments."""
import dataclasses
from typing import Callable

WORKS = "works"  # instead of an exit code: the command does its work all the same


@dataclasses.dataclass(frozen=True)
class Row:
    """What is broken, how, and what the program has to say of it.

    `generate` and `serve` are exit codes, WORKS, or a sentence that says why the row does not concern them.
    `says` and `remedy` are regular expressions: doctor's finding must match all of `says` (what was found,
    what was expected), its remedy `remedy`; refusals of generate and serve must match both as well.
    """
    name: str
    id: str  # doctor's
    level: str  # "failure", "warning", "ok"
    broken: str  # a sentence for docs/environments.md
    how: str  # what the test really does, for the same
    build: Callable  # of a Room: breaks it
    says: tuple
    remedy: str
    generate: object
    serve: object
    asks: tuple = ()  # flags of doctor, generate and serve
    also: tuple = ()  # ids of further findings that the same breakage causes
    doctor: tuple = ()  # flags of doctor alone: what it cannot know otherwise
    refusal: tuple = ()  # what generate and serve say, where it differs from doctor's words
    drawing: tuple = ()  # flags of generate alone
    serving: tuple = ()  # flags of serve alone
