"""General English words that decide whether two questions ask the same thing.

Every word is a stem as `reading` makes it; the tables below are written with plain words and stemmed on load.
"""

from __future__ import annotations

import re

from ..lexical import stem as light_stem

_IRREGULAR = dict(
    pair.split(":")
    for pair in (
        "bought:buy brought:bring built:build came:come caught:catch chose:choose chosen:choose did:do done:do "
        "drew:draw drawn:draw drove:drive driven:drive ate:eat eaten:eat fell:fall fallen:fall felt:feel flew:fly "
        "flown:fly forgot:forget forgotten:forget froze:freeze frozen:freeze gave:give given:give got:get gotten:get "
        "grew:grow grown:grow heard:hear held:hold hid:hide hidden:hide kept:keep knew:know known:know lent:lend "
        "lost:lose made:make meant:mean met:meet paid:pay ran:run rang:ring said:say sat:sit sent:send shown:show "
        "slept:sleep sold:sell spent:spend spoke:speak spoken:speak stole:steal stolen:steal stood:stand swam:swim "
        "taken:take taught:teach thought:think threw:throw thrown:throw told:tell took:take understood:understand "
        "went:go gone:go won:win wrote:write written:write broke:break broken:break began:begin begun:begin "
        "became:become children:child men:man women:woman feet:foot teeth:tooth mice:mouse people:person wives:wife "
        "knives:knife lives:life leaves:leave using:use used:use uses:use found:find better:better "
        "cancellation:cancel adding:add added:add adds:add dying:die lying:lie tying:tie data:data does:do goes:go "
        "going:go has:have beaten:beat bitten:bite worn:wear seen:see drank:drink drunk:drink sang:sing sung:sing "
        "wolves:wolf shelves:shelf halves:half loaves:loaf thieves:thief withdrawn:withdraw withdrew:withdraw "
        "risen:rise"
    ).split()
)


_PAST_FORMS = frozenset(
    "bought brought built came caught chose drew drove ate fell felt flew forgot froze gave got grew heard held hid "
    "kept knew lent lost made meant met paid ran rang said sat sent slept sold spent spoke stole stood swam taught "
    "thought threw told took understood went won wrote broke began became found".split()
)


PARTICIPLES = frozenset(
    "bought brought built caught chosen done drawn driven eaten felt forgotten frozen given grown heard held hidden "
    "kept known lent lost made meant paid run sung said sent shown sold spent spoken stolen taken taught told thrown "
    "understood won written broken begun found cut put set hit shut read let fed led left laid beaten bitten blown "
    "dug flown hung hurt ridden seen shaken shot sewn split spread swept torn worn wound withdrawn overtaken".split()
)
"""Irregular forms that passives are made with."""


def stem(word: str) -> str:
    """The stem of a lower-case *word*; irregular forms and doubled final letters are evened out."""
    found = light_stem(_IRREGULAR.get(word, word))
    if len(found) > 5 and found.endswith("is"):
        found = found[:-1] + "z"  # organise, organize
    found = found.replace("isation", "ization").replace("sulph", "sulf")
    if len(found) > 2 and found.endswith("i"):
        found = found[:-1] + "y"  # buying, buy
    return found[:-1] if len(found) > 4 and found[-1] == found[-2] and found[-1].isalpha() else found


def is_past_form(word: str) -> bool:
    """Whether *word* looks like a verb in the past."""
    return word.endswith("ed") or word in _PAST_FORMS


def _stems(words: str) -> frozenset[str]:
    return frozenset(map(stem, words.split()))


def _pairs(table: str) -> frozenset[frozenset[str]]:
    """Pairs of ``one/other`` words; ``a,b/c,d`` gives all four."""
    found = set()
    for line in table.split():
        left, right = line.split("/")
        found |= {frozenset((stem(a), stem(b))) for a in left.split(",") for b in right.split(",")}
    return frozenset(found)


ANTONYMS = _pairs(
    "enable,activate/disable,deactivate add,insert,append,include,install/remove,delete,exclude,omit,uninstall,drop "
    "start,begin,launch,resume,open/stop,end,finish,pause,halt,quit,terminate "
    "increase,raise/decrease,reduce,lower,cut on/off open,opened,unlock/close,closed,shut,lock before/after "
    "during/after during/before "
    "buy,purchase/sell,return more,most/less,least,fewer,few maximum,max,maximal/minimum,min,minimal "
    "maximise,maximize/minimise,minimize first/last,final in,into,inside,indoors/out,outside,outdoors "
    "up,upward,above,over/down,downward,below,under,beneath "
    "allow,permit,accept,approve,grant/block,forbid,prohibit,deny,reject,refuse,ban,decline,prevent "
    "import,upload,push/export,download,pull accept/decline,refuse,reject,return "
    "connect,attach,join,link/disconnect,detach,leave,unlink "
    "encrypt,encode,compress,zip,serialize/decrypt,decode,decompress,unzip,deserialize "
    "show,display,reveal,unhide/hide,conceal expand/collapse,shrink,contract "
    "create,make,build/delete,destroy,remove,demolish save,keep/discard,delete,spend,lose win,gain/lose "
    "hire,recruit/fire,dismiss borrow/lend lend/borrow give,send,provide/take,receive,get ask/answer "
    "deposit/withdraw,withdrawal credit/debit "
    "arrive,arrival,come,enter,check-in/depart,departure,leave,go,exit,check-out "
    "login,signin,register,subscribe/logout,signout,unregister,unsubscribe,cancel "
    "advantage,benefit,pro,strength,upside/disadvantage,drawback,con,weakness,risk,downside "
    "good,best,better,great,excellent/bad,worst,worse,poor,evil,terrible safe/dangerous,unsafe,risky,danger "
    "hot,warm/cold,cool high,higher,highest,tall/low,lower,lowest,short "
    "large,big,larger,bigger,largest,biggest,great/small,little,smaller,smallest,tiny "
    "long,longer,longest/short,shorter,shortest fast,quick,faster,quicker,fastest,quickest/slow,slower,slowest "
    "early,earlier,earliest/late,later,latest old,older,oldest/new,newer,newest,young,younger,youngest,recent "
    "cheap,cheaper,cheapest,inexpensive/expensive,costly,pricey "
    "easy,easier,easiest,simple/hard,difficult,harder,hardest,complicated,complex "
    "right,correct,true,accurate/wrong,incorrect,false,inaccurate right/left "
    "same,identical,equal,similar/different,unequal,distinct public/private manual/automatic internal/external "
    "input/output inbound,incoming/outbound,outgoing source/destination,target sender/recipient,receiver "
    "employer/employee buyer,customer/seller,vendor,merchant landlord/tenant lender/borrower parent/child "
    "teacher/student doctor/patient husband/wife male,man,boy/female,woman,girl mother,father/daughter,son "
    "brother/sister mother/father son/daughter north,northern/south,southern east,eastern/west,western top/bottom "
    "front/back,rear upper/lower left/right forward/backward,back next/previous,last ascending/descending "
    "positive/negative always/never,sometimes often,frequently/rarely,seldom "
    "all,every,everything,everyone,everybody/none,some,nothing,nobody present,available/absent,unavailable "
    "full/empty,partial alive,live/dead,death,die birth,born/death,died love,like/hate,dislike "
    "success,succeed,pass/failure,fail legal,lawful/illegal,unlawful guilty/innocent asleep/awake "
    "day,daytime/night,nighttime morning/evening,afternoon,night summer/winter spring/autumn,fall weekday/weekend "
    "wet/dry hard/soft strong,stronger,strongest/weak,weaker,weakest rich,richer,richest/poor,poorer "
    "heavy,heavier,heaviest/light,lighter,lightest thick,thicker/thin,thinner wide,wider/narrow,narrower "
    "deep,deeper/shallow single,alone/married,joint,double,multiple domestic/international,foreign "
    "local/remote,global online/offline static/dynamic synchronous,sync/asynchronous,async mutable/immutable "
    "client/server frontend/backend encryption/decryption read/write vertical/horizontal horizontally/vertically "
    "clockwise/counterclockwise,anticlockwise odd/even row/column rows/columns primary/secondary major/minor "
    "senior/junior adult/child,kid,baby full-time/part-time permanent/temporary fixed/variable gross/net "
    "debit/credit profit/loss asset/liability supply/demand income/expense,expenditure revenue/cost "
    "long-term/short-term import/export attack/defend,defence,defense lift,raise/lower load/unload mount/unmount "
    "inflate/deflate wake/sleep freeze/thaw,unfreeze tighten/loosen fasten/unfasten follow/unfollow lead/follow "
    "precede/follow agree/disagree trust/distrust remember/forget include,included/exclude,excluded "
    "sweet/sour,bitter loud,noisy/quiet,silent clean/dirty clear/vague,blurry brave/cowardly happy,glad/sad,unhappy "
    "smart,clever,intelligent/stupid,dumb active/passive,inactive visible/invisible,hidden possible/impossible "
    "with/without begin,beginning,start/end,ending admit/deny encourage/discourage improve/worsen "
    "promote,upgrade/demote,downgrade,relegate lengthen,extend/shorten,reduce strengthen/weaken widen/narrow "
    "warm/cool heat/cool melt/freeze appear/disappear float/sink push/pull inhale/exhale punish/reward "
    "praise/criticise,criticize obey/disobey rise/fall question/answer past/future ancient/modern natural/artificial "
    "real,genuine,actual/fake,false deductible/non-deductible optional/required,mandatory,compulsory "
    "required,mandatory,necessary/forbidden,unnecessary avoid/take,use,eat,do stay,remain/leave,go "
    "accelerate/decelerate,brake attach/detach assemble/disassemble earn/spend merge/split divide/multiply "
    "subtract/add amtime/pmtime"
)

COMPLEMENTS = _pairs(
    "open,opened/close,closed,shut true,right,correct/wrong,false,incorrect alive,live/dead asleep/awake "
    "guilty/innocent same/different safe/dangerous legal/illegal good/bad,evil easy/hard,difficult present/absent "
    "enabled/disabled visible/hidden online/offline success/failure pass/fail include/exclude real/fake"
)
"""Antonyms of which one is true just when the other isn't: "not open" says what "closed" says."""

NEGATIVE_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "non-", "de", "mis", "a", "counter", "anti")

NEGATORS = frozenset(
    "not no never neither nor none nobody nothing nowhere without cannot hardly barely lack except unless".split()
)

_SYNONYMS = (
    "start begin commence;stop cease halt;end finish conclude;buy purchase;fix repair mend;broken faulty defective "
    "damaged;big large huge;small little tiny;fast quick rapid speedy;fastest quickest;shop store;kid child;client "
    "customer;photo picture image photograph;film movie;car automobile vehicle;phone telephone;happy joyful glad "
    "cheerful;scared frightened afraid;smart intelligent clever;brave courageous;allow permit;delete erase remove;"
    "choose select pick;create make setup build generate;register signup enrol enroll join;price cost fee charge;"
    "assist help;require need;reply respond answer;response reply answer;ill sick unwell;rich wealthy;difficult hard "
    "tough;simple easy;file submit lodge;submit send;doctor physician;lawyer attorney;autumn fall;flat apartment;"
    "parcel package;maximum max;minimum min;application app;document doc;configuration config;configure setup;"
    "repository repo;database db;javascript js;typescript ts;kubernetes k8s;postgresql postgres;receive get obtain "
    "acquire;modify change alter edit amend update;show display;close shut;earlier previous prior;last final;"
    "cellphone mobile;wife spouse;husband spouse;error bug fault;colour color;centre center;licence license;organise "
    "organize;behaviour behavior;programme program;cheque check;grey gray;favourite favorite;tyre tire;catalogue "
    "catalog;analyse analyze;advisor adviser;sofa couch;frequently often;rarely seldom;bring take;"
    "total overall;whole entire;"
    "reservation booking;reserve book;disable deactivate;enable activate;cheap inexpensive affordable;expensive "
    "costly pricey;uk britain;usacronym usa america;normal usual typical common ordinary;main primary principal;"
    "method way approach technique;purpose goal aim objective;present gift;present current;find locate;keep retain;"
    "send transmit;explain describe;amount quantity;reason cause;collect gather;ticket fare;teach instruct;email "
    "mail;website site webpage;folder directory;function method;argument parameter;house home;worker employee staff;"
    "boss manager;salary wage pay;earn make;live reside;mistake error;speak talk;look watch;sad unhappy;evaluate "
    "assess;verify confirm check;difference distinction;quit resign;leave depart;garbage trash rubbish;include "
    "contain;stay remain;trip journey;option choice;benefit advantage;drawback disadvantage downside;risk danger;"
    "suggest recommend;recommend advise;ask request;demand request;gain obtain;improve enhance;solve resolve;occur "
    "happen;attempt try;construct build;wish want;begin launch;holiday vacation;street road;town city;nation country;"
    "firm company business;accurate correct;incorrect wrong;right correct;strange odd weird;famous renowned;"
    "important significant;sufficient enough;almost nearly;entirely completely fully;immediately instantly;meal dish;"
    "sickness illness disease;medication medicine drug;baby infant;elderly old;people person;beverage drink;cab taxi;"
    "bicycle bike;aeroplane airplane plane;lift elevator;petrol gasoline gas;lorry truck;nappy diaper;university "
    "college;pupil student;instructor teacher;author writer;error problem issue;trouble problem;money cash;bill "
    "invoice;discount reduction;guarantee warranty;refund reimbursement;terminate end;cancel terminate;supply "
    "provide;offer provide;accept take;deliver ship;delivery shipping shipment;schedule timetable;secure safe;"
    "password passcode;wifi wi-fi;sign symptom;dose dosage;surgery operation;yearly annual annually;monthly month;"
    "weekly week;daily day;nearest closest;several many;additional extra;entry admission;all every each;"
    "differ difference different;between vs versus;someone somebody anyone anybody;recover restore;highest maximum;"
    "lowest minimum;baggage luggage;increase raise;lower reduce decrease;latest newest;faster quicker;closer nearer;"
    "greater bigger larger;dictionary dict;call phone ring;phone mobile cellphone smartphone;developer dev;"
    "unique distinct;toxic poisonous;document paper paperwork;temperature temp;beat defeat;avoid prevent;"
    "mandatory compulsory obligatory required;abroad overseas;write draft compose;explain explanation;"
    "calculate compute;convert transform;inside within;rental hire;laptop notebook;change switch;move transfer;"
    "verify validate;decline reject refuse deny;arrive come;payment pay;loss lose;sale sell;renewal renew;"
    "approval approve;departure depart;arrival arrive;compensation compensate;termination terminate;"
    "registration register;activation activate;verification verify;installation install;subscription subscribe;"
    "reservation booking book reserve;job position;vaccine vaccination jab;doctor gp;woman lady;man guy;"
    "tv television;fridge refrigerator;motorbike motorcycle;sneaker trainer;trousers pants;torch flashlight;"
    "pavement sidewalk;biscuit cookie;kind type sort;information info;advice tip;permitted allowed;"
    "requirement require;reimburse refund;payslip paystub;postcode zip zipcode;postpone delay reschedule;"
    "postage shipping;quantity number;damage damaged;thief stolen steal;hotel accommodation;luggage bag suitcase;"
    "carer caregiver;nurse nursing;heal recover;child kid;soil dirt earth;bin dustbin;tap faucet;nappy diaper;"
    "aircraft plane;railway railroad;queue line;term semester;timetable schedule;cv resume;mum mom mother;"
    "dad father;gran grandmother grandma;grandpa grandfather;ex former;quote quotation;int integer;str string;"
    "param parameter;env environment;var variable;func function;lib library;regex regexp;ui interface;"
    "necessary need required;over more above;under less below;electricity power;"
    "compare comparison versus vs;access accessible;convert conversion transform turn;cost expense;employ hire recruit;"
    "go travel;pill tablet;along together;pharmacy chemist;till until;maximum most;minimum least;"
    "multiple several many;cell mobile cellphone;enough sufficient suffice;increase raise rise grow;"
    "drop fall decrease decline;forbid prohibit ban;anything something;exit leave quit;human person people;"
    "nightly night;important matter;pronounce pronunciation;enter entry;descend descendant;donate give;"
    "richer wealthier;allow let;say tell;look see;stay keep remain;microphone mic;"
    "automatic automatically;physio physiotherapy;succeed successor;originally initially;photo pic;"
    "everyone everybody;someone somebody person;whenever when;lost missing;cope deal handle;"
    "treat treatment;lose loss;grow growth;choose choice;arrange organise;advise advice;prove proof;believe belief;"
    "weigh weight;die death;marry marriage;fail failure;depart departure;assist assistance;differ differently"
)


def _synonym_classes(table: str) -> dict[str, frozenset[str]]:
    classes: dict[str, frozenset[str]] = {}
    for group in table.split(";"):
        members = _stems(group)
        for member in members:
            classes[member] = classes.get(member, frozenset()) | members
    return classes


SYNONYMS = _synonym_classes(_SYNONYMS)

ENDINGS = {"ly": 4, "ally": 5, "ation": 4, "ion": 5, "ship": 5}
"""Endings that leave a stem of so many letters with its meaning."""

TOLD_BY_ENDING = _stems("hard late near short bare scarce direct present live high most last scholar miss pass")
"""Words that mean something else with one of `ENDINGS`."""

CONFUSABLE = _pairs(
    "desert/dessert causal/casual trial/trail diary/dairy angel/angle united/untied martial/marital "
    "through/though though/thorough form/from breath/breathe public/pubic conservation/conversation model/modal "
    "county/country statue/statute sever/severe planed/planned hoping/hopping later/latter loose/lose "
    "personal/personnel moral/morale bread/bred filed/filled staring/starring stared/starred quite/quiet "
    "costal/coastal prefect/perfect devise/device complement/compliment stationary/stationery principal/principle "
    "clam/calm salve/slave sacred/scared silver/sliver board/broad carves/craves bared/barred affect/effect "
    "accept/except precede/proceed emigrate/immigrate council/counsel weather/whether allusion/illusion elicit/illicit "
    "imply/infer insure/ensure adverse/averse eminent/imminent update/upgrade restart/reset extend/expand "
    "remove/rename report/reorder weekend/weekday restore/restart"
)
"""Different words that look like each other's misspelling."""

FUNCTION_WORDS = frozenset(
    "a an the this that these those there here it its i me my mine myself we us our ours you your yours be am is are "
    "was were been being do does did doing done have has had having will would shall can could may might must should "
    "ought to of in on at by for from with into onto as about and or but so if then than also just very really "
    "actually indeed literally truly somehow simply basically exactly even quite rather please kindly what which who "
    "whom whose when where why how s t ll re ve d m let us one ones any some such own it's etc ok okay well too "
    "either um uh er "
    "erm hmm oh fact usually generally typically normally exact got get able via per like that because while whilst "
    "whenever though although".split()
)

EMPTY_WORDS = _stems(
    "get go have do make need want like know tell help find way thing possible able currently usually please "
    "best-way question wonder steps process procedure work try stuff manage person come stay remain offer place "
    "list explain show between exist mean option say suppose let whether case guess bother appreciate"
)
"""Content words that add little: alone on one side they don't tell two questions apart."""

ROLE_PREPOSITIONS = frozenset(
    "of in at on to from into onto by than for with against over before after without as like".split()
)

THIRD_PERSON = {
    "he": "he", "him": "he", "his": "he", "himself": "he", "she": "she", "her": "she", "hers": "she",
    "herself": "she", "they": "they", "them": "they", "their": "they", "theirs": "they",
}  # fmt: skip

SYMMETRIC = _stems(
    "marry engaged related equal similar same different difference compare comparison versus vs "
    "connected linked tied adjacent distance between similarity synonymous compatible "
    "interchangeable correlate correlation identical parallel border divorce overlap intersect"
)
"""Relations that hold both ways: the order of what they relate says nothing."""

MUTUAL = _stems(
    "friend sibling cousin neighbour neighbor partner twin acquaintance colleague classmate roommate relative rival "
    "synonym antonym opposite"
)
"""The same of nouns with *of*: a friend of, but not my friend."""

NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen "
        "eighteen nineteen".split()
    )
} | {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}

MULTIPLIERS = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}

ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), 1
    )
}

CASED = frozenset(
    "us who it aids polish turkey may march august china chile jordan georgia lent job reading nice mobile bath cork "
    "tangier java jersey guinea hungary greece rice bond frank rob sue mark bill jack grace rose faith hope april "
    "june dick pat drew apple amazon windows word excel access outlook teams shell target gap visa swift go rust "
    "ram cat pet sad ace arm amp bit cop ear gas hit ice map mast met net pin rip sat seal spa tan "
    "mercury mars earth moon sun concord lima sierra crack rich will art miles dean baker smith cook hunter "
    "young brown black white green king stone".split()
)
"""Words that mean another thing with a capital, which some leave out: the case must be the same."""

ACRONYMS = CASED & FUNCTION_WORDS

CASED_UNITS = frozenset("mw mb gb kb tb mm m mv ma mg g k mj mpa pa mhz mah mbp s".split())
"""Units, in small letters, that another case makes another unit."""

UNIT_SIGNS = {"£": "gbp", "$": "usd", "€": "eur", "¥": "yen", "₹": "rupee", "%": "percent", "°": "degree"}
UNITS = {
    "pound": "gbp", "pounds": "gbp", "quid": "gbp", "dollar": "usd", "dollars": "usd", "euro": "eur", "euros": "eur",
    "kg": "kilogram", "kgs": "kilogram", "kilo": "kilogram", "kilos": "kilogram", "km": "kilometre", "kms": "kilometre",
    "kilometer": "kilometre", "kilometers": "kilometre", "kilometres": "kilometre", "hrs": "hour", "hr": "hour",
    "mins": "minute", "min": "minute", "mg": "milligram", "ml": "millilitre", "milliliter": "millilitre",
    "milliliters": "millilitre", "millilitres": "millilitre", "cm": "centimetre", "cms": "centimetre",
    "centimeter": "centimetre", "centimeters": "centimetre", "centimetres": "centimetre", "liter": "litre",
    "liters": "litre", "litres": "litre", "oz": "ounce", "ounces": "ounce", "ft": "foot", "meter": "metre",
    "meters": "metre", "metres": "metre", "secs": "second", "sec": "second", "ms": "millisecond", "yrs": "year",
    "yr": "year", "wks": "week", "gb": "gigabyte", "mb": "megabyte", "tb": "terabyte", "lbs": "lb",
}  # fmt: skip

UNIT_STEMS = frozenset(map(stem, (*UNITS.values(), *UNIT_SIGNS.values()))) | _stems(
    "inch inches mile miles gram yard acre gallon pint cup tablespoon teaspoon day week month year decade cent penny "
    "byte kilobyte watt kilowatt volt celsius fahrenheit kelvin percent"
)

PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), replacement)
    for pattern, replacement in (
        (r"can't|can not|cannot", "can not"),
        (r"won't", "will not"),
        (r"shan't", "shall not"),
        (r"ain't", "is not"),
        (r"(\w+)n't", r"\1 not"),
        (r"(isn|aren|wasn|weren|don|doesn|didn|hasn|haven|couldn|wouldn|shouldn)t", r"\1 not"),
        (r"may (?=\d)|(?<=\d )may|(?<=in )may|(?<=of )may|(?<=early )may|(?<=late )may|(?<=mid )may", "maymonth "),
        (r"i'm", "i am"),
        (r"(\w+)'(?:re|ve|ll|d|m)", r"\1"),
        (r"how come|for what reason|what is the reason", "why"),
        (
            r"(who|what|which \w+) (?:do|does|did) ((?:[\w']+ ){1,3}?)(?:think|believe|say) (is|are|was|were) "
            r"([^?.!,;]+)",
            r"\1 \3 \4 according to \2",
        ),
        (r"in the (?:opinion|view|eyes) of", "according to"),
        (r"unlike", "not like"),
        (r"what steps (?:do|should) i take to|what do i (?:need|have) to do to|what are the steps to", "how do i"),
        (r"what is the (?:best |right |correct )?way to|how to|how can i go about|how do i go about", "how do i"),
        (r"(?:at )?what time|what date|on what day", "when"),
        (r"turn(?:ed|ing)? (\w+ )?off|switch(?:ed|ing)? (\w+ )?off", r"disable \1\2"),
        (r"turn(?:ed|ing)? (\w+ )?on|switch(?:ed|ing)? (\w+ )?on", r"enable \1\2"),
        (r"set(?:ting)? up", "setup"),
        (r"(?:log|logging|logged) ?in(?: to)?|(?:sign|signing|signed) ?in(?: to)?", "login"),
        (r"(?:log|logging|logged) ?out|(?:sign|signing|signed) ?out", "logout"),
        (r"(?:sign|signing|signed) ?up", "register"),
        (r"get(?:ting)? rid of|take out of", "remove"),
        (r"artificial intelligence", "ai"),
        (r"machine learning", "ml"),
        (r"per cent", "percent"),
        (r"is there (?:a|any|some) (?:way|possibility|option|chance) (?:for me )?to|any way to", "can i"),
        (r"(?:at|from|until|by) what age|what age", "how old"),
        (r"(?:in )?(?:what|which) year|on which (?:day|date)|which date", "when"),
        (r"for free|free of charge|at no (?:extra |additional )?(?:cost|charge)", "free"),
        (r"due to|owing to|on account of|as a result of", "because of"),
        (r"prior to|ahead of", "before"),
        (r"in order to", "to"),
        (r"in (\w+(?:ing|al)|reverse) order", r"\1"),
        (r"in case(?! of)|provided that|in the event that|as long as", "if"),
        (r"more than one", "several"),
        (r"thru", "through"),
        (r"half an hour|half-hour", "30 minutes"),
        (r"a dozen", "12"),
        (r"(\d+) ?k(?=$|[\s?.,!])", r"\g<1>000"),
        (r"twice", "2 times"),
        (r"(\d+) ?a\.?m\.?", r"\1 amtime"),
        (r"(\d+) ?p\.?m\.?", r"\1 pmtime"),
        (r"next to", "adjacent"),
        (r"(?:(?<=^)|(?<=please )|(?<=you ))give (?:me|us)", ""),
        (r"1st", "first"),
        (r"2nd", "second"),
        (r"(?:no|nr)\. ?(?=\d)", "number "),
        (r"(?:fill|filling|filled) (?:in|out)", "complete"),
        (r"(?:pick|picking|picked) (\w+ )?up", r"collect \1"),
        (r"(?:give|giving|gave|send|sending|sent) (\w+ )?back", r"return \1"),
        (r"(?:call|calling|called) off", "cancel"),
        (r"(?:hand|handing|handed) in", "submit"),
        (r"(?:put|putting) off", "postpone"),
        (r"(?:throw|throwing|threw) (\w+ )?(?:away|out)|(?:dispose|disposing) of", r"discard \1"),
        (r"(?:work|working|figure|figuring|find|finding) out", "find"),
        (r"(?:take|takes|took|taking) place", "happen"),
        (r"(?:show|showed|shown|turn|turned) up", "come"),
        (r"most recent", "latest"),
        (r"at all|in fact|of course|for sure", ""),
        (r"comes? with|came with|coming with", "include"),
        (r"a lot of|lots of", "many"),
        (r"instead of|rather than", "insteadof"),
        (r"(?:no|any) longer|not any ?more", "nolonger"),
        (r"is it (?:possible|ok|okay) (?:for me )?to|am i able to|would it be possible to", "can i"),
        (r"(?:is it|would it be) (?:fine|alright|all right|allowed|permitted|acceptable) (?:for me )?to", "can i"),
        (r"am i allowed to|may i", "can i"),
    )
)

DUTIES = {
    "must": re.compile(r"\b(?:must|have to|has to|need to|needs to|required to|obliged to)\b"),
    "should": re.compile(r"\b(?:should|ought to|advisable|recommended)\b"),
    "can": re.compile(r"\b(?:can|could|may|might|able to|allowed to)\b"),
    "will": re.compile(r"\b(?:will|shall)\b"),
}
