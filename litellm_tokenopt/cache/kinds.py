"""Which questions have an answer that may be given again, told by their words.

A question is stable; or time-bound (its answer changes by itself), personal (it asks about the caller's own affairs
or this very conversation), creative or random (whoever asks again wants another answer). Rules name the kind where it
is certain; `hints` are numbers about the words, for a trained classifier to weigh beside the question's vector.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from .language import is_english

Kind: TypeAlias = Literal["stable", "time_bound", "personal", "creative", "random"]
KINDS: tuple[Kind, ...] = get_args(Kind)

ENDS_CHARS = 200
"""Of a longer text only so much at either end is read: what is asked stands there, what it's asked of between."""

FEW_WORDS = 6
"""A question of so few words needs no question word: "bitcoin price now"."""

_QUOTED = re.compile(r"```.*?```|`[^`]*`|\"[^\"]*\"|\u201c[^\u201d]*\u201d|(?<!\w)'[^'\n]*?'(?!\w)", re.DOTALL)

_COURTESY = (
    r"^(?:(?:please|hi|hello|hey|ok|so|and|now|then|can you|could you|would you|will you|i'd like you to|"
    r"i want you to|"
    r"i need you to|kindly|just|quickly)[,!.]?\s+)*"
    r"(?:(?:in|on|with|using|for) [\w.+#-]{1,12}(?: [\w.+#-]{1,12})?,\s+)?"
)
_FRAMED = re.compile(
    rf"{_COURTESY}(?:(?:tell me|show me|i(?:'d| would) like to know|i want to know|do you know|explain)\s+)?"
    r"(?:how (?:do|can|could|would|should|to|does|did|often|late|early)\b|"
    r"how (?:is|are) [^?]*\b(?:determined|calculated|set|made|decided|measured|formed|produced|chosen|"
    r"computed)\b|what (?:do|does) [^?]*\bmean\b|explain\b|"
    r"what (?:moves|drives|affects|determines|causes|influences|makes|made)\b|"
    r"define\b|translate\b|correct\b|proofread\b|rewrite\b|rephrase\b|shorten\b|summari[sz]e\b(?! (?:our|this|what))|"
    r"convert\b|compare\b|difference between\b|the steps\b|"
    r"what(?:'s| is| are) (?:meant|a\b|an\b|the (?:difference|meaning|definition|formula|best way|purpose|procedure|"
    r"process|policy|chance|probability|odds|rules?|steps?|history)\b)|"
    r"(?:write|create|implement|give me) (?:me )?(?:an? |some |the )?(?:[\w-]+ ){0,3}(?:function|script|program|code|"
    r"query|regex|regular expression|class|method|one-liner|test|tests|email|e-mail|letter|formula|macro|module)\b)",
    re.IGNORECASE,
)
_TOLD = re.compile(
    rf"{_COURTESY}(?:i|i'm|i've|my|your|we|our|someone|somebody|set|move|cancel|book|change|skip|send|forward|"
    r"decline|remind|wake|schedule)\b"
    r"|\b(?:i|we) (?:\w+ )?(?:did|made|paid|sent|got|had|was|were|am|ordered|bought|tried|moved|went|withdrew)\b",
    re.IGNORECASE,
)
"""Begins with a statement or an errand: the time in it is when something happened or is to happen."""

_ASKS = re.compile(
    rf"{_COURTESY}(?:what|what's|who|who's|whom|which|when|when's|where|where's|how|how's|is|are|was|were|do|"
    rf"does|did|has|"
    r"have|will|any|tell me|show me|give me|list|name|find)\b",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december|"
    r"in (?:spring|summer|autumn|fall|winter|may)|1\d\d\d|20[01]\d|century|usually|typically|generally|on average|"
    r"history|historical|(?:ice|middle|bronze|iron|stone) ages?|medieval|colonial|ancient|ever|used to|function|"
    r"formula|syntax)\b",
    re.IGNORECASE,
)
_UNITS = (
    "second|minute|hour|morning|afternoon|evening|night|day|week|weekend|month|quarter|season|year|"
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_HEAVENS = (
    "mercury|venus|mars(?! hill)|jupiter|saturn|uranus|neptune|pluto|titan|the (?:moon|sun|stars?)|"
    "(?:other|outer|distant|all|most) planets|exoplanets?|space"
)
_CLIMES = (
    "(?:the )?(?:tropics|subtropics|equator|poles|deserts?|sahara|arctic|antarctic|antarctica|rainforest|jungle|tundra)"
)
_ELSEWHERE_LASTS = rf"(?:{_HEAVENS}|{_CLIMES})\b"
"""Where one kind of weather lasts."""
_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|autumn|fall|"
    "winter"
)
_PRACTICE = r"(?:\w+ )?(?:practices?|guidelines?|standards?)\b"
"""Changes, but not from week to week."""

_TIME = re.compile(
    rf"\b(?:today(?!'s {_PRACTICE})|tonight|tomorrow|yesterday|nowadays|currently|presently|(?<!what )now(?! that\b)|"
    rf"latest(?! (?:time|date|point|age|stage|possible|i |you |that|a |an )\b)|newest|most recent|up[- ]to[- ]date|"
    rf"breaking news|at the moment|at present|at this (?:moment|time|point)|so far|as of|just happened|these days|"
    rf"(?:this|last|next|past|coming) (?:{_UNITS})|"
    rf"current(?= (?!{_PRACTICE}|accounts?|liabilit|assets?|ratio|transformer|density|flow|divider|loop|yield|in|of|"
    r"through|is)\w)|"
    r"what(?: is|'s) the (?:time|date)(?= now| today| in\b|\W*$)|what (?:time|day|date|year|"
    r"month) (?:of the week )?is it(?! in [\w ]+ (?:when|if)\b)|"
    r"what(?: is|'s) new(?=\W*$| (?:in|with|at|on) (?![^?]*\d))|"
    rf"weather(?![^?]*\b(?:on|in|at) {_ELSEWHERE_LASTS})|forecast for|"
    r"headlines|latest news|any news|in the news|exchange rates?|"
    r"(?:stock|share|gold|oil|silver|bitcoin|crypto|petrol|gas) prices?|price of (?:bitcoin|gold|silver|oil)|"
    r"live (?:score|price|result|traffic)s?|(?:second|minute|hour|day|week|month|year)s? ago)(?!\w)",
    re.IGNORECASE,
)
_FORMS = (
    "poem|poems|haikus?|limericks?|sonnets?|ballad|verses?|rhymes?|lullaby|lyrics|song|rap|joke|jokes|puns?|riddles?|"
    "story|tale|fable|fairy tale|anecdote|slogans?|taglines?|toast|one-liner|villanelle|ode"
)
_CREATIVE = re.compile(
    rf"{_COURTESY}(?:(?:write|compose|make up|make|invent|improvise|tell|give|sing|create|pen|draft|generate|"
    rf"come up with|"
    rf"think up|got)\s+(?:me |us |my \w+ )?(?:an?|another|some|any|one|two|three|five|ten|the lyrics of)\s+"
    rf"(?:[\w-]+ ){{0,3}}(?:{_FORMS})\b|brainstorm\b|surprise me\b|make me laugh\b|roast me\b|"
    rf"(?:{_FORMS}) (?:about|on)\b)",
    re.IGNORECASE,
)
_RANDOM = re.compile(
    rf"{_COURTESY}(?:(?:roll|throw|toss|flip|spin)\s+(?:me |us )?(?:an? |two |three |the |some |\d*)?(?:[\w-]+ )?"
    r"(?:dice|die|d\d+|coin|coins|wheel|bottle)\b|(?:roll|dice roll) \d*d\d+|shuffle\b|heads or tails\b|"
    r"(?:pick|choose|draw|select|give me|generate|name|tell me|i need|create|produce)\b[^.?!]*"
    r"\b(?:at random|random(?:ly)? (?!forest|walk|variable|effect|sampl|access|seed used)|random$)|"
    r"(?:randomly|randomi[sz]e)\b|"
    r"(?:generate|create|give me|make|make me|produce|i need|new)\s+(?:an? |the |another )?(?:new |random |"
    r"fresh |version 4 |v4 )*"
    r"(?:uuid|guid|nonce)\b|random (?:number|word|password|pin|name|color|country|card|letter)s?\b)",
    re.IGNORECASE,
)
_THINGS = (
    "order|parcel|package|delivery|refund|shipment|luggage|application|claim|booking|reservation|appointment|repair|"
    "ticket|return|payment|card|stuff|money"
)
_PERSONAL = re.compile(
    rf"\bwhere(?:'s| is| are) my (?:{_THINGS})s?(?=\W*$| now\b| right now\b|,)"
    rf"|\bstatus of (?:my|our)\b|\bwhen (?:will|does|is) my (?:{_THINGS}) (?:arrive|come|due|get here|be delivered)"
    rf"|\bha(?:s|ve) my (?:{_THINGS})s? (?:shipped|arrived|been|gone|come)\b"
    rf"|\b(?:is|are|was|were) my (?:{_THINGS}|flight|train|visa|loan)s? (?:still |already |now )?(?:on time|"
    rf"delayed|late|"
    r"cancell?ed|here|ready|coming|arriving|lost|approved|confirmed|paid|overdue|due|on (?:its|the) way|shipped|"
    r"delivered|out for delivery|in transit|boarding)\b"
    r"|\bwhat (?:did|have) (?:i|we) (?:just |already |first )?(?:sa(?:y|id)|tell|told|ask|asked|talk|talked|"
    r"discuss|discussed|agreed?)\b"
    r"|\bwhat did you (?:just )?(?:say|tell|suggest|recommend)\b"
    r"|\bremind me what (?:we|you|i)\b|\b(?:where|when|what|which) did i (?:say|mention)\b"
    r"|\b(?:when|what time|which day) am i (?:seeing|meeting|booked|due)\b|\bhave i (?:already )?(?:paid|settled)\b"
    r"|\bwhich [\w ]{3,20} do you have (?:for me|of mine|on file for me)\b"
    r"|\bstatus of (?:claim|ticket|case|order|request|complaint) (?:no\.? ?|number )?[\w-]*\d"
    r"|\bwhat was my (?:first|last|previous) (?:question|message)\b"
    r"|\b(?:do you|can you) (?:still )?(?:remember|know) (?:me|my name|what i)\b"
    r"|\bwhat(?:'s| is) my (?:current )?(?:(?:account |remaining |bank )?balance|name|order (?:number|status)|"
    r"credit limit|"
    r"tracking number|seat|plan|booking reference|next (?:appointment|payment|bill))(?=\W*$| now\b| today\b)"
    r"|\b(?:check|show|show me|list|read|read me) my (?:(?:account |last |latest |recent |unread |open |next |own )*"
    r"(?:balance|orders?|messages|emails?|transactions|appointments?|bookings?|invoices?|tickets?|statement|"
    r"calendar))\b"
    r"|\bsummari[sz]e (?:our|this) (?:conversation|chat|discussion)\b"
    r"|\bhow much (?:have|did) (?:i|we) (?:spen[dt]|paid|pay|used?|saved?|donated?)\b"
    r"|\b(?:is|are) my [\w-]+ (?:ready|done|here)(?: yet| now)?\W*$"
    r"|\bis my (?:card|account|sim|phone|profile) (?:still |already )?(?:blocked|locked|frozen|suspended|active)\W*$"
    r"|\bwhy (?:was|were|am|are) (?:i|we) (?:being )?charged \D?\d"
    r"|\bha(?:s|ve) (?:hr|my \w+|the [\w ]{2,20}|anyone) (?:approved|signed|accepted|rejected) my\b"
    r"|\bwhat (?:was|were) (?:i|we) (?:just )?(?:saying|asking|talking|discussing)\b|\bwhich of my\b"
    r"|\bwhat(?:'s| is| was| are| were) my (?:\w+ )?(?:grades?|marks?|scores?|results?) (?:in|for|on)\b"
    r"|\bam i (?:still |already )?(?:on|in) (?:the|your|any) [\w -]{2,20}\b(?:list|queue|programme|program)\b"
    r"|\bhow (?:much|many) [^?]*\b(?:do i (?:still )?(?:have|owe)|have i (?:got|left)|(?:is|are) left (?:on|"
    r"in) my)\b",
    re.IGNORECASE,
)
_OFFICES = (
    "president|prime minister|chancellor|king|queen|pope|ceo|cfo|cto|coo|chair(?:man|woman|person)?|leader|head|mayor|"
    "governor|senator|minister|secretary|speaker|champion|coach|captain|owner|record holder"
)
_MONEY = (
    r"(?:dollars?|euros?|pounds?|yen|yuan|rupees?|francs?|pesos?|usd|eur|gbp|jpy|inr|chf|cad|aud|bitcoins?|btc|"
    r"[$\u20ac\u00a3\u00a5])"
)
_MEASURES = r"(?:an?|one) (?:barrel|ounce|gram|gallon|lit(?:re|er)|kilo(?:gram)?|pound|ton|tonne)"
_CHANGING = re.compile(
    rf"\bwho(?:'s| is) (?:currently )?(?:the )?(?:current |acting |reigning )?(?:\w+ )?(?:{_OFFICES}) (?:of|at|"
    rf"in|for)\b"
    rf"|\bwho(?:'s| is) (?:the )?(?:current )?[\w .]+(?:'s)? (?:{_OFFICES})\W*$"
    rf"|\b{_MONEY} (?:to|in|into|vs) (?:\w+ )?{_MONEY}(?!\w)|(?<=[$\u20ac\u00a3\u00a5])\s?\d[\d.,]* (?:to|in|"
    rf"into) {_MONEY}(?!\w)"
    r"|\b(?:\w+[- ]to[- ]\w+|conversion|mortgage|interest|inflation|unemployment) rates?\W*$"
    r"|^(?:are|is) (?:you|any ?(?:one|body)|some ?(?:one|body)|support) (?:still |all )?"
    r"(?:online|there|around|available|awake|here)(?: (?:right )?now| today)?\W*$"
    r"|^(?:is|are) (?!there|it (?:legal|ok))[\w .,'&-]{1,40} (?:hiring|open|closed|down|in stock|sold out|"
    r"alive|on sale)"
    r"(?: (?:right )?now| today| at the moment)?\W*$"
    r"|^(?:is|are) (?:the )?[\w .,'&-]{1,40} "
    r"(?:on time|delayed|running(?: late| on time| (?:between|from|to) [\w ]+)?)\W*$"
    r"|^(?:is|are) the [\w ]{1,30} (?:closed|blocked|flooded|shut) (?:near|between|to)\b"
    rf"|\b(?:what do(?:es)? {_MEASURES} of [\w ]+ (?:cost|sell for|go for)|"
    rf"how much (?:is|are|do(?:es)?) {_MEASURES} of (?![^?]* (?:in|weigh)\b)[\w ]+)\W*$"
    r"|^what(?:'s| is| are|'re) our (?:\w+ ){0,2}(?:churn(?: rate)?|revenue|turnover|headcount|runway|burn rate|"
    r"profit|sales|backlog|conversion rate)\W*$"
    r"|\b(?:trading|quoted|changing hands) at\W*$|\bneed an umbrella\b"
    r"|^what(?:'s| is) (?:on|showing|playing) at\b|\b(?:is|are) (?:nominated|shortlisted) for\b"
    r"|^(?:is|are) [\w .,'&-]{1,40} still (?:in place|in force|on|going(?: on)?|running|valid|available|under way)\W*$"
    r"|^ha(?:s|ve) (?!i\b|we\b|my\b|you\b|your\b)[\w .'&-]{2,30} (?:voted|resigned|begun|reopened|landed|launched|"
    r"been (?:elected|released|sold|found|cancelled|passed))\b"
    r"|\bhow (?:many|much) (?:days|weeks|months|hours|time|minutes)?(?: is| are)?(?: left| there)? ?(?:till|until)\b"
    r"|\bwho (?:holds|has) the [\w ]{0,30}(?:record|title)\b"
    r"|\bwho(?:'s| is| are) the (?:(?:\w+ )?(?:oldest|tallest|youngest) (?:living|person alive)|richest|wealthiest|"
    r"highest[- ]paid|most[- ]followed|best[- ]paid)\b(?![^?]*\baccording to\b)"
    r"|^who won (?![^?]*(?:\d|\bfirst\b|\bever\b))(?:[\w'-]+ ){0,3}(?:match|game|race|"
    r"final|election|grand prix|derby|fight|tournament|semi-?final|league|primary|lottery)\W*$"
    r"|\b(?:when|what time) (?:does|is|will) the (?:sun|moon) (?:set|rise|sets|rises|come up|go down)\b"
    r"|\b(?:when|what time)(?:'s| is) (?:the )?(?:next )?(?:high tide|low tide|sunset|sunrise)\b"
    r"|\bhow (?:deep is the|much) snow\b(?= (?:is there )?(?:in|at|on)\b)"
    r"|\bhow many (?:subscribers|followers|users|customers|employees|members|stores) (?:does|do|has) "
    r"(?!your?\b|the\b)\w",
    re.IGNORECASE,
)
_LIVING = re.compile(
    rf"^[Hh]ow old is (?:[A-Z][\w'-]+(?: [A-Z][\w'-]+){{1,2}}|the (?:\w+ )?(?:{_OFFICES})(?: of (?!an?\b)[\w ]+)?)\W*$"
)
_QUOTED_AT = re.compile(r"^[Ww]hat(?:'s| is) (?:the )?[A-Z]{2,5}(?: \d+)? (?:at|doing|worth)\W*$")
_FELT = re.compile(
    r"^[Hh]ow (?:warm|hot|cold|cool|windy|wet|humid|sunny) is it (?:up |down )?(?:in|at|on) "
    rf"(?!Earth|(?i:{_ELSEWHERE_LASTS}))[A-Z][\w' ]*\W*$|^[Hh]ow \w+ is it outside\b"
)
_PRICED = re.compile(
    r"\b[Hh]ow much (?:is|are|does|do|would) (?:an? |the |one )?(?:new |used )?[A-Z]\w+(?! Street)"
    r"|\b(?:[Pp]rice|[Cc]ost) of (?:an? |the |one )?(?:new |used )?[A-Z]\w+"
)
"""A product has a capital letter: shipping has terms that stay, a phone a price that doesn't."""

_BOUND = (_TIME, _CHANGING, _PRICED, _QUOTED_AT, _FELT, _LIVING)

_EXCHANGED = re.compile(rf"\b(?:in|to|into|as) {_MONEY}(?!\w)|^how (?:many|much) {_MONEY}", re.IGNORECASE)
_NUMBER = r"[\d.,/]*\d"
_NUMBERED = (
    "rfc|iso|en|form|section|article|chapter|rule|law|port|http|error|code|error code|exit code|status code|part"
)
_FIXED = re.compile(
    rf"^(?:(?:what(?:'s| is)|how (?:much|many) (?:is|are)|calculate|compute|work out) )?(?:(?:the )?(?:sum|product|log|"
    rf"square|cube|(?:square|cube) root|factorial|half|third|quarter) (?:of )?)?{_NUMBER} ?(?:$|\?|%|percent\b|"
    r"[-+*/x\u00d7\u00f7^]|plus|minus|times|divided|multiplied|squared|cubed|factorial|to the power|in (?:binary|"
    r"decimal|hex|words|roman)|(?:[a-z]+ )?(?:in|to|into|as) (?:an? )?[a-z]+\W*$)"
    rf"|^what (?:is|does|'s) (?:the )?(?:{_NUMBERED})(?: code| number)? [\w.-]*\d[\w.-]*(?: mean| for)?\W*$"
    rf"|^how (?:many|much) [a-z ]+ (?:is|are|in|for|to) (?:there in |in )?(?:{_NUMBER}|an?|one|two|three) [a-z ]+\W*$"
    r"|^how (?:(?:do|can|could|should) (?:i|we|one)|to) (?!name|call|title|caption|phrase)\w"
    r"|^what(?:'s| is) the (?:[\w']+ ){1,3}(?:function|formula|syntax|command|keyword|shortcut)\b"
    rf"|\b(?:weather|climate|temperature|hot|cold|warm|windy?|rain|snow)\b[^?]*\b(?:on|in|at) {_ELSEWHERE_LASTS}\W*$"
    r"|^(?:do|does) (?!my\b|our\b|i\b|we\b)[\w' -]{2,40} (?:come with|include|contain|support|require|fit|"
    r"run on|work with)\b"
    rf"|^(?:is|does) it (?:[a-z]+ ){{1,3}}in [\w' ]+ in (?:{_MONTHS})\W*$"
    r"|^(?:when|(?:in )?(?:what|which) year) (?:did|was|were) (?!i\b|we\b|my\b|our\b|you\b)\w"
    r"|^how long (?:does|do|is|are) (?:the|an?|your) (?![\w ]*\b(?:wait|queue|line|delay|outage|strike)\b)[\w' -]{2,40}"
    r"(?:take|last|lesson|tour|walk|film|show|crossing|journey|exam|test)\W*$",
    re.IGNORECASE,
)

_CONTINUES = re.compile(
    r"^\W*(?:(?:and|ok|okay|please|now|can i (?:have|get)|give me|show me|tell me|i want|do|let's (?:have|do)|"
    r"how about)"
    r",? )*(?:(?:yet )?another(?: one)?|one more|(?:some )?more|again|once (?:more|again)|(?:do|say|try|"
    r"run) (?:it|that )"
    r"?again|try again|something (?:else|different)|an?(?:other)? (?:different|new|other) (?:one|answer|"
    r"version|reply|response)|"
    r"another (?:answer|version|example|reply|response|idea)|a few more|regenerate(?: (?:it|that|the (?:answer|"
    r"response)))?)"
    r"(?:,? (?:please|time|thanks|for me|then))*\W*$",
    re.IGNORECASE,
)
_SUGGESTS = re.compile(
    rf"{_COURTESY}(?:recommend|suggest)\b|\b(?:can|could|would) you (?:please )?(?:recommend|suggest)\b"
    r"|\bwhat (?:do|would|can) you (?:recommend|suggest)\b|\bany (?:good )?(?:recommendations|suggestions)\b",
    re.IGNORECASE,
)
_ELSEWHERE: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "random",
        re.compile(
            r"\b(?:w\u00fcrf(?:le|el)|zuf\u00e4llig\w*|zufall\w*|al\u00e9atoire\w*|aleat[o\u00f3]ri\w*|casuale|"
            r"willekeurig\w*)"
            r"\b|\u968f\u673a|\u30e9\u30f3\u30c0\u30e0|случайн",
            re.IGNORECASE,
        ),
    ),
    (
        "creative",
        re.compile(
            r"\b(?:schreib\w*|dicht\w*|erz\u00e4hl\w*|erfinde|\u00e9cri\w+|racont\w+|invent\w+|escrib\w+|"
            r"cu\u00e9nta\w*|"
            r"scriv\w+|raccont\w+|escrev\w+|cont[ae]\w*|schrijf|vertel|напиши|расскажи|"
            r"придумай)\b.{0,40}\b(?:gedicht|witz|geschichte|"
            r"m\u00e4rchen|lied|po\u00e8me|blague|histoire|conte|chanson|poema|chiste|cuento|historia|"
            r"canci\u00f3n|poesia|barzelletta|"
            r"storia|piada|hist\u00f3ria|grap|mop|verhaal|стих\w*|шутк\w*|анекдот|сказк\w*|истори\w*)"
            r"|(?:写|讲|说|编).{0,12}(?:诗|故事|笑话|歌)|(?:詩|物語|俳句|冗談|話)を",
            re.IGNORECASE,
        ),
    ),
    (
        "personal",
        re.compile(
            r"\b(?:wo (?:ist|sind|bleibt) mein|wann (?:kommt|kommen) mein|status meine|mein (?:kontostand|"
            r"guthaben|name)|wie hei\u00dfe ich|"
            r"o\u00f9 (?:est|sont) (?:ma|mon|mes)|quand (?:arrive|arrivera) (?:ma|mon)|mon solde|"
            r"d\u00f3nde est\u00e1n? mi|cu\u00e1ndo llega mi|"
            r"mi saldo|dov'\u00e8 (?:il mio|la mia)|quando arriva (?:il mio|la mia)|il mio saldo|"
            r"onde est\u00e1 (?:o |a )?(?:meu|minha)|"
            r"quando chega (?:o |a )?(?:meu|minha)|meu saldo|waar is mijn|wanneer komt mijn|mijn saldo|где мо[йяёи]|"
            r"когда прид[её]т мо[йяё]|мой баланс)"
            r"|我的(?:订单|包裹|快递|余额|账户|航班)|(?:私|わたし)の(?:注文|荷物|残高|口座)",
            re.IGNORECASE,
        ),
    ),
    (
        "time_bound",
        re.compile(
            r"\b(?:heute|(?<!guten )morgen|gestern|jetzt|gerade|aktuell\w*|derzeit\w*|neueste\w*|wetter|"
            r"wie sp\u00e4t|uhrzeit|aujourd'hui|"
            r"demain|maintenant|actuel\w*|m\u00e9t\u00e9o|quelle heure|quel temps|hoy|ma\u00f1ana|ayer|ahora|"
            r"actual\w*|qu\u00e9 hora|"
            r"qu\u00e9 tiempo|el clima|oggi|domani|ieri|adesso|attual\w*|che ore|che tempo|meteo|hoje|"
            r"amanh\u00e3|ontem|agora|atual\w*|"
            r"que horas|vandaag|gisteren|nu|huidige|hoe laat|het weer|сегодня|сейчас|завтра|вчера|погод\w*|который час|"
            r"текущ\w*)\b|今天|现在|明天|昨天|天气|几点|最新|目前|今日|明日|昨日|天気|何時|現在|今(?=の|は|、)",
            re.IGNORECASE,
        ),
    ),
)
"""The commonest words of such questions in other languages."""

_SURE: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("random", _RANDOM),
    ("creative", _CREATIVE),
    ("personal", _PERSONAL),
    ("creative", _CONTINUES),
    ("creative", _SUGGESTS),
)

_HINTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:my|mine|our|ours)\b",
        r"\b(?:i|me|we|us)\b",
        r"\b(?:did|have|has|what|do) (?:i|we|you) (?:\w+ )?(?:say|said|tell|told|ask|asked|mention|talk|agree|"
        r"remember)\w*\b",
        r"\b(?:yet|still|left|open|available|in stock|pending|due|overdue|delayed|down|out)\b",
        r"\b(?:won|wins?|winning|score|leading|playing|trending|happening|released)\b",
        r"\b(?:price|rate|worth|cost|trading|stock|shares?)\b",
        rf"\b(?:{_FORMS}|ideas?|names?|titles?|caption|plot|character|nickname|speech|motto|name for)\b",
        rf"{_COURTESY}(?:write|compose|invent|imagine|pretend|brainstorm|suggest|come up|make up|think|dream|"
        rf"describe|draft)\b",
        r"\b(?:funny|creative|catchy|clever|witty|silly|cool|fun)\b",
        r"\b(?:random|randomly|randomi[sz]e|chance|dice|die|coin|shuffle|lottery|lots|uuid|guid|password|pin|"
        r"number)\b",
        rf"{_COURTESY}(?:pick|choose|draw|roll|flip|toss|generate|give|shuffle|deal|spin)\b",
        r"^(?:what|who|whom|which|when|where|why|how|is|are|do|does|can|should|will|did|has|have)\b",
        r"\b(?:python|java|javascript|sql|regex|code|function|class|variable|git|excel|api|linux|bash|docker)\b",
        r"\b(?:status|balance|account|order|appointment|calendar|inbox|history)\b",
    )
)


def sure_kind(question: str) -> Kind | None:
    """The kind of *question* where its words leave no doubt; never stable."""
    text = asked_part(question)
    if _FRAMED.match(text):
        return None
    for kind, pattern in _SURE if is_english(text) else (*_ELSEWHERE, *_SURE):
        if pattern.search(text):
            return kind
    return "time_bound" if time_bound(question) else None


def time_bound(question: str) -> bool:
    """Whether words say that the right answer to *question* depends on when it's asked."""
    text = asked_part(question)
    if len(text.split()) > FEW_WORDS and not _ASKS.match(text):
        return False
    if _FRAMED.match(text) or _TOLD.search(text) or _DATED.search(text):
        return False
    return any(pattern.search(text) for pattern in _BOUND)


def surely_stable(question: str) -> bool:
    """Whether *question* asks for a sum, a conversion, a numbered thing or a duration, and nothing that changes."""
    text = asked_part(question)
    return _FIXED.search(text) is not None and not any(pattern.search(text) for pattern in (*_BOUND, _EXCHANGED))


@lru_cache(maxsize=1_000)
def hints(question: str) -> tuple[float, ...]:
    """What the words of *question* say about its kind, as numbers of about the same size; memoised."""
    text = asked_part(question)
    return (
        float(_FRAMED.match(text) is not None),
        float(_TOLD.search(text) is not None),
        float(_DATED.search(text) is not None),
        float(_TIME.search(text) is not None),
        float(text != question.strip()),
        min(len(text.split()), 20) / 10,
        *(float(pattern.search(text) is not None) for pattern in _HINTS),
    )


def asked_part(question: str) -> str:
    """*question* without what it quotes, and of a long one its two ends."""
    text = _QUOTED.sub("…", question).strip()
    return text if len(text) <= 2 * ENDS_CHARS else f"{text[:ENDS_CHARS]} … {text[-ENDS_CHARS:]}"
