"""What the crowd says: a few hundred parts that make many thousand comments."""

from random import Random

_OPENERS = (
    "ok", "wait", "honestly", "no way,", "chat,", "lol", "hmm", "guys,", "so", "well,", "wow,",
    "hot take:", "breaking news:", "fun fact:", "I swear", "be honest,", "not gonna lie,",
    "my cat says", "my dad says", "grandma just said", "the whole office agrees:",
)  # fmt: skip

_REMARKS = (
    "the keeper has hands made of glue", "this midfield is pure poetry",
    "number 7 runs like he left the oven on", "that pass had its own zip code",
    "the referee needs a coffee", "I have aged three years in this half",
    "the grass deserves an assist", "somebody check on the goalpost",
    "the coach is doing interpretive dance again", "that was almost a thing of beauty",
    "my popcorn is gone and we are ten minutes in", "this defence is a revolving door",
    "the commentator just invented a new word", "I could have missed that too",
    "the linesman is having the game of his life", "tactics: run and hope",
    "the bench is colder than my fridge", "this is why I love this game",
    "the ball has had enough", "I forgot to blink for five minutes",
    "that corner was taken from another dimension", "the mascot is the best player today",
    "somebody teach that wall to jump", "we are witnessing history, or at least geometry",
    "my neighbour is louder than the stadium", "this stream is faster than my neighbour's TV",
    "the substitute has fresh socks and fresh ideas", "I am not crying, it is the onions",
    "offside by half a shoelace", "the crowd sounds like a very happy ocean",
    "that tackle was mostly polite", "the captain is pointing at things again",
    "possession is nine tenths of the yawn", "I believe in this team and in snacks",
    "this rain is on nobody's side", "the drummer in section C deserves a contract",
    "that dribble should be in a museum", "extra time would ruin my dinner, I want it",
    "the scoreboard is shy today", "I taught him that move (I did not)",
)  # fmt: skip

_QUESTIONS = (
    "who else is watching from work?", "did anybody see that?", "is it just me or is it hot here?",
    "where is everybody watching from?", "what is the score in your heart?",
    "can we talk about that haircut?", "who wants to predict the result?",
    "is the keeper allowed to do that?", "how is this only the first half?",
    "does anyone have a spare nerve?", "who is player of the match so far?",
    "are we recording this for the grandchildren?", "why does my tea go cold every match?",
    "when did we get this good?", "would you have scored that?", "was that a foul or a hug?",
)  # fmt: skip

_GREETINGS = (
    "hello from", "greetings from", "watching from", "good evening from", "up way too late in",
    "on the bus in", "hiding from my boss in", "the pub is packed in",
)  # fmt: skip

_PLACES = (
    "Lisbon", "Nairobi", "Osaka", "Bergen", "Montevideo", "Leeds", "Kraków", "Hanoi", "Quito",
    "Tromsø", "Mumbai", "Dakar", "Winnipeg", "Graz", "Perth", "Casablanca", "Tallinn", "Busan",
    "the kitchen", "row 34", "a very small island", "São Paulo", "Zürich", "the night shift",
)  # fmt: skip

_REPLIES = (
    "this ^", "exactly what I was thinking", "came here to say this", "you and me both",
    "sir, this is a football match", "I respectfully disagree and also have no arguments",
    "frame this comment", "the wisdom of the internet", "tell that to my uncle",
    "ok that made me laugh", "I am stealing this", "screenshot taken", "say it louder",
    "you must be fun at halftime", "counterpoint: no", "finally somebody said it",
    "I read this in the commentator's voice", "good one!", "same here", "source: trust me",
    "my whole row is laughing at this", "can confirm", "add this to the rules", "10/10 comment",
)  # fmt: skip

_GOALS = (
    "GOOOOAL", "GOAL!!!", "YESSSS", "WHAT A GOAL", "IT IS IN", "I dropped my phone",
    "the roof is gone", "top corner!!", "unbelievable", "SCENES", "my ears", "that finish!!",
    "I hugged a stranger", "I knew it I knew it I knew it", "woke up the baby, worth it",
    "put it in the museum", "the net is still moving", "how did he see that gap",
    "the neighbours know now", "I am on the table", "replay please, all night", "MAGIC",
    "did that just happen", "my heart rate monitor is concerned", "dance dance dance",
)  # fmt: skip

_ENDINGS = (
    "", "", "", "", "", "", " 😂", " 🔥", " 👏", " lol", " haha", " ...", " 🎉", " 😅", "!", "!!",
    " 🙌", " (help)", " no regrets", " and I mean it",
)  # fmt: skip

_NAMES = (
    "ada", "bo", "chidi", "dana", "emre", "freya", "goran", "hana", "iris", "jun", "kofi", "lena",
    "mateo", "nia", "otto", "priya", "quinn", "rosa", "sami", "tove", "uma", "viktor", "wren",
    "yara", "zeno",
)  # fmt: skip

_NICKNAMES = (
    "on-the-bus", "fc", "1904", "left-foot", "again", "the-great", "upstairs", "goalie", "x",
    "from-row-3", "v2", "late", "no-thumbs", "offside", "halftime", "with-snacks",
)  # fmt: skip


def name(random: Random, number: int) -> str:
    """Return the name of the person with this number; different numbers, different names."""
    return f"{random.choice(_NAMES)}-{random.choice(_NICKNAMES)}-{number}"


def comment(random: Random) -> str:
    """Return something that one says while nothing much happens."""
    kind = random.random()
    if kind < 0.55:
        remark = random.choice(_REMARKS)
        opener = f"{random.choice(_OPENERS)} " if random.random() < 0.4 else ""
        return f"{opener}{remark}{random.choice(_ENDINGS)}"
    if kind < 0.8:
        return f"{random.choice(_QUESTIONS)}{random.choice(_ENDINGS)}"
    return f"{random.choice(_GREETINGS)} {random.choice(_PLACES)}{random.choice(_ENDINGS)}"


def goal(random: Random) -> str:
    """Return something that one shouts at the great moment."""
    shout = random.choice(_GOALS)
    return shout + random.choice(("", "", "!", "!!", " 🎉", " ⚽", " ⚽⚽⚽", " 😭", " 🔥🔥"))


def reply(random: Random) -> str:
    """Return an answer that fits nearly every comment."""
    return random.choice(_REPLIES) + random.choice(_ENDINGS)
