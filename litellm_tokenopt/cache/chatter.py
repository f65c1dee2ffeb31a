"""Which clauses say nothing about who says them: those made of the words of talk alone.

Whatever else a user says may be a fact ("my hearing isn't great by the way lol"), however it's said: a word that isn't
known from talk makes a clause count. What talk is of (the weather, food, sleep) may matter to what is
talked about otherwise (tyres, a diet, a mattress), and then counts, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .lexicon import stem

Topic: TypeAlias = str


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _stems(words: str) -> frozenset[str]:
    return frozenset(map(stem, words.split()))


_TOPICS: Mapping[Topic, frozenset[str]] = {
    "weather": _words(
        "weather rain rains raining rainy drizzle drizzling pouring pour sun sunny sunshine sunset sunrise cloud "
        "cloudy fog foggy snow snowing snowy hail thunder storm stormy wind windy grey gloomy freezing cold hot warm "
        "boiling melting chilly heat sky cosy snug winter summer spring autumn rainbow outside brr"
    ),
    "food": _words(
        "coffee tea cuppa cup mug breakfast lunch dinner brunch snack chocolate cake biscuit cookie cookies sandwich "
        "pizza pancakes soup sushi curry wine beer drink eating ate hungry starving peckish delicious tasty yum "
        "yummy kettle caffeine"
    ),
    "sleep": _words("sleepy tired exhausted knackered shattered yawning slept sleep asleep"),
    "media": _words(
        "match game final goal score film movie song music radio concert show series episode joke jokes book team "
        "football cricket tennis playing plays watch watched watching singing humming hum dancing catchy favourite"
    ),
    "pets": _words("cat dog parrot barking barked purring"),
    "mood": _words(
        "excited exciting nervous anxious happy thrilled giddy sad grumpy bored boring stressed panicking freaking "
        "embarrassed embarrassing ashamed shame proud relieved relief worried overwhelmed butterflies mood grinning "
        "smiling laugh laughed laughing crying cried jealous calm calmer chuffed"
    ),
    "way": _words("bus train traffic commute jam"),
}  # fmt: skip
_TRIGGERS: Mapping[Topic, frozenset[str]] = {
    "weather": _stems(
        "tyre tire boiler heating heater radiator thermostat insulation window plant plants garden lawn grass seed "
        "seeds flower flowers tomato paint painting roof hike hiking trek trekking trail climb camp camping tent "
        "pack packing wear jacket coat boots shoes clothes outfit dress outdoor outdoors picnic bbq barbecue drive "
        "driving car bike cycling run running road route flight fly ski beach swim pool sail boat fishing trip "
        "travel holiday visit air conditioning fan coffee tea food wine cook recipe bath shower water blanket duvet "
        "solar leak damp laundry dry wash sunscreen skin cream"
    ),
    "food": _stems(
        "eat food cook cooking recipe dish meal menu restaurant cafe table dinner diet calories weight allergy "
        "allergic vegan bake oven grocery groceries kitchen bar pub pregnant tablet tablets pill pills medicine dose "
        "painkiller doctor surgery operation fasting blood teeth tooth dentist stain carpet party catering headache "
        "stomach"
    ),
    "sleep": _stems(
        "sleep mattress bed pillow bedroom medicine pill pills tablet tablets dose painkiller doctor drive driving "
        "headache vitamin vitamins hotel room caffeine coffee energy insomnia noise exercise training baby diet"
    ),
    "media": _stems(
        "music song film movie concert ticket tickets game match team read novel series stream streaming watch tv "
        "headphones speaker speakers guitar piano instrument play lesson lessons festival theatre gift sport"
    ),
    "pets": _stems(
        "pet pets cat dog plant plants flower flowers animal animals sofa couch carpet rug floor flooring fabric "
        "vacuum hoover cleaner allergy asthma sneeze rent tenancy landlord flat apartment lease insurance travel "
        "holiday hotel fence garden breed adopt puppy kitten vet poison toxic diffuser oil curtain curtains car"
    ),
    "mood": _stems(
        "anxiety stress depression therapy therapist counselling medicine pill pills tablet tablets doctor mood "
        "sleep meditation yoga invest risk blood heart speech exam"
    ),
    "way": _stems(
        "bus train travel trip route drive car bike commute ticket flight airport parking deliver delivery"
    ),
}  # fmt: skip
_TIMES = _words(
    "today tonight yesterday morning afternoon evening night day days week weeks weekend month months year years now "
    "monday mondays friday fridays last soon yet already moment"
)
_TALK = _words(
    "brb grown-up haha hahaha hehe heh lol lmao omg ha ah oh ooh aw aww ugh argh phew wow whoa yay hurray hooray "
    "yikes oops whoops ouch gosh gee blimey goodness heavens god sorry excuse forgive pardon apologies ignore me "
    "typing typo typos spelling autocorrect autocorrected autocorrecting keeps keep wrote doorbell rang ringing "
    "distracted thought rambling ramble ranting rant moaning moan complaining waffling chatting chat talk talking "
    "say saying ask asking questions silly stupid dumb daft funny hilarious crazy mad wild weird strange odd amazing "
    "awesome beautiful gorgeous lovely wonderful great nice brilliant fantastic fabulous super cool kind kinder "
    "nicer friendly helpful quick quicker easy easier simple painless smooth clever smart genius angel star legend "
    "hero lifesaver saint gem treasure terrible awful horrible horrendous dreadful miserable annoying frustrating "
    "boring dull grim nightmare disaster chaos grief hell pain mess what how so such really quite pretty totally "
    "absolutely completely literally honestly seriously obviously clearly maybe perhaps probably hopefully finally "
    "eventually again bit lot much most worst better ever thing things stuff life world people everybody everyone "
    "feel feeling felt feels look looking looks sound sounds seem seems hope hoping wish guess suppose reckon "
    "imagine believe know think thinking wonder love loving like hate enjoy enjoying deserve earned worth dreaming "
    "dream waiting counting long true fair enough indeed exactly agreed fine well good bad little happen happens "
    "happened lucky paperwork forms bills mondays drama fun fuss breath deep brace yourself ready anyway here there "
    "over up down spinning slow rubbish muddled confused surprised too saw friends mum mom dad sister brother boss "
    "colleague colleagues friend husband wife partner hubby nearly almost myself thanks thank cheers bless million "
    "loads many plenty got getting having been being does made make makes could should might must saying turned "
    "turning hammering stuck shopping impressed swear shouting hello far bananas hates loves says"
)
_GRAMMAR = _words(
    "i i'm i've i'd my mine we we're we've our us you you're you've your it it's that that's this these those the a "
    "an and but or so as than because is are am was were be been being have has had having do does did can could "
    "will would should to of in on at for with from by about just even all some any who what how why where he she "
    "he's she's they they're them him her up out off down there's here's let's what's who's"
)
_NEEDS = "coffee|tea|cuppa|drink|glass of wine|break|holiday|nap|chocolate|hug|lie-down"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_SAYINGS = re.compile(
    r"\b(?:"
    + "|".join(
        (
            r"(?:can't|cannot|couldn't|can hardly|can barely) "
            r"(?:wait(?! (?:that|so|too|much|any)\b)|believe|complain|stop|help)"
            r"(?: it| that| laughing| smiling)*|(?:can't|can hardly|can barely) think(?: straight)?",
            r"(?:haven't|have not|not) (?:even )?had (?:my|any|a) (?:first |second |morning )*"
            r"(?:coffee|tea|breakfast|lunch)(?: yet)?",
            r"(?:isn't|aren't|wasn't|weren't|doesn't|don't|didn't) (?:it|they|we|you|that|i)\??$|you know\?",
            r"(?:did not|didn't) sleep (?:\w+ ){0,2}(?:last night|well|much)|half asleep",
            r"slept (?:\w+ ){0,2}(?:badly|terribly|like a (?:log|baby))(?: last night)?",
            r"(?:what a|it's been a|it has been a|it's been one of those|one of those|long) "
            r"(?:long |crazy |mad |funny )?(?:day|week|morning|night|month)s?",
            rf"(?:happy|finally|at last|thank god it's|yay,?) (?:{_DAYS}|weekend)",
            rf"i (?:(?:really|so|badly|just) )*(?:need|could (?:really )?use|could do with|could murder) "
            rf"(?:an? |another |some |my )?(?:\w+ )?(?:{_NEEDS})(?: (?:now|right now|after this|badly))?",
            r"can't come soon enough|(?:that was|you're|you are) (?:so |really |very )?fast|let me tell you"
            r"|me too|time flies|going to be (?=so|such)",
            r"(?:i hope|hope) you(?:'re| are|'ve)? (?:had|have|having|enjoyed) an? (?:\w+ ){1,2}\w+$",
            r"by the way|no (?:rush|hurry|worries|problem|wonder)|not (?:at all|to worry)|right now|at last"
            r"|of course",
            r"(?:don't|do not) (?:worry|mention it|get me started|ask)|there are no silly questions",
            r"raining cats and dogs|fingers crossed|touch wood|live and learn|miles away|over the moon|up the wall",
            r"(?:get|got) (?:that|this|it) off my chest|(?:stuck|going round) in my head|my train of thought",
            r"(?:lose|forget) my head if it (?:wasn't|weren't) (?:screwed on|attached)|(?:went|gone) cold",
            r"my (?:brain|head) is (?:fried|mush|all over the place)|(?:i'm )?back now|i'm back|bear with me"
            r"|oh (?:man|boy)",
            r"walked over (?:my|the) keyboard|on (?:my|the) (?:lap|keyboard)|(?:just )?walked (?:in|past|by"
            r"|over)|act natural",
            r"hit (?:enter|send) too (?:early|soon)|what a (?:lovely |nice )?surprise|for being so patient|how sweet",
        )
    )
    + r")(?!\w)",
    re.IGNORECASE,
)
_ASKED_BACK = re.compile(
    r"(?:(?:did|have|do|don't|are|can) you (?:ever |also |even )*(?:see|seen|watch|watched|watching|hear|heard"
    r"|catch|feel|"
    r"like|love|hate|enjoy|sleep|dream|laugh|tired|bored|having a)\b(?!.*\b(?:i|my|me|we|our|us)\b).*"
    r"|(?:(?:and )?how(?:'s| is| was| are) (?:you|your (?:day|morning|week|weekend)|it going|things|life)\b.*)"
    r"|can you tell|(?:can|does|do|did|is|was|isn't|aren't|doesn't) (?:it|they|he|she|we|one)|right|really"
    r"|ready|(?:you )?know what"
    r"|what's (?:the weather like|your favourite \w+).*|.*\b(?:isn't|aren't|wasn't|doesn't|don't) (?:it|they|we))\?",
    re.IGNORECASE,
)
"""Questions that no answer is needed to."""
_THIRD = (
    "mum|mom|dad|sister|brother|husband|wife|partner|hubby|boss|colleagues?|friends?|son|daughter|kids?|baby|cat|dog|he|"
    "she|they|who|everybody|everyone"
)
_STATE = re.compile(r"\b(?:i|we)(?:'m|'re| am| are| was| were) (?:\w+ ){0,2}(?P<state>[a-z-]+)$")
_LAUGHS = re.compile(r"\W*\b(?:lol|haha\w*|ha|hehe|omg|x+)\W*$")
_COUNTS = re.compile(
    r"\d|\b(?:no|not|never|none|without|neither|nor|cannot|hardly|barely|only|except|instead|always|usually|often|"
    r"too(?! (?:hot|cold|much|funny|cute|tired))|also|else|anymore|every|these days|all (?:the time|night|week"
    r"|year)|for (?:days|weeks|months|years))\b|n't\b"
    r"|\bby (?!now\b|then\b|god\b|far\b|you\b|\w+ing\b)|\b(?:i|we) do (?:it|that|this|them|everything)\b"
    rf"|\b(?:{_THIRD}) (?:\w+ )?(?:loves?|hates?|likes?|enjoys?|wants?|needs?|prefers?|thinks?|says?|feels?)\b"
    r"|\b(?:it|they|these|those) (?:feel|look|sound|seem|smell|taste|get)s? "
    r"(?:so |really |very |quite |pretty |a bit |too )*"
    r"(?:hot|cold|warm|cool|freezing|boiling|weird|strange|odd|funny|wrong|bad|terrible|awful|slow|quick|long"
    r"|different)\b(?! (?:outside|today|out|this)\b)"
    r"|\bi (?:love|like|want|hate|need) (?:it|them|mine) (?!here\b|when\b|so\b|already\b|too\b)\w+"
    r"|\bwhen (?:i|it|we)\b|\bin here\b"
    r"|\b(?:crazy|mad) for\b|\bi feel (?:old|young|sick|ill|dizzy|weak)\b"
    r"|\b(?:on|in|over|under|behind|into|off) (?:it|them)\b|\bmade a (?:mess|hash|mistake)\b"
    r"|\b(?:nearly|almost|already|soon|still) there\b"
    r"|\bi (?:sleep|get (?:\w+ )?\w+ (?:after|before|when|at|in|from|if))\b"
    r"|\bjust (?:me|us)\b(?! again\b| \w+ing\b)|\b(?:me|us) and\b|\bof us\b"
    r"|\b(?:things?|it|they|mine|ours|i|we)(?: is| are|'s|'re|'m)(?: (?:all|still|always|just|right))* "
    r"(?:outside|inside|up|down)\b"
    r"|\b(?:i|he|she|we|you|who)(?:'m|'s|'re| am| is| are| was| were)(?: \w+){1,3} (?:at|with)\b"
    r"(?! (?:it|this|that|you|me|myself|life)\b)"
    r"|\b(?:bad|awful|terrible|horrible|dreadful|rubbish|hopeless|useless|clumsy|good|great|brilliant|amazing|clever|"
    r"slow|quick|mad|crazy|angry|cross) (?:at|with|about)\b(?! (?:it|this|that|you|me|myself|life)\b)"
    r"|\bthere(?:'s| is| are)\b|\b(?:it|that|this|he|she|they)(?:'s| is| are| was|'re)? (?:in|at|on|for|from|by"
    r"|with)\b"
    r"|\b(?:in|for|with|from|of|to|by|on|at) (?:my|our|the|his|her|their|us|a|an)\b(?! (?:life|way|day|mood"
    r"|mess|weather|"
    r"game|match|film|song|rain|sun|questions|typos?|spelling|moment|bit|morning|world)\b)",
    re.IGNORECASE,
)
"""Denials, limits, habits, skills, company, what others like, how a thing feels, and where, how or for whom
something is: they make a fact of the words of small talk."""
_HOLDS = re.compile(
    r"\b(?:i|we|he|she|they|who)(?:'ve| have|'s got|'ve got| has| had| got| keep)\b(?! (?:been|had|to|it"
    r"|a (?:long|great|"
    r"good|bad|lovely|terrible|funny|crazy)|so much|such|loads of questions|butterflies)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")
_TALKED = frozenset[str]().union(*_TOPICS.values(), _TALK, _GRAMMAR, _TIMES)


@dataclass(frozen=True, slots=True)
class Talk:
    """Small talk: what it's of, how many of its words aren't known from small talk, and whether it's but a saying."""

    topics: frozenset[Topic]
    strange: int
    saying: bool


def talk_of(text: str) -> Talk | None:
    """*text* as small talk; None where it may tell a fact."""
    plain = text.replace("\u2019", "'").lower()
    topics = frozenset(topic for topic, words in _TOPICS.items() if words & set(_said(plain)))
    if plain.endswith("?"):
        return Talk(topics, 0, True) if _ASKED_BACK.fullmatch(plain) else None
    bare = _SAYINGS.sub(" ", plain)
    told = set(_said(bare))
    saying = bare != plain and told <= _GRAMMAR
    state = _STATE.search(_LAUGHS.sub("", bare).strip())
    if state is not None and state["state"] not in _TALKED:
        return None
    if _COUNTS.search(bare) or _HOLDS.search(bare) or (told <= _TIMES | _GRAMMAR and not saying):
        return None
    return Talk(topics, len(told - _TALKED), saying)


def is_talk(text: str) -> bool:
    """Whether *text* has words of small talk alone."""
    talk = talk_of(text)
    return talk is not None and not talk.strange


def matters(topics: frozenset[Topic], spoken_of: frozenset[str]) -> bool:
    """Whether what is *spoken_of* otherwise, as stems, has to do with small talk of *topics*."""
    return any(not spoken_of.isdisjoint(_TRIGGERS[topic]) for topic in topics)


def _said(text: str) -> list[str]:
    return [word if word in _GRAMMAR else word.removesuffix("'s") for word in _WORD.findall(text)]
