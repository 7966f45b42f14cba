-- Claims a lane for one daemon, or finds that another one has it.
--
-- An epoch is claimed once and belongs to one owner, so an answer that was
-- lost can be asked for again. A lower epoch than ours in the fence means that
-- Redis went back to an older state: ours is set again. A fence that is gone
-- is made from what the streams still say, as read by the caller on this very
-- connection. The answer is what the fence holds now that nobody else writes:
-- until here the daemon before could, so the caller compares it with what it
-- has read.
--
-- KEYS  fence
-- ARGV  epoch, owner, rules, mark, hash, dead
local fence = KEYS[1]
local epoch, owner = ARGV[1], ARGV[2]
local now = redis.call('HMGET', fence, 'epoch', 'owner', 'mark', 'dead')

if now[1] and (tonumber(now[1]) > tonumber(epoch)
		or (now[1] == epoch and now[2] ~= owner)) then
	return redis.error_reply('FENCED by epoch ' .. now[1])
end
if not now[3] then
	redis.call('HSET', fence, 'mark', ARGV[4], 'hash', ARGV[5])
end
if not now[4] then
	redis.call('HSET', fence, 'dead', ARGV[6])
end
redis.call('HSET', fence, 'epoch', epoch, 'owner', owner, 'rules', ARGV[3])
return redis.call('HMGET', fence, 'mark', 'dead')
