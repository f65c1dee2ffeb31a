"""Which questions that look alike may not share an answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from litellm_tokenopt.cache import lexicon
from litellm_tokenopt.cache.reading import read
from litellm_tokenopt.cache.veto import objections, veto

DIFFERENT = """
Why is my account not active?|Why is my card inactive?
Is the bridge not open in winter?|Is the tunnel closed in winter?
Sort the list in ascending order|Sort the list in descending order
Translate "late fee"|Translate "late train"
What is Python 3.10?|What is Python 3.1?
How do I upgrade from Java 8 to Java 17?|How do I upgrade from Java 17 to Java 8?
Does a cat weigh more than a dog?|Does a dog weigh more than a cat?
Translate hello into French|Translate hello into German
Write a function in C|Write a function in C++
How do I convert a string to an int?|How can I turn an integer into a string?
May I leave during the exam?|May I leave after the exam?
Who do teachers think is the best author?|Who is the best author according to teenagers?
Write a function in C#|Write a function in C
How do I write tests in Java?|How do I write tests in JavaScript?
Who wrote Hamlet?|When was Hamlet written?
Why did the deploy fail?|When did the deploy fail?
How many users are online?|How long are users online?
Delete all rows where age > 5|Delete all rows where age < 5
List every admin in the account|List only some admins in the account
Can I take ibuprofen with alcohol?|Can I take ibuprofen without alcohol?
What is my name?|What is your name?
Who are you?|Who am I?
What's the boiling point of water?|What's the freezing point of water?
Should I buy bonds?|Should I sell bonds?
convert `a` to `b`|convert `b` to `a`
What does "foo" mean?|What does "bar" mean?
Ping host_a|Ping host_b
Explain regex \\d+|Explain regex \\D+
What does %y print?|What does %Y print?
What is $Path?|What is $PATH?
Email bob@example.com|Email rob@example.com
Open https://a.example/x|Open https://a.example/y
How do I run git --hard?|How do I run git --soft?
Is the US bigger than China?|Is China bigger than the US?
Who is taller, Tom or Ann?|Is Tom taller than Ann?
What is the second law of thermodynamics?|What is the first law of thermodynamics?
Summarise chapter three|Summarise chapter four
Can you refund $20?|Can you refund £20?
Does it hold 5 kg?|Does it hold 5 lb?
The meeting is on 2026-03-04, right?|The meeting is on 2026-04-03, right?
Do I have to pay tax on gifts?|Can I pay tax on gifts?
What happened before the war?|What happened after the war?
Did the train leave?|Does the train leave?
Which employees like their manager?|Which managers like their employee?
Is it legal to hunt deer?|Is it illegal to hunt deer?
When should I turn on the heating?|When should I turn off the heating?
How do I sign in?|How do I sign out?
Explain supervised learning|Explain unsupervised learning
What are symmetric ciphers?|What are asymmetric ciphers?
Is the test done at least weekly?|Is the test done at most weekly?
flights to Oslo|flights from Oslo
How can I lose weight?|How can I gain weight?
How do I make her like him?|How do I make him like her?
what is the capital of georgia the country|what is the capital of georgia the state
how do I copy files from the server to the laptop in bash|how do I copy files from the laptop to the server in bash
Send the goods to my office and the invoice to my home|Send the goods to my home and the invoice to my office
The pump stopped because the alarm rang|The alarm rang because the pump stopped
What can a nurse do that a carer can't?|What can a carer do that a nurse can't?
Is it cheaper to rent than to buy a van?|Is it cheaper to buy than to rent a van?
My neighbour's dog bit my cat. Who pays?|My cat bit my neighbour's dog. Who pays?
I want to swap my aisle seat for a window seat|I want to swap my window seat for an aisle seat
Can guests on bicycles be admitted?|Can admitted guests be on bicycles?
The courier didn't turn up and I was charged|I didn't turn up and the courier was charged
Sum column A where column B is empty|Sum column B where column A is empty
How many days from 3 April to 10 April?|How many days from 3 April to 10 May?
Sort by date then by name|Sort by name then by date
Who was paid in March?|Who paid in March?
If Omar and Ines wed, is her mother glad?|If Omar and Ines wed, is Omar's mother glad?
Can the manager be fired?|Can the manager fire?
How does a bill become a law?|How does a law become a bill?
Did Google acquire YouTube?|Did YouTube acquire Google?
Was Google sued by Oracle?|Was Oracle sued by Google?
Do not restart the server|Restart the server
Never send emails to Ann|Always send emails to Ann
What is 15% of 80?|What is 80% of 15?
Is he the tallest?|Is he the shortest?
list files larger than 5 MB|list files smaller than 5 MB
What is the largest planet?|What is the smallest planet?
What is 2 + 3?|What is 2 * 3?
What is 5-3?|What is 5+3?
Is x > y?|Is x < y?
What is the role of sodium in cells?|What is the role of potassium in cells?
I can log in|I can't log in
How do I mute a channel?|How do I unmute a channel?
Is water wet?|Is water dry?
How do I care for a plant?|How do I buy a plant?
how do i pay my rent|how do i collect my rent
Should I use tabs or spaces?|Should I use tabs and spaces?
How to import data from Excel to SQL?|How to import data from SQL to Excel?
How do I move a file from A to B?|How do I move a file from B to A?
Yes|No
Continue|Stop
1|2
Is B better than C?|Is C better than B?
What are the pros of remote work?|What are the cons of remote work?
Rewrite this in the active voice|Rewrite this in the passive voice
How do I enable dark mode on Android?|How do I enable dark mode on iOS?
What do vegans eat?|What do vegetarians eat?
Why is my card declined?|Why isn't my card declined?
Which drug is safe for adults?|Which drug is safe for children?
解释量子力学|解释相对论
¿Cómo activo mi tarjeta?|¿Cómo cancelo mi tarjeta?
Wie aktiviere ich das Konto?|Wie deaktiviere ich das Konto?
How long is the flight from Rome?|How long was the flight from Rome?
Who did Brutus kill?|Who killed Brutus?
What follows Monday?|What does Monday follow?
How do I add Bob to Ann's team?|How do I add Ann to Bob's team?
Is it ok to feed cats dog food?|Is it ok to feed dogs cat food?
What's the tax on income under 50k?|What's the tax on income over 50k?
Remind me every Monday|Remind me every Tuesday
The first 10 rows|The last 10 rows
Explain why A implies B|Explain why B implies A
Can my manager see my messages?|Can I see my manager's messages?
Can my employer read my email?|Can I read my employer's email?
Does drinking cause depression?|Does depression cause drinking?
Is a square always a rectangle?|Is a rectangle always a square?
Is every poodle a dog?|Is every dog a poodle?
How do I ship from Spain to Italy?|How do I ship to Spain from Italy?
Is the store closed?|Is the store open?
What did Ann tell Bob?|What did Bob tell Ann?
Which is cheaper?|Which is more expensive?
Write the summary in English|Write the summary in Spanish
Write the code with comments|Write the code without comments
Is 5G safe?|Is 4G safe?
Does Python pass by value?|Does Python pass by reference?
Can I travel if I am pregnant?|Can I travel unless I am pregnant?
How do I merge branch dev into main?|How do I merge branch main into dev?
Compile with -O2|Compile with -O3
How much is 3 euros in dollars?|How much is 3 dollars in euros?
Subtract 5 from 10|Subtract 10 from 5
Divide 10 by 5|Divide 5 by 10
What is log base 2 of 8?|What is log base 8 of 2?
How far is Paris from Rome?|How far is Paris from Nice?
Send only the unread messages|Send the unread messages
Does anyone except Ann know?|Does anyone including Ann know?
Is smoking allowed?|Is smoking prohibited?
How do I avoid a fine?|How do I pay a fine?
Who is the CEO of Apple?|Who was the CEO of Apple?
Who will win the cup?|Who won the cup?
What is IT?|What is it?
Sort ascending|Sort descending
Round up 3.5|Round down 3.5
Is the glass half full?|Is the glass full?
What are the side effects of taking aspirin daily?|What are the side effects of taking aspirin weekly?
Is the deposit refundable?|Is the deposit non-refundable?
Show my past orders|Show my open orders
Can dogs eat grapes?|Can dogs eat apples?
How many calories in one egg?|How many calories in two eggs?
Which of them was first?|Which of them was last?
How do I transfer ownership to Ann?|How do I transfer ownership from Ann?
Why do I owe you money?|Why do you owe me money?
Can I sue my landlord?|Can my landlord sue me?
Did the dog bite the man?|Did the man bite the dog?
He sold her the car|She sold him the car
Is A or B true?|Is A and B true?
Tell the teacher about the student|Tell the student about the teacher
Turn the lights on|Turn the lights off
turn on the lights|turn off the lights
Lock the door|Unlock the door
How do I get on the mailing list?|How do I get off the mailing list?
How do I opt in?|How do I opt out?
How do I check in?|How do I check out?
Log me in|Log me out
What's up?|What's down?
What is version 2.1.10?|What is version 2.1.1?
Give me a synonym for happy|Give me an antonym for happy
Is this review positive?|Is this review negative?
why does it rain|when does it rain
explain like I'm five|explain like I'm ten
Book a table at 7|Book a table for 7
Who does she love?|Who loves her?
Wie lange gilt das Ticket?|Wie lange gilt der Gutschein?
¿Cómo llego al centro?|¿Cómo llego al puerto?
Comment fermer la porte ?|Comment ouvrir la porte ?
Как пройти в музей?|Как пройти в театр?
駅はどこですか|空港はどこですか
What does 🐱 stand for?|What does 🐶 stand for?
How is ø pronounced after Σ?|How is ø pronounced after Ω?
What is planned for 07/08/2023?|What is planned for 08/07/2023?
Is 1:4 a good ratio?|Is 4:1 a good ratio?
Is 20 mV dangerous?|Is 20 MV dangerous?
Is 8 Gb enough?|Is 8 GB enough?
What is N2O?|What is N2O2?
What does n-- return?|What does --n return?
What is the charge of Na+?|What is the charge of Na?
What does && do in bash?|What does || do in bash?
When is Lent in March?|When is lent in march?
Where can I see china?|Where can I see China?
who was born in the us|who was born in the US
A bus goes 90 km in 3 hours. How fast is it?|A bus goes 3 km in 90 hours. How fast is it?
Can I swap my room for a suite?|Can I swap my suite for a room?
Do dreams shape moods?|Do moods shape dreams?
Are all wugs daxes?|Are all daxes wugs?
Who is the boss of Tim?|Who is Tim the boss of?
Can I stay at the lodge?|Can I stay by the lodge?
What did she steal for Jo?|What did she steal from Jo?
What does it elicit?|What does it illicit?
How old is she?|How old is he?
"""

SAME = """
Who do teachers think is the best author?|Who is the best author according to teachers?
How do I convert a string to an int?|How can I turn a string into an integer?
How do I move money from my savings to my current account?|How do I move money to my current account from my savings?
In a Dockerfile, how do I copy a folder?|How do I copy a folder in a Dockerfile?
What should I do if the parcel is lost?|If the parcel is lost, what should I do?
The heater beeps when I open the window|When I open the window, the heater beeps
Can I freeze boiled rice?|Can boiled rice be frozen?
How do I mute a chat temporarily?|How do I temporarily mute a chat?
Is it safe to eat raw eggs?|Is eating raw eggs safe?
What time is it in Lima when it's noon in Oslo?|When it's noon in Oslo, what time is it in Lima?
Is she a Danish painter?|Is she a painter and Danish?
Does Peru border Chile?|Does Chile border Peru?
How do I organise my files?|How do I organize my files?
Is there a way to export my chats?|Is it possible to export my chats?
How long is half an hour of parking valid?|How long is 30 minutes of parking valid?
Show houses under 400k|Show houses under 400,000
How do I cancel all orders?|How do I cancel every order?
How do I reset my password?|How can I reset my password?
How do I reset my password?|hi, how do I reset my password please
What's the price of shipping?|How much does shipping cost?
What is the cost of shipping?|What is the shipping cost?
Explain recursion|Could you explain recursion?
Explain recursion|Can you explain recursion to me please?
What is the capital of Peru?|What's Peru's capital?
How do I delete my account?|How to delete my account?
How do I remove a user?|How do I delete a user?
Is it possible to change my flight?|Can I change my flight?
Tell me how photosynthesis works|How does photosynthesis work?
What is photosynthesis?|Can you tell me what photosynthesis is?
Is that not possible?|Is that impossible?
Where can I park near the stadium?|Near the stadium, where can I park?
Do you sell apples and pears?|Do you sell pears and apples?
How do I turn off notifications?|How do I disable notifications?
How do I sign up for the newsletter?|How do I register for the newsletter?
How many days are in two weeks?|How many days are in 2 weeks?
What time does the museum open?|When does the museum open?
Did Rome defeat Carthage?|Was Carthage defeated by Rome?
What is the differance between TCP and UDP?|What is the difference between UDP and TCP?
Why is the sky blue?|How come the sky is blue?
I want to know how vaccines work|How do vaccines work?
what are the benefits of running|What are the advantages of running?
Why do cats purr?|why do cats purr??
How do I center a div in CSS?|In CSS, how do I centre a div?
What does HTTP stand for?|what does http stand for
Do children need a ticket?|Do kids need a ticket?
Write a poem about autumn|Please write a poem about autumn.
How much is 64 GB of RAM?|how much is 64 gb of RAM?
what is the capital of peru|What is the capital of Peru?
What IS the capital of Peru?|What is the capital of Peru?
WHAT IS THE CAPITAL OF PERU?|What is the capital of Peru?
How do I get to the café?|How can I get to the café?
Are dogs allowed in the lobby?|Are dogs allowed at the lobby?
Can I bring a bike on the ferry?|Am I allowed to take a bike on the ferry?
How many sick days do nurses get?|What is the number of sick days for nurses?
How long is a session?|How long is a session ??
Do I need a permit for the customers' car park?|Is a permit necessary for the customers car park?
Is a break of 30 mins enough?|Is a break of 30 minutes sufficient?
Please describe the calculation of interest|Describe how to calculate interest
Sort the list in ascending order|Sort the list ascending
List the rivers in alphabetical order|List the rivers alphabetically
What does "late fee" mean on my bill?|What does late fee mean on my bill?
Why is the shop not open?|Why is the shop closed?
"""


def pairs(table: str) -> list[tuple[str, str]]:
    return [(one, other) for one, _, other in (line.partition("|") for line in table.strip().splitlines())]


@pytest.mark.parametrize(("one", "other"), pairs(DIFFERENT))
def test_different_questions_are_told_apart(one: str, other: str) -> None:
    """Numbers, names, roles, order, negation, time, quotes and opposites: each is a reason, both ways round."""
    assert veto(one, other) is not None
    assert veto(one, other) == veto(other, one)


@pytest.mark.parametrize(("one", "other"), pairs(SAME))
def test_other_wordings_are_let_through(one: str, other: str) -> None:
    """Politeness, contractions, synonyms, misspelling, lists and passives are no reason, both ways round."""
    assert veto(one, other) is None
    assert veto(other, one) is None


@pytest.mark.parametrize(
    ("reason", "one", "other"),
    [
        ("number", "Ship 2 boxes", "Ship 3 boxes"),
        ("number", "Is 40 pounds enough?", "Is 40 dollars enough?"),
        ("number", "Is 2 kg too much?", "Is 2 miles too much?"),
        ("antonym", "Wake me at 9 am", "Wake me at 9 pm"),
        ("roles", "Forecast sales from costs for the next year", "Forecast costs from sales for the next year"),
        ("duty", "How much should I drink?", "How much can I drink?"),
        ("exchange", "Do I first sign and then pay?", "Do I first pay and then sign?"),
        ("number", "Name the three largest dogs", "Name the third largest dog"),
        ("name", "Is it far to Rome?", "Is it far to Oslo?"),
        ("antonym", "How do I add a user?", "How do I remove a user?"),
        ("antonym", "Why does it hurt going upstairs?", "Why does it hurt going downstairs?"),
        ("antonym", "Can I keep an overpaid fee?", "Can I keep an underpaid fee?"),
        ("negation", "Why does it start?", "Why does it not start?"),
        ("words", "How do I wash wool?", "How do I dye wool?"),
        ("question_word", "Who founded Rome?", "When was Rome founded?"),
        ("roles", "trains from Rome to Oslo", "trains from Oslo to Rome"),
        ("exchange", "Did Ann call Bob?", "Did Bob call Ann?"),
        ("speaker", "I called her by mistake", "She called me by mistake"),
        ("exchange", "Would he reject her?", "Would she reject him?"),
        ("order", "Which planet is nearest to the sun?", "Which is the nearest planet to the sun?"),
        ("tense", "Is Ann a nurse?", "Was Ann a nurse?"),
        ("duty", "Must I tip?", "Can I tip?"),
        ("conjunction", "Is it red or blue?", "Is it red and blue?"),
        ("literal", "Rename `a.txt`", "Rename `b.txt`"),
        ("language", "Wie alt ist er?", "Wie alt ist der Mann?"),
        ("case", "Is Polish hard?", "Is polish hard?"),
        ("preposition", "Can I draw in the park?", "Can I draw from the park?"),
        ("speaker", "I was hired by Anna. Is it legal?", "Anna was hired by me. Is it legal?"),
        ("speaker", "Sam replaced me at work, what now?", "I replaced Sam at work, what now?"),
        ("speaker", "What if a friend of mine blocked me?", "What if I blocked a friend of mine?"),
        ("speaker", "May I sign? She's my guardian", "May I sign? I'm her guardian"),
        ("look_alike", "Does it affect me?", "Does it effect me?"),
        ("look_alike", "How can I upgrade my subscription?", "What's the way to update my subscription?"),
    ],
)
def test_reasons(reason: str, one: str, other: str) -> None:
    """A veto says why, in one of few words."""
    assert veto(one, other) == reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Help me cancel my order", "How do I cancel my order?"),
        ("Can you refund me?", "How do I get refunded?"),
        ("Someone robbed me", "I was robbed"),
        ("They charged us twice", "We were charged twice"),
    ],
)
def test_who_asks_takes_no_other_part(one: str, other: str) -> None:
    """What is done for those who ask, or to them, is the same with and without its doer."""
    assert "speaker" not in objections(one, other)


@pytest.mark.parametrize("word", ["possible", "legal", "regular", "visible", "logical", "happy", "helpful"])
def test_denials_that_say_the_same(word: str) -> None:
    """ "Not possible" is "impossible"; but neither is "possible"."""
    denied = {"possible": "impossible", "legal": "illegal", "regular": "irregular", "visible": "invisible",
              "logical": "illogical", "happy": "unhappy", "helpful": "unhelpful"}[word]  # fmt: skip
    assert veto(f"Is the plan not {word}?", f"Is the plan {denied}?") is None
    assert veto(f"Is the plan {word}?", f"Is the plan {denied}?") is not None
    assert veto(f"Is the plan not {denied}?", f"Is the plan {denied}?") == "negation"


WORDS = st.sampled_from(
    "how do i not add remove open the a file files from to London Rome 3 three % and or , ? is was can must who when "
    "what `x` us US you my your than before after because unless , enable disabled by he her 'q' - + it's can't".split()
)
QUESTIONS = st.one_of(st.lists(WORDS, max_size=9).map(" ".join), st.text(max_size=30))


@settings(max_examples=400, deadline=None)
@given(QUESTIONS, QUESTIONS)
@example("", "to us")
def test_symmetric(one: str, other: str) -> None:
    """Which of two questions came first makes no difference."""
    assert veto(one, other) == veto(other, one)


@settings(max_examples=200, deadline=None)
@given(QUESTIONS)
def test_no_question_is_vetoed_by_itself(question: str) -> None:
    """A question, and its copy with other white space, is the same question."""
    assert veto(question, question) is None
    assert veto(question, f" {question} ") is None


def test_lines_in_another_order() -> None:
    """The same lines in another order are another text: two passages to compare, steps, a log."""
    first, second = "The red house is small.", "A dog sleeps in the garden."
    assert veto(f"{first}\n{second}", f"{second}\n{first}") == "lines"
    assert veto(f"{first}\n{second}", f"{first}\n{second}") is None


def test_no_pair_is_both_synonym_and_antonym() -> None:
    """The word lists don't contradict each other."""
    both = [set(pair) for pair in lexicon.ANTONYMS if len(pair) == 2 and _synonyms(*pair)]
    assert both == []


def _synonyms(one: str, other: str) -> bool:
    return other in lexicon.SYNONYMS.get(one, ())


def test_cheap() -> None:
    """Reading the longest question that is compared, and comparing it, takes few milliseconds."""
    question = "How do I move the red box from the old house to the new one? " * 16
    begun = time.perf_counter()
    read(question)
    veto(question, question + " today")
    assert time.perf_counter() - begun < 0.1
