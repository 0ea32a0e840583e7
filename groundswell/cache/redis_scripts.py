"""What Redis runs for us: one script a kind of question, each with a list of them.

One script with a list costs a tenth of as many commands, and is atomic. `ARGV[1]` is the time in
microseconds, or empty: then the server's own clock, one for all processes, says it; only tests,
which drive a clock, say it themselves. Keys are made from `KEYS` and what is asked, so this is for
one Redis (with replicas if wanted), not for Redis Cluster.

Redis' own expiry removes what is old. Where being a moment too old would be wrong (claims,
viewers) the value says when it ends, too.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

CLAIM_S: Final = 600  # contract/ports/cache.py
VIEWERS_S: Final = 15
COUNTS_S: Final = 600  # after the last reaction to a comment
PAGE_S: Final = 3600  # bounds how long a text stays whose deletion nobody lived to write here
# Counts that begin right after an outage begin with totals that may lack what the tally has not
# written yet: for so long they are begun again and again.
UNSETTLED_S: Final = 3
UNSETTLED_COUNTS_S: Final = 1

_NOW = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local function digits(number) return string.format('%.0f', number) end
"""

# The era names the keys of all counts: a new one forgets them at once, and expiry removes them.
_ERA = """
local era = redis.call('GET', KEYS[1])
if not era then
  era = digits(now)
  redis.call('SET', KEYS[1], era)
end
local function key_of(comment) return KEYS[1] .. ':' .. era .. ':' .. comment end
"""


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """A script.

    `items_max` at most are asked at once, as Redis does nothing else meanwhile. `one_key`: all
    items have the same.
    """

    text: str
    items_max: int = 100
    one_key: bool = False
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", sha)


# KEYS: limits. ARGV, an item: how many limits, and of each interval and slack in microseconds.
# Answers microseconds to wait; takes from all limits of an item or from none.
TAKE = Script(
    _NOW
    + """
local waits, key, arg = {}, 1, 2
while key <= #KEYS do
  local count = tonumber(ARGV[arg])
  local tats = redis.call('MGET', unpack(KEYS, key, key + count - 1))
  local wait = 0
  for i = 1, count do
    local interval, slack = tonumber(ARGV[arg + 2 * i - 1]), tonumber(ARGV[arg + 2 * i])
    local tat = math.max(tonumber(tats[i] or now), now)
    wait = math.max(wait, tat - slack - now)
    tats[i] = tat + interval
  end
  if wait <= 1 then -- who waits exactly as long as told is let through
    wait = 0
    for i = 1, count do
      local left = math.ceil((tats[i] - now) / 1000) + 1
      redis.call('SET', KEYS[key + i - 1], digits(tats[i]), 'PX', digits(left))
    end
  end
  waits[#waits + 1] = wait
  key, arg = key + count, arg + 1 + 2 * count
end
return waits
"""
)

# KEYS: claims. ARGV, an item: "<time> <digest> <comment>". A claim is
# "<end in microseconds> <offset or -> <time> <digest> <comment>". Answers the earlier one or nil.
CLAIM = Script(
    _NOW
    + f"""
local earlier = {{}}
local ends = digits(now + {CLAIM_S} * 1000000)
for i, key in ipairs(KEYS) do
  local claim = redis.call('GET', key)
  if claim and tonumber(string.match(claim, '^%d+') or 0) > now then
    earlier[i] = claim
  else
    redis.call('SET', key, ends .. ' - ' .. ARGV[i + 1], 'PX', {CLAIM_S * 1000})
    earlier[i] = false
  end
end
return earlier
"""
)

# KEYS: claims. ARGV, an item: the offset of its record.
MARK_DONE = Script(
    """
for i, key in ipairs(KEYS) do
  local claim = redis.call('GET', key)
  if claim then
    local ends, rest = string.match(claim, '^(%d+) %S+ (.*)$')
    redis.call('SET', key, ends .. ' ' .. ARGV[i + 1] .. ' ' .. rest, 'KEEPTTL')
  end
end
return {}
"""
)

# KEYS: the era. ARGV, an item: comment, user, code. A comment is a hash: its counts under "#",
# which begins with "?" while unsettled and is no user's name, and users' codes. Answers counts.
REACT = Script(
    _NOW
    + _ERA
    + f"""
local answers, comments = {{}}, {{}}
local function load(comment)
  local key = key_of(comment)
  local text = redis.call('HGET', key, '#')
  if not text then return false end
  local counts = {{}}
  for count in string.gmatch(text, '%d+') do counts[#counts + 1] = tonumber(count) end
  return {{key = key, counts = counts, mark = string.match(text, '^%??')}}
end
for arg = 2, #ARGV, 3 do
  local name, user, code = ARGV[arg], ARGV[arg + 1], tonumber(ARGV[arg + 2])
  if comments[name] == nil then comments[name] = load(name) end
  local comment = comments[name]
  local old = comment and redis.call('HGET', comment.key, user)
  if old then
    old = tonumber(old)
    if old ~= code then
      local counts = comment.counts
      -- The store may have been behind when it was asked for the totals.
      if counts[old] then counts[old] = math.max(0, counts[old] - 1) end
      if code > 0 then
        for i = #counts + 1, code do counts[i] = 0 end
        counts[code] = counts[code] + 1
      end
      redis.call('HSET', comment.key, user, code)
      comment.changed = true
    end
    answers[#answers + 1] = table.concat(comment.counts, ',')
  else
    answers[#answers + 1] = false
  end
end
for _, comment in pairs(comments) do
  if comment then
    if comment.changed then
      redis.call('HSET', comment.key, '#', comment.mark .. table.concat(comment.counts, ','))
    end
    if comment.mark == '' then redis.call('PEXPIRE', comment.key, {COUNTS_S * 1000}) end
  end
end
return answers
""",
    one_key=True,
)

# KEYS: the era. ARGV, an item: comment, counts, how many users, and of each name, code, and the
# code where counts were there before.
SEED = Script(
    _NOW
    + _ERA
    + f"""
local mark, lasts = '', {COUNTS_S * 1000}
if now - tonumber(era) < {UNSETTLED_S} * 1000000 then
  mark, lasts = '?', {UNSETTLED_COUNTS_S * 1000}
end
local arg = 2
while arg <= #ARGV do
  local key, users = key_of(ARGV[arg]), tonumber(ARGV[arg + 2])
  local code = 2
  if redis.call('HSETNX', key, '#', mark .. ARGV[arg + 1]) == 1 then
    redis.call('PEXPIRE', key, lasts)
    code = 1
  end
  for user = arg + 3, arg + 3 * users, 3 do
    redis.call('HSETNX', key, ARGV[user], ARGV[user + code])
  end
  arg = arg + 3 + 3 * users
end
return {{}}
""",
    one_key=True,
)

# KEYS: the era.
FORGET_COUNTS = Script(
    _NOW
    + """
local era = tonumber(redis.call('GET', KEYS[1]) or 0)
redis.call('SET', KEYS[1], digits(math.max(now, era + 1)))
return {}
""",
    one_key=True,
)

# KEYS: pages. ARGV, an item: generation, upto, page. Of two pages the greater stays.
PUT_PAGE = Script(
    f"""
for i, key in ipairs(KEYS) do
  local generation, upto = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local there = redis.call('HMGET', key, 'generation', 'upto')
  local there_generation, there_upto = tonumber(there[1] or -1), tonumber(there[2] or -1)
  if generation > there_generation
    or (generation == there_generation and upto >= there_upto) then
    redis.call('HSET', key, 'generation', ARGV[3 * i - 1], 'upto', ARGV[3 * i],
      'page', ARGV[3 * i + 1])
    redis.call('PEXPIRE', key, {PAGE_S * 1000})
  end
end
return {{}}
""",
    items_max=10,  # of some 30 KB each
)

# KEYS: pages. Answers them, or nil.
PAGE = Script(
    """
local pages = {}
for i, key in ipairs(KEYS) do pages[i] = redis.call('HGET', key, 'page') end
return pages
""",
    items_max=10,
)

# KEYS: videos. ARGV, an item: process and viewers.
REPORT_VIEWERS = Script(
    _NOW
    + f"""
local ends = digits(now + {VIEWERS_S} * 1000000)
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, ARGV[2 * i], ARGV[2 * i + 1] .. ' ' .. ends)
  redis.call('PEXPIRE', key, {VIEWERS_S * 1000})
end
return {{}}
"""
)

# KEYS: videos. Answers the viewers of all processes.
VIEWERS = Script(
    _NOW
    + """
local answers = {}
for i, key in ipairs(KEYS) do
  local reports, sum = redis.call('HGETALL', key), 0
  for at = 1, #reports, 2 do
    local viewers, ends = string.match(reports[at + 1], '^(%d+) (%d+)$')
    if tonumber(ends) > now then
      sum = sum + tonumber(viewers)
    else
      redis.call('HDEL', key, reports[at])
    end
  end
  answers[i] = sum
end
return answers
"""
)

ALL: Final = (
    TAKE,
    CLAIM,
    MARK_DONE,
    REACT,
    SEED,
    FORGET_COUNTS,
    PUT_PAGE,
    PAGE,
    REPORT_VIEWERS,
    VIEWERS,
)
