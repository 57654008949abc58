"""Lua scripts of `progress` and `ledger`: what has to happen at once in Redis.

The clock is the server's, so workers whose clocks differ agree.  A client that gets no answer asks again, so the
scripts that grant something to one caller know who asks, and answer the same caller the same.
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] .. '.' .. string.format('%06d', time[2])
"""

#: A unit waits on one lane, or, when its message was sent again, on two: KEYS from ``first`` on are all of them.
_UNWAIT = """
local function unwait(first, unit)
  for i = first, #KEYS do redis.call('ZREM', KEYS[i], unit) end
end
"""

#: KEYS: running, open, attempts, times, ended, done, waiting of each lane.
#: ARGV: member, job, step, step:unit, fresh, within, kept, unit, caller, redelivered, most stumbles.
#: -1: the job has ended, 0: somebody is at it, else: attempt.  A message that comes after the end is no attempt.
#: One that is redelivered while its unit runs has lost the whole worker: a stumble, as no batch does that alone.
START = (
    _NOW
    + _UNWAIT
    + """
unwait(7, ARGV[1])
if redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return -1
end
local since = redis.call('ZSCORE', KEYS[1], ARGV[1])
if since and redis.call('HGET', KEYS[3], ARGV[4] .. ':by') == ARGV[9] then
  return tonumber(redis.call('HGET', KEYS[3], ARGV[4]) or '1')
end
if ARGV[5] == '1' and since and tonumber(now) - tonumber(since) < tonumber(ARGV[6]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZADD', KEYS[2], now, ARGV[2])
redis.call('HSETNX', KEYS[4], ARGV[3] .. ':start', now)
redis.call('EXPIRE', KEYS[4], ARGV[7])
if redis.call('SISMEMBER', KEYS[6], ARGV[8]) == 1 then
  return math.max(1, tonumber(redis.call('HGET', KEYS[3], ARGV[4]) or '1'))
end
redis.call('HSET', KEYS[3], ARGV[4] .. ':by', ARGV[9])
if since and ARGV[10] == '1'
  and redis.call('HINCRBY', KEYS[3], ARGV[4] .. ':stumbles', 1) <= tonumber(ARGV[11]) then
  return math.max(1, tonumber(redis.call('HGET', KEYS[3], ARGV[4]) or '1'))
end
local count = redis.call('HINCRBY', KEYS[3], ARGV[4], 1)
redis.call('EXPIRE', KEYS[3], ARGV[7])
return count
"""
)

#: KEYS: waiting, running, open, attempts, notes.
#: ARGV: member, job, step:unit, delay, why, forgiven, stumbled, kept.
PUT_BACK = (
    _NOW
    + """
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[1], tonumber(now) + tonumber(ARGV[4]), ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('HSET', KEYS[5], ARGV[3], ARGV[5])
redis.call('EXPIRE', KEYS[5], ARGV[8])
if ARGV[6] == '1' and tonumber(redis.call('HGET', KEYS[4], ARGV[3]) or '0') > 0 then
  redis.call('HINCRBY', KEYS[4], ARGV[3], -1)
end
local count = redis.call('HINCRBY', KEYS[4], ARGV[3] .. ':stumbles', ARGV[7])
redis.call('EXPIRE', KEYS[4], ARGV[8])
return count
"""
)

#: KEYS: running, open, done, claim, times, waiting of what follows, ended, waiting of each lane.
#: ARGV: member, job, unit, units, claim for, kept, step, member that follows, caller, frames, then what was spent:
#: name, seconds… -1: the job has ended, 1: go on.
FINISH = (
    _NOW
    + _UNWAIT
    + """
unwait(8, ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[7]) == 1 then return -1 end
redis.call('ZADD', KEYS[2], now, ARGV[2])
if redis.call('SADD', KEYS[3], ARGV[3]) == 1 then
  redis.call('HINCRBY', KEYS[5], ARGV[7] .. ':frames', ARGV[10])
  for i = 11, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[5], ARGV[7] .. ':' .. ARGV[i], ARGV[i + 1]) end
end
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('HSET', KEYS[5], ARGV[7] .. ':end', now)
redis.call('EXPIRE', KEYS[5], ARGV[6])
if redis.call('SCARD', KEYS[3]) < tonumber(ARGV[4]) then return 0 end
if redis.call('GET', KEYS[4]) == ARGV[9] then return 1 end
if not redis.call('SET', KEYS[4], ARGV[9], 'NX', 'EX', ARGV[5]) then return 0 end
if ARGV[8] ~= '' then redis.call('ZADD', KEYS[6], now, ARGV[8]) end
return 1
"""
)

#: KEYS: running, open, waiting of the lane, waiting of each lane.  ARGV: job, again, members.
ANNOUNCE = (
    _NOW
    + _UNWAIT
    + """
redis.call('ZADD', KEYS[2], now, ARGV[1])
for i = 3, #ARGV do
  if ARGV[2] == '1' then
    redis.call('ZREM', KEYS[1], ARGV[i])
    unwait(4, ARGV[i])
  end
  redis.call('ZADD', KEYS[3], now, ARGV[i])
end
return #ARGV - 2
"""
)

#: KEYS: ended, all that is of no use once the job has ended.  For a job that comes again after it was deleted.
BEGIN = """
if redis.call('DEL', KEYS[1]) == 1 then redis.call('DEL', unpack(KEYS, 2)) end
"""

#: KEYS: workers.  ARGV: member, seconds after which others are forgotten.
PULSE = (
    _NOW
    + """
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(now) - tonumber(ARGV[2]))
"""
)

#: KEYS: done, attempts, times.  ARGV: unit, units, step:unit, step, frames.
REOPEN = """
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[2], ARGV[3], ARGV[3] .. ':stumbles', ARGV[3] .. ':by')
if redis.call('SREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[3], ARGV[4] .. ':frames', -tonumber(ARGV[5]))
return 1
"""

#: KEYS: lanes, submitters, jobs of the submitter.  ARGV: job, submitter, priority, high for so many, shared lanes…
#: A submitter's few jobs go first; many share a lane with as few other submitters as possible, until all have ended.
LANE = """
local given = redis.call('HGET', KEYS[1], ARGV[1])
if given then return string.sub(given, 1, string.find(given, '|', 1, true) - 1) end
redis.call('SADD', KEYS[3], ARGV[1])
local lane = 'high'
if ARGV[3] == 'normal' or ARGV[3] == 'auto' and redis.call('SCARD', KEYS[3]) > tonumber(ARGV[4]) then
  lane = redis.call('HGET', KEYS[2], ARGV[2])
  if not lane then
    local users = {}
    for _, used in ipairs(redis.call('HVALS', KEYS[2])) do users[used] = (users[used] or 0) + 1 end
    for i = 5, #ARGV do
      if not lane or (users[ARGV[i]] or 0) < (users[lane] or 0) then lane = ARGV[i] end
    end
    redis.call('HSET', KEYS[2], ARGV[2], lane)
  end
end
redis.call('HSET', KEYS[1], ARGV[1], lane .. '|' .. ARGV[2])
return lane
"""

#: KEYS: lanes, submitters.  ARGV: job, prefix of the sets of jobs by submitter.
UNLANE = """
local given = redis.call('HGET', KEYS[1], ARGV[1])
if not given then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
local submitter = string.sub(given, string.find(given, '|', 1, true) + 1)
redis.call('SREM', ARGV[2] .. submitter, ARGV[1])
if redis.call('EXISTS', ARGV[2] .. submitter) == 0 then redis.call('HDEL', KEYS[2], submitter) end
return 1
"""

#: KEYS: unacknowledged messages, open jobs, time of the last sweep, workers, then the sorted sets of all steps.
#: ARGV: most messages that are looked at.  Gives the sizes of the sets, how many messages of each queue are not
#: acknowledged (name, count…), open jobs, the last sweep, now, and workers with their times.
OUTSTANDING = """
local sizes, unacked, by_queue = {}, {}, {}
for i = 5, #KEYS do sizes[i - 4] = redis.call('ZCARD', KEYS[i]) end
if redis.call('HLEN', KEYS[1]) <= tonumber(ARGV[1]) then
  for _, message in ipairs(redis.call('HVALS', KEYS[1])) do
    local queue = string.match(message, '"(%a+)[%w.]*"%]$')
    if queue then by_queue[queue] = (by_queue[queue] or 0) + 1 end
  end
end
for queue, count in pairs(by_queue) do
  table.insert(unacked, queue)
  table.insert(unacked, count)
end
return {
  sizes, unacked, redis.call('ZCARD', KEYS[2]), redis.call('GET', KEYS[3]) or '', redis.call('TIME')[1],
  redis.call('ZRANGE', KEYS[4], 0, -1, 'WITHSCORES'),
}
"""
