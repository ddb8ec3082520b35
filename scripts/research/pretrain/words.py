"""The words that stand on pages: labels are drawn from these lists, in several cases, or are strings of letters and
digits.
"""

import random

INTERFACE = """ok cancel yes no save send open edit next back help home mail news play stop submit reset
delete remove add close apply accept decline reject confirm continue finish done search find filter sort view
show hide more less print share copy paste cut undo redo upload download import export login logout register
profile account settings options tools menu file about contact support privacy terms start pause resume skip
retry refresh reload update upgrade install preview publish archive restore rename move select clear new
create join leave follow like reply forward draft inbox sent spam trash folder calendar notes photos music
video camera phone message chat alert status report history details summary general advanced security network
display sound language region keyboard mouse battery storage backup password username email address city state
country zip name title subject date time price total amount size color quantity order cart checkout payment
shipping coupon gift rating review comment""".split()
LATIN = """lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et
dolore magna aliqua enim minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat
duis aute irure in reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur excepteur sint occaecat
cupidatat non proident sunt culpa qui officia deserunt mollit anim id est laborum""".split()
NAMES = """anna ben carla david emma frank grace henry iris jack karen liam maria nina oscar paula quinn rosa sam
tina ursula victor wendy xavier yara zoe adam bella chris diana eric fiona george hannah ivan julia kevin laura mark
nora olga peter rachel simon tom uma vera walter alice bob""".split()
COUNTRIES = """albania austria belgium brazil canada chile china cuba denmark egypt estonia finland france germany
ghana greece haiti iceland india ireland italy japan jordan kenya latvia malta mexico nepal norway oman panama peru
poland qatar romania serbia spain sweden turkey uganda vietnam yemen zambia""".split()
THINGS = """apple bread chair door engine flower garden hammer island jacket kettle ladder mirror needle orange
pencil queen river shadow table umbrella valley window yard zebra anchor bridge candle desert eagle forest guitar
harbor insect jungle kitchen lemon mountain night ocean piano quiet rabbit silver tiger uncle village water yellow
zone book cloud dance earth fire gold horse ice joke king lamp moon nest oil paper rain salt tree unit voice wind box
bear bird boat cake card cat coin corn desk dog drum egg fish flag fork frog gate glass hat hill iron jar key kite
leaf lion map milk nail net nut owl pan pear pin pipe plum pot ring road rock roof rope rose sand seed ship shoe snow
soap sock star stone sun swan tent toy vase wall wolf wood wool worm""".split()
COLORS = {
    "red": "#e02020",
    "orange": "#f58a00",
    "yellow": "#f2d600",
    "green": "#109a20",
    "blue": "#1a50e0",
    "purple": "#8020b0",
    "pink": "#f56ab0",
    "brown": "#8a5020",
    "gray": "#8a8a8a",
    "black": "#101010",
    "teal": "#08a0a0",
}
SHAPES = ["square", "circle", "triangle"]
ICONS = {
    "close": "\u2716",
    "star": "\u2605",
    "heart": "\u2665",
    "phone": "\u260e",
    "mail": "\u2709",
    "pencil": "\u270e",
    "gear": "\u2699",
    "menu": "\u2630",
    "music": "\u266b",
    "check": "\u2714",
    "flag": "\u2691",
    "sun": "\u2600",
    "umbrella": "\u2602",
    "scissors": "\u2702",
    "cloud": "\u2601",
    "home": "\u2302",
}
KINDS = [
    "button",
    "link",
    "checkbox",
    "radio button",
    "field",
    "tab",
    "dropdown",
    "icon",
    "shape",
    "text",
    "badge",
    "toggle",
]
ALL = list(dict.fromkeys(INTERFACE + LATIN + NAMES + COUNTRIES + THINGS))
# What most labels are drawn from: few enough that an hour on a processor teaches to read them.
COMMON = """ok okay yes no cancel submit next previous back save send open close search help home mail play stop
delete reset add edit news menu login logout share print accept one two three""".split()
LISTS = [COMMON, COMMON, LATIN]


def string(rng: random.Random) -> str:
    """Letters and digits that are no word."""
    alphabet = rng.choice(
        ["abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "0123456789"]
    )
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(2, 7)))


def cased(rng: random.Random, word: str) -> str:
    kind = rng.random()
    return word if kind < 0.45 else word.capitalize() if kind < 0.92 else word.upper()


def label(rng: random.Random, words: list) -> str:
    """A word of the list, now and then two of them or a string."""
    kind = rng.random()
    if kind < 0.04:
        return string(rng)
    first = cased(rng, rng.choice(words))
    return first if kind < 0.94 else first + " " + cased(rng, rng.choice(words))
