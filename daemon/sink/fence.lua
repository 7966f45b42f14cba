-- One batch of alerts and dead letters, taken at most once.
--
-- Why sending a batch again is safe: Redis runs a script alone, but does not
-- roll it back. Everything that can fail without our doing is checked before
-- the first write (types, epoch, gap), and then an alert's XADD and the mark
-- that says so stand side by side. Wherever the script ends, the mark tells
-- exactly which alerts are in the stream. All else is derived and repeatable
-- and goes through pcall, so that a missing right to publish or a key of a
-- foreign type costs that one thing and is reported. The stream itself refuses
-- a seq that it has: its ids are the seqs.
--
-- KEYS  alerts, fence, open, dead, then one hash per alert, or with none of
--       them the hash of an id in `open` that has none
-- ARGV  epoch, published, keep, history, dead history, prefix,
--       number of alerts, of dead letters, ordinal of the dead letter that
--       was sent before these, then per alert
--       seq hash id rev state open level was rule key score json
--       and per dead letter ordinal topic partition offset reason field,
--       and that id
local alerts, fence, open, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, published, keep = ARGV[1], ARGV[2], ARGV[3]
local history, dead_history, prefix = ARGV[4], ARGV[5], ARGV[6]
local n, m = tonumber(ARGV[7]), tonumber(ARGV[8])

local function check(key, kind)
	local is = redis.call('TYPE', key).ok
	return is == kind or is == 'none'
end
if not (check(alerts, 'stream') and check(fence, 'hash')
		and check(dead, 'stream')) then
	return redis.error_reply('WRONGTYPE ' .. alerts .. ' or ' .. fence ..
		' or ' .. dead .. ' holds something else')
end

local now = redis.call('HMGET', fence, 'epoch', 'mark', 'dead')
local theirs, mark, last = now[1], now[2], now[3]
if not (theirs and mark and last) then
	return redis.error_reply('LOST the fence is gone')
end
-- Epochs, seqs and ordinals stay below 2^53: doubles hold them exactly.
if tonumber(theirs) > tonumber(epoch) then
	return redis.error_reply('FENCED by epoch ' .. theirs)
elseif tonumber(theirs) < tonumber(epoch) then
	return redis.error_reply('LOST the epoch went back to ' .. theirs)
end
mark, last = tonumber(mark), tonumber(last)
-- Seqs have no holes; ordinals do, so it is said which one came before.
if n > 0 and tonumber(ARGV[10]) > mark + 1 then
	return redis.error_reply(string.format('GAP %.0f', mark))
end
if m > 0 and tonumber(ARGV[9]) > last then
	return redis.error_reply(string.format('GAP dead %.0f', last))
end

local failures, first = 0, ''
local function try(...)
	local r = redis.pcall(...)
	if type(r) == 'table' and r.err then
		failures = failures + 1
		if first == '' then
			first = select(1, ...) .. ': ' .. r.err
		end
	end
end

local at = 10
for i = 1, n do
	local seq, hash, id, rev, state, is_open, level, was, rule, key, score,
		json = unpack(ARGV, at, at + 11)
	at = at + 12
	if tonumber(seq) > mark then
		redis.call('XADD', alerts, 'MAXLEN', '~', history, seq .. '-0',
			'id', id, 'seq', seq, 'state', state, 'level', level,
			'rule', rule, 'key', key, 'published', published,
			'json', json)
		redis.call('HSET', fence, 'mark', seq, 'hash', hash)
		mark = tonumber(seq)
		if mark == 1 then
			redis.call('HSET', fence, 'chain', hash)
		end
		local alert = KEYS[4 + i]
		try('HSET', alert, 'id', id, 'seq', seq, 'rev', rev,
			'state', state, 'open', is_open, 'level', level,
			'rule', rule, 'key', key, 'json', json)
		if is_open == '1' then
			try('PERSIST', alert)
			try('ZADD', open, score, id)
		else
			try('EXPIRE', alert, keep)
			try('ZREM', open, id)
		end
		try('PUBLISH', prefix .. ':alerts', json)
		try('PUBLISH', prefix .. ':alerts:' .. level, json)
		if was ~= '' and was ~= level then
			try('PUBLISH', prefix .. ':alerts:' .. was, json)
		end
		try('PUBLISH', prefix .. ':rule:' .. rule, json)
	end
end
for i = 1, m do
	local ordinal, topic, partition, offset, reason, field =
		unpack(ARGV, at, at + 5)
	at = at + 6
	if tonumber(ordinal) > last then
		redis.call('XADD', dead, 'MAXLEN', '~', dead_history,
			ordinal .. '-0', 'topic', topic,
			'partition', partition, 'offset', offset,
			'reason', reason, 'field', field,
			'published', published)
		redis.call('HSET', fence, 'dead', ordinal)
		last = tonumber(ordinal)
	end
end
if n == 0 and KEYS[5] and not redis.call('HGET', KEYS[5], 'json') then
	redis.call('ZREM', open, ARGV[at])
end
return { string.format('%.0f', mark), string.format('%.0f', last), failures,
	first }
