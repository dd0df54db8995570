"""Training text of the small tokenizers, and the prompts whose ids are recorded."""
import itertools

COLOURS = ["red", "blue", "green", "yellow", "purple", "orange", "white", "black"]
THINGS = ["apple", "cat", "rocket", "house", "teapot", "violin", "sunflower", "bicycle", "whale"]
PLACES = ["on a wooden table", "in the snow", "under the stars", "next to a river", "at the beach",
          "in front of a mountain", "inside a glass bottle"]
STYLES = ["a watercolour painting", "an old photograph", "a pencil drawing", "a pixel art icon",
          "a 3d render", "an oil painting", "a poster from the 1920s"]

STEMS = ["paint", "draw", "light", "bright", "cloud", "storm", "wood", "snow", "mountain",
         "garden", "sketch",
         "shadow", "colour", "glass", "silver", "gold", "dream", "soft", "deep", "wind", "rain",
         "fire"]
ENDINGS = ["", "s", "ing", "ed", "er", "ers", "ly", "y", "less", "ness"]

CORPUS = "\n".join(
    [f"{stem}{ending} {other}{ENDINGS[-n % 7]} and {stem}"
     for n, (stem, ending, other) in enumerate(itertools.product(STEMS, ENDINGS, STEMS[::5]))] +
    [f"{style} of a {colour} {thing} {place}." for style, (colour, thing), place in zip(
        itertools.cycle(STYLES), itertools.product(COLOURS, THINGS), itertools.cycle(PLACES))] +
    [f"The {thing}'s shadow isn't {colour}; we've seen {n} of them, they're lovely!"
     for n, (thing, colour) in enumerate(itertools.product(THINGS, COLOURS))] +
    ["Un café crème près de la fenêtre, déjà vu à Orléans.",
     "Ein schöner Frühling über den Dächern von Köln, groß und süß.",
     "El niño pequeño soñó con una piñata en el jardín.",
     "Ένα μικρό σπίτι δίπλα στη θάλασσα.", "Маленький дом у синего моря.",
     "海の上の赤い月。", "산 위의 작은 집", "一只红色的苹果在桌子上。", "İstanbul'da güzel bir akşam."] * 3)

CAPTIONS = [f"{style} of {a} {thing} {place}" for a, style, thing, place in zip(
    itertools.cycle(
        ["a red", "two blue", "the tiny green", "A Large", "three YELLOW", "an ornate"]),
    itertools.cycle(STYLES[::-1]), THINGS * 10, itertools.cycle(PLACES[::-1]))][:70]

PLAIN = [
    "", " ", "   ", "a", "A", " a", "a ", "  a  ", ".", "a red apple", "A RED APPLE",
    "a red  apple",
    "a red   apple   ", "   leading blanks", "trailing blanks   ", "tab\there", "new\nline",
    "carriage\r\nreturn", "\t", "\n\n", " \t\n\r ", "mixed \t blanks\n\nhere", "form\x0cfeed",
    "vertical\x0btab", "no-break\u00a0space", "\u00a0", "em\u2003space",
    "\u2003\u2003two em spaces",
    "ideographic\u3000space", "zero\u200bwidth", "\u200bstarts with zero width",
    "line\u2028separator",
    "next\u0085line", "thin\u2009space", "narrow\u202fspace", "ogham\u1680space",
    "word\u2060joiner",
    "\ufeffbyte order mark", "soft\u00adhyphen", "nul\x00byte", "bell\x07rings",
    "\x01control first",
    "delete\x7fme", "escape\x1b[0m",
]

PUNCTUATION = [
    "!", "!!", "!!!", "! !! !!!", "!a!", "wow!", "wow !", "a!b!c", "!!! !", "what?!",
    "hello, world.",
    "(parentheses)", "[brackets]", "{braces}", "a/b\\c", "semi;colon:", "\"quoted\"", "'single'",
    "``old quotes''", "dash - dash", "dash -- dash", "dash---dash", "em\u2014dash", "en\u2013dash",
    "ellipsis...", "ellipsis\u2026", "under_score", "a+b=c", "50%", "$5", "\u20ac10", "\u00a37",
    "#hashtag", "@name", "a&b", "a&amp;b", "<b>bold</b>", "~tilde~", "^caret^", "`code`", "|pipe|",
    "*star*", "(red:1.3)", "((nested))", "\\(literal\\)", "[alternating|words]", "a,b,,c,,,d",
    "....",
    "?!?!?!", "\u00bfqu\u00e9?", "\u00a1hola!", "\u201ccurly\u201d \u2018quotes\u2019",
    "\u00ab guillemets \u00bb",
    "http://example.org/a?b=c&d=e", "name@example.org", "C:\\path\\file.txt", ":-)", "<3", "->",
    "=>",
]

NUMBERS = [
    "0", "7", "10", "2024", "3.14", "1,000,000", "1 2 3", "007", "4k", "8k uhd", "35mm f/1.4",
    "1920s",
    "0x1F", "1e-5", "2nd place", "#1", "No. 5", "24/7", "\u00bd cup", "\u00b2 squared",
    "x\u00b2+y\u00b3", "\u2460\u2461",
    "\u2163 roman", "\u0663\u0664 arabic digits", "\u0967\u0968\u0969", "\u4e00\u4e8c\u4e09",
    "\uff11\uff12\uff13", "H\u2082O",
]

CONTRACTIONS = [
    "it's", "don't", "we're", "we've", "I'm", "she'll", "he'd", "IT'S", "DON'T", "WE'RE", "I'M",
    "SHE'LL",
    "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'sad", "'tis", "'really", "rock'n'roll",
    "o'clock",
    "''s", "'''", "!'s", "'s's", "a's b's", "cats' tails", "it\u2019s curly", "'l", "'v", "'r e",
    "y'all'd've",
    "l'homme", "\u017f'\u017f", "'\u017f",
]

ACCENTS = [
    "caf\u00e9", "cafe\u0301", "CAF\u00c9", "na\u00efve", "nai\u0308ve", "\u00c5ngstr\u00f6m",
    "A\u030angstro\u0308m",
    "\u212b", "\u1ebf", "e\u0302\u0301", "\u00ea\u0301", "e\u0301\u0302", "x\u0302",
    "x\u0301\u0302\u0303", "q\u0323\u0307", "q\u0307\u0323",
    "\u0301starts combining", "a \u0301 b", "\u1e9b\u0323", "\u01c4", "\u01c5", "\u01c6",
    "\ufb01nd", "\ufb03", "\ufb01\u0301",
    "\u0130stanbul", "ISTANBUL", "\u0131", "I\u0307", "i\u0307", "\u0130\u0130", "stra\u00dfe",
    "STRASSE", "\u1e9e",
    "\u03a3", "\u03c3", "\u03c2", "\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2",
    "\u039f\u03a3 \u039f\u03a3", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "\u0386\u03bb\u03c6\u03b1", "\u1f80", "\u1fb3", "\u1f88", "\u2126", "\u212a", "\u2160",
    "\u24b6", "\u24d0", "\u04c0",
    "\u10a0", "\u13a0", "\u0410\u0411\u0412", "\u0439", "\u0438\u0306", "\u0451",
    "Th\u1ecbt b\u00f2 kho",
    "\u0915\u094d\u0937", "\u0958", "\u0915\u093c", "\u09cb", "\u09c7\u09be", "\u0b94",
    "\u0e01\u0e33", "\u0f43", "\u2adc",
    "\u05e9\u05c1\u05dc\u05d5\u05dd", "\ufb2a", "\u0645\u0631\u062d\u0628\u0627", "\u0600\u0661",
    "\ufefb", "\u0622", "\u0627\u0653",
    "\u2122", "\u00a8", "\u00af\u00b4", "\u2025", "\u3392", "\u33a5", "\ufdfa", "\u2100",
]

SCRIPTS = [
    "\u6771\u4eac\u30bf\u30ef\u30fc", "\u8d64\u3044\u6708\u304c\u6d77\u306e\u4e0a\u306b",
    "\u4e00\u53ea\u732b", "\u4e2d\u6587 mixed with English",
    "\u534a\u89d2\uff76\uff9e", "\u30ac", "\u30ab\u3099", "\uff21\uff22\uff23", "\uff01\uff1f",
    "\u3001\u3002\u300c\u300d",
    "\ud55c\uad6d\uc5b4 \ubb38\uc7a5", "\u1112\u1161\u11ab", "\u1100\u1161", "\uac00\u11a8",
    "\u1100\u1161\u11a8", "\u314e\u314f\u3134",
    "\u041c\u0430\u043b\u0435\u043d\u044c\u043a\u0438\u0439 \u0434\u043e\u043c",
    "\u0395\u03bb\u03bb\u03ac\u03b4\u03b1", "\u05d1\u05d9\u05ea", "\u0e1a\u0e49\u0e32\u0e19",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "\u10e1\u10d0\u10e5\u10d0\u10e0\u10d7\u10d5\u10d4\u10da\u10dd",
    "\u12a2\u1275\u12ee\u1335\u12eb", "\U00020000\U0002a6d6",
    "\uf900", "\U0002f800", "\U0001d400\U0001d7ce", "\U00010400", "\U0001e900", "\ufffd",
    "\ue000", "\U0010fffd",
]

EMOJI = [
    "\U0001f600", "\U0001f34e on a table", "\u2764\ufe0f", "\u2764",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea",
    "\U0001f1e9\U0001f1ea\U0001f1eb", "1\ufe0f\u20e3", "#\ufe0f\u20e3", "\u00a9\u200d\u00ae",
    "\u00a9\ufe0f", "\u2122\ufe0f", "\u2139\ufe0f", "\U0001f3f4\U000e0067\U000e007f",
    "a\U0001f600b", "\U0001f600\U0001f600\U0001f600", "fun \U0001f389!!", "\u200d", "a\u200db",
    "\ufe0f",
]

SPECIALS = [
    "<|startoftext|>", "<|endoftext|>", "a <|endoftext|> b", "a<|startoftext|>b",
    "<|STARTOFTEXT|>",
    "<|endoftext|><|endoftext|>", "<|endoftext|", "<|endof text|>", "!<|endoftext|>!",
    "<|endoftext|>'s",
    "</s>", "a </s> b", "a</s>b", "<pad>", "<unk>", "<extra_id_0>", "<extra_id_99>",
    "a <extra_id_1> b",
    "<extra_id_100>", "<extra_id_1", "<extra_id_1><extra_id_2>", "</s></s>", " </s> ",
    "  a  </s>  b  ",
    "</s> a", "</S>", "\u2581", "\u2581a", "a\u2581b", "a \u2581 b", "\u2581\u2581", "a</w>",
    "</w>", "\u0120", "\u0120a", "\u2581</s>\u2581",
    "a <left> b", "a   <left>b", "a<right>   b", "<right>  ", "<Norm>", "<norm>", "a <Norm> b",
    "<whole>", "a<whole>",
    "a <whole> b", "<whole><whole>", "x<whole> <whole>y", "<left><right>", "  <left>  <right>  ",
    "e\u0301<Norm>e\u0301",
    "-<whole>-", "\u2026<whole>", "_<whole>",
]

LONG = [
    ("a red apple on a blue background, ", 20), ("x", 700), ("!", 150), (" ", 500),
    ("\u4e00", 100), ("e\u0301", 120),
    ("\U0001f600", 60), ("0123456789", 15), ("it's ", 60), ("apple", 150), ("\u0301", 90),
    ("a\u0323\u0301", 60),
    ("-", 130), ("<extra_id_3>", 60), ("\ufb01", 100), ("\n", 300),
]

PROMPTS = (CAPTIONS + PLAIN + PUNCTUATION + NUMBERS + CONTRACTIONS + ACCENTS + SCRIPTS + EMOJI +
           SPECIALS + LONG)
