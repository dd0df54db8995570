"""Scenes and the English captions that describe them.

A scene says what is drawn where; caption() words it in one of many ways. The phrasings in
HELD_OUT and HELD_OUT_PAIR are never used for training: the quality test asks for them.
"""

import random
import re
from dataclasses import dataclass, field

import glyphs

COLOURS = {
    "white": (255, 255, 255), "black": (16, 16, 18), "red": (214, 40, 40), "green": (46, 140, 60),
    "blue": (36, 92, 214), "yellow": (250, 216, 60), "orange": (245, 134, 30),
    "purple": (126, 60, 176), "pink": (250, 160, 196), "brown": (124, 80, 50),
    "gray": (136, 138, 142), "light blue": (160, 208, 248), "dark blue": (20, 36, 110),
    "light green": (172, 232, 160), "dark green": (16, 70, 36), "light gray": (212, 214, 218),
    "cyan": (60, 208, 220), "teal": (22, 128, 128), "beige": (240, 226, 196),
    "lavender": (206, 190, 246), "gold": (218, 170, 40), "maroon": (112, 20, 36),
}
SPELLINGS = {
    "gray": ("gray", "grey"), "light gray": ("light gray", "light grey", "pale gray"),
    "light blue": ("light blue", "pale blue", "sky blue"), "dark blue": ("dark blue", "navy"),
    "light green": ("light green", "pale green"), "cyan": ("cyan", "turquoise"),
    "maroon": ("maroon", "dark red"), "beige": ("beige", "cream"),
}
SIZES = {  # word class -> words, side of the glyph canvas as a part of the picture's side
    "": ((), (0.80, 0.90)),
    "small": (("small", "tiny", "little"), (0.34, 0.42)),
    "medium": (("medium-sized", "medium"), (0.56, 0.64)),
    "large": (("large", "big", "huge"), (1.0, 1.1)),
}
RELATIONS = {  # where a and b go: centres (x, y) as parts of the side
    "beside": ((0.26, 0.5), (0.74, 0.5)),
    "above": ((0.5, 0.26), (0.5, 0.74)),
}
GRIDS = {
    2: ((0.26, 0.5), (0.74, 0.5)),
    3: ((0.5, 0.26), (0.26, 0.74), (0.74, 0.74)),
    4: ((0.26, 0.26), (0.74, 0.26), (0.26, 0.74), (0.74, 0.74)),
}
HALF = (0.48, 0.54)  # canvas side of an object that shares the picture
COUNT_WORDS = {2: ("two", "2", "a pair of"), 3: ("three", "3"), 4: ("four", "4")}

SINGLE = (
    ("{x}", 8), ("{x} {bg}", 14), ("{x}, {bg}", 2), ("{x} {bg}", 10), ("a picture of {x} {bg}", 3),
    ("an image of {x} {bg}", 2), ("a drawing of {x} {bg}", 2), ("an icon of {x} {bg}", 1),
    ("a photo of {x} {bg}", 1), ("a cartoon of {x} {bg}", 1), ("an emoji of {x} {bg}", 1),
    ("{n} emoji {bg}", 2), ("the {n} emoji {bg}", 1), ("emoji: {n}", 1), ("draw {x} {bg}", 2),
    ("please draw {x} {bg}", 1), ("show {x} {bg}", 1), ("show me {x} {bg}", 1),
    ("there is {x} {bg}", 1), ("here is {x} {bg}", 1), ("this is {x} {bg}", 1),
    ("I want {x} {bg}", 1), ("I would like {x} {bg}", 1), ("can you draw {x} {bg}?", 1),
    ("let me see {x} {bg}", 1), ("make {x} {bg}", 1), ("make a picture of {x} {bg}", 1),
    ("look at {x} {bg}", 1), ("just {x} {bg}", 1), ("{x} alone {bg}", 1),
    ("{x} in the middle {bg}", 1), ("{x} in the center, {bg}", 1), ("one {n} {bg}", 1),
    ("a single {n} {bg}", 1), ("simple illustration, {x} {bg}", 1), ("a colorful {n} {bg}", 1),
    ("a cute {n} {bg}", 1), ("{on}, {x}", 2), ("{c} background with {x}", 1),
    ("a {c} picture with {x}", 1), ("{x} drawn in the middle {bg}", 1), ("icon for {n} {bg}", 1),
)
PAIR = {
    "beside": (
        ("{a} on the left and {b} on the right {bg}", 6), ("{a} to the left of {b} {bg}", 4),
        ("{b} to the right of {a} {bg}", 4), ("{a} left of {b} {bg}", 1),
        ("{b} right of {a} {bg}", 1), ("{a} and {b} side by side {bg}", 1),
        ("on the left {a}, on the right {b} {bg}", 1), ("{a} next to {b} {bg}", 1),
        ("{a} and {b} {bg}", 1), ("left: {a}, right: {b} {bg}", 1),
        ("{b} on the right and {a} on the left {bg}", 1),
        ("a picture of {a} to the left of {b} {bg}", 1), ("{a} on the left, {b} on the right", 2),
    ),
    "above": (
        ("{a} above {b} {bg}", 4), ("{b} below {a} {bg}", 4), ("{a} over {b} {bg}", 1),
        ("{b} under {a} {bg}", 1), ("{a} on top of {b} {bg}", 1),
        ("{a} at the top and {b} at the bottom {bg}", 3),
        ("at the top {a}, at the bottom {b} {bg}", 1), ("a picture of {a} above {b} {bg}", 1),
    ),
}
MANY = (("{m} {bg}", 6), ("{m}, {bg}", 1), ("a picture of {m} {bg}", 1), ("draw {m} {bg}", 1),
        ("there are {m} {bg}", 1))
BACKGROUND = (("on a {c} background", 8), ("on {c}", 1), ("against a {c} background", 1),
              ("with a {c} background", 2), ("in front of a {c} background", 1))

HELD_OUT = (
    "I would like to see {x} {bg}", "an illustration of {x} {bg}", "{on} there is {x}",
    "please show me an icon of {x} {bg}", "make me a drawing with {x} {bg}",
    "look, {x} {bg}", "this is a simple picture of {x} {bg}", "can you show {x} {bg}?",
)
HELD_OUT_PAIR = ("there is {a} on the left and there is {b} on the right {bg}",)


@dataclass
class Scene:
    """kind: single, beside, above or many; objects: (glyph index, x, y, canvas side)."""

    kind: str
    objects: list = field(default_factory=list)
    colour: str = "white"
    size: str = ""
    rgb: tuple = (255, 255, 255)


def pick(rng, weighted):
    return rng.choices([t for t, _ in weighted], [w for _, w in weighted])[0]


def article(words):
    return "an" if re.match(r"[aeiou]", words, re.I) else "a"


def plural(words):
    """Plural of the head noun: "red apple" -> "red apples", "piece of x" -> "pieces of x"."""
    head = re.match(r"(.*?)( (?:of|with|on|in|and|without|over|to|from)\b.*|)$", words)
    noun, rest = head.group(1), head.group(2)
    if noun.endswith(("s", ")", '"')):
        return words
    if noun.endswith(("ch", "sh", "x", "z")):
        return noun + "es" + rest
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies" + rest
    return noun + "s" + rest


class Writer:
    """Draws scenes and words them. Owns its random generator, so it is not thread-safe."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        rows = glyphs.read_list()
        self.names = [name for _, name, _ in rows]
        uses = {}
        for _, name, keys in rows:
            for key in {k.lower() for k in keys}:
                uses[key] = uses.get(key, 0) + 1
        taken = {name.lower() for name in self.names}
        self.keys = [[k for k in keys if k.isascii() and uses[k.lower()] == 1
                      and k.lower() not in taken]
                     for _, _, keys in rows]
        self.deck = []

    def glyph(self):
        """Every glyph equally often: cards from a shuffled deck."""
        if not self.deck:
            self.deck = list(range(len(self.names)))
            self.rng.shuffle(self.deck)
        return self.deck.pop()

    def scene(self, single=0.70, pair=0.25):
        rng, draw = self.rng, self.rng.random()
        scene = Scene("single")
        if rng.random() > 0.5:
            scene.colour = rng.choice(list(COLOURS))
        near = 0.012
        jitter = lambda: rng.uniform(-near, near)
        if draw < single:
            if rng.random() < 0.15:
                scene.size = rng.choice(list(SIZES))
            side = rng.uniform(*SIZES[scene.size][1])
            scene.objects = [(self.glyph(), 0.5 + jitter(), 0.5 + jitter(), side)]
        elif draw < single + pair:
            scene.kind = rng.choices(["beside", "above"], [3, 2])[0]
            for x, y in RELATIONS[scene.kind]:
                scene.objects.append((self.glyph(), x + jitter(), y + jitter(),
                                      rng.uniform(*HALF)))
        else:
            scene.kind = "many"
            places, which, side = GRIDS[rng.choice([2, 3, 4])], self.glyph(), rng.uniform(*HALF)
            scene.objects = [(which, x + jitter(), y + jitter(), side) for x, y in places]
        wobble = 0 if scene.colour == "white" else 6
        scene.rgb = tuple(min(255, max(0, v + rng.randint(-wobble, wobble)))
                          for v in COLOURS[scene.colour])
        return scene

    def noun(self, glyph, size="", exact=False):
        """The thing without an article: its exact name, or now and then a keyword."""
        rng, name = self.rng, self.names[glyph]
        if not exact:
            if self.keys[glyph] and rng.random() < 0.08:
                name = rng.choice(self.keys[glyph])
            if '"' in name and rng.random() < 0.5:
                name = name.replace('"', "")
            if rng.random() < 0.7:
                name = name.lower()
        return f"{rng.choice(SIZES[size][0])} {name}" if size else name

    def phrase(self, glyph, size="", exact=False):
        words = self.noun(glyph, size, exact)
        draw = 0.0 if exact else self.rng.random()
        if draw < 0.65:
            return f"{article(words)} {words}"
        return f"the {words}" if draw < 0.72 else words

    def background(self, colour, exact=False):
        word = colour if exact else self.rng.choice(SPELLINGS.get(colour, (colour,)))
        form = BACKGROUND[0][0] if exact else pick(self.rng, BACKGROUND)
        return form.replace("a {c}", f"{article(word)} {{c}}").format(c=word)

    def fill(self, form, scene, exact=False):
        """Puts the words of a scene into a form; a form without colour means white."""
        word = scene.colour if exact else self.rng.choice(
            SPELLINGS.get(scene.colour, (scene.colour,)))
        form = form.replace("a {c}", f"{article(word)} {{c}}")
        silent = scene.colour == "white" and not exact and self.rng.random() < 0.4
        slots = {"c": word, "on": f"on {article(word)} {word} background",
                 "bg": "" if silent else self.background(scene.colour, exact)}
        ids = [o[0] for o in scene.objects]
        if scene.kind == "single":
            slots["x"] = self.phrase(ids[0], scene.size, exact)
            slots["n"] = self.noun(ids[0], scene.size, exact)
        elif scene.kind == "many":
            many = self.rng.choice(COUNT_WORDS[len(ids)])
            slots["m"] = f"{many} {plural(self.noun(ids[0]))}"
        else:
            slots["a"], slots["b"] = (self.phrase(i, "", exact) for i in ids)
        text = re.sub(r"\s+", " ", form.format(**slots)).strip()
        return re.sub(r"\s*[,]?\s*(\??)$", r"\1", text)

    def caption(self, scene):
        """One training caption of a scene."""
        forms = {"single": SINGLE, "many": MANY}.get(scene.kind) or PAIR[scene.kind]
        form = pick(self.rng, forms)
        if scene.colour != "white":
            while not re.search(r"{(bg|on|c)}", form):
                form = pick(self.rng, forms)
        text = self.fill(form, scene)
        draw = self.rng.random()
        if draw < 0.10:
            text = text[:1].upper() + text[1:]
        if draw < 0.05 or draw > 0.97:
            text = text.rstrip("?") + "."
        return text


def exact_prompt(form, names, colour="white"):
    """A prompt of the quality test: exact names, a plain article, a named background."""
    scene = Scene("single" if len(names) == 1 else "beside", colour=colour)
    writer = Writer(0)
    scene.objects = [(writer.names.index(n), 0, 0, 0) for n in names]
    return writer.fill(form, scene, exact=True)


if __name__ == "__main__":
    show = Writer(1)
    for _ in range(30):
        s = show.scene()
        print(f"{s.kind:7}{s.colour:12}{show.caption(s)}")
    print(exact_prompt(HELD_OUT[2], ["red apple"]))
    print(exact_prompt(PAIR["beside"][0][0], ["red apple", "umbrella"]))
