"""Lua scripts of `progress` and `ledger`: what has to happen at once in Redis.

The clock is the server's, so workers whose clocks differ agree.  A client that gets no answer asks again, so the
scripts that grant something to one caller know who asks, and answer the same caller the same.
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] .. '.' .. string.format('%06d', time[2])
"""

#: KEYS: waiting, running, open, attempts, times, ended, done.
#: ARGV: member, job, step, step:unit, fresh, within, kept, unit, caller.
#: -1: the job has ended, 0: somebody is at it, else: attempt.  A message that comes after the end is no attempt.
START = (
    _NOW
    + """
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[6]) == 1 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return -1
end
local since = redis.call('ZSCORE', KEYS[2], ARGV[1])
if since and redis.call('HGET', KEYS[4], ARGV[4] .. ':by') == ARGV[9] then
  return tonumber(redis.call('HGET', KEYS[4], ARGV[4]) or '1')
end
if ARGV[5] == '1' and since and tonumber(now) - tonumber(since) < tonumber(ARGV[6]) then return 0 end
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('HSETNX', KEYS[5], ARGV[3] .. ':start', now)
redis.call('EXPIRE', KEYS[5], ARGV[7])
if redis.call('SISMEMBER', KEYS[7], ARGV[8]) == 1 then
  return math.max(1, tonumber(redis.call('HGET', KEYS[4], ARGV[4]) or '1'))
end
redis.call('HSET', KEYS[4], ARGV[4] .. ':by', ARGV[9])
local count = redis.call('HINCRBY', KEYS[4], ARGV[4], 1)
redis.call('EXPIRE', KEYS[4], ARGV[7])
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
if ARGV[6] == '1' then redis.call('HINCRBY', KEYS[4], ARGV[3], -1) end
local count = redis.call('HINCRBY', KEYS[4], ARGV[3] .. ':stumbles', ARGV[7])
redis.call('EXPIRE', KEYS[4], ARGV[8])
return count
"""
)

#: KEYS: waiting, running, open, done, claim, times, waiting of what follows, ended.
#: ARGV: member, job, unit, units, claim for, kept, step, member that follows, caller.
#: -1: the job has ended, 1: go on.
FINISH = (
    _NOW
    + """
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[8]) == 1 then return -1 end
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('SADD', KEYS[4], ARGV[3])
redis.call('EXPIRE', KEYS[4], ARGV[6])
redis.call('HSET', KEYS[6], ARGV[7] .. ':end', now)
redis.call('EXPIRE', KEYS[6], ARGV[6])
if redis.call('SCARD', KEYS[4]) < tonumber(ARGV[4]) then return 0 end
if redis.call('GET', KEYS[5]) == ARGV[9] then return 1 end
if not redis.call('SET', KEYS[5], ARGV[9], 'NX', 'EX', ARGV[5]) then return 0 end
if ARGV[8] ~= '' then redis.call('ZADD', KEYS[7], now, ARGV[8]) end
return 1
"""
)

#: KEYS: waiting, running, open.  ARGV: job, again, members.
ANNOUNCE = (
    _NOW
    + """
redis.call('ZADD', KEYS[3], now, ARGV[1])
for i = 3, #ARGV do
  if ARGV[2] == '1' then redis.call('ZREM', KEYS[2], ARGV[i]) end
  redis.call('ZADD', KEYS[1], now, ARGV[i])
end
return #ARGV - 2
"""
)

#: KEYS: workers.  ARGV: member, seconds after which others are forgotten.
PULSE = (
    _NOW
    + """
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(now) - tonumber(ARGV[2]))
"""
)

#: KEYS: done, attempts.  ARGV: unit, units, step:unit.
REOPEN = """
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[2], ARGV[3], ARGV[3] .. ':stumbles', ARGV[3] .. ':by')
return redis.call('SREM', KEYS[1], ARGV[1])
"""
