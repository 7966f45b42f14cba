/*
 * Redis with its scripts, and the wire to it: what is sent arrives some time
 * later or never, and so does the answer.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct item {
	uint64_t seq;
	struct redis_entry entry;
};

/* As one script takes it. */
struct batch {
	struct batch *next;
	uint64_t epoch;
	struct item *items;
	size_t n;
	struct dead_letter *dead;
	size_t n_dead;
	uint64_t last_dead; /* what was sent before these */
	bool is_done;       /* the answer is on its way back */
};

struct connection {
	enum sink_state state;
	struct process *process;
	uint64_t epoch;
	struct sink_fence fence;
	struct batch *head, **tail;
	size_t items, dead;             /* under way or acknowledged */
	uint64_t last_dead;             /* the last one of these */
	size_t acked_items, acked_dead; /* since they were asked for */
	const char **open;
	size_t *open_len, n_open;
	bool has_open;
	uint8_t *others; /* ids that were asked for as well */
	size_t n_others;
	struct sink_counters counters;
};

struct redis redis;
static struct connection connections[PROCESSES];
/* Of connections that are no more, and what they have sent still arrives. */
static struct batch *late;
static struct redis saved;

/* --- the scripts --- */

static void add_items(const struct batch *batch) {
	for (size_t i = 0; i < batch->n; i++) {
		const struct item *item = &batch->items[i];

		if (item->seq <= redis.fence.mark)
			continue;
		if (item->seq != redis.fence.mark + 1)
			fail("alert %llu comes behind %llu",
			     (unsigned long long)item->seq,
			     (unsigned long long)redis.fence.mark);
		redis.entries = reallocarray(redis.entries, redis.n + 1,
					     sizeof(*redis.entries));
		if (!redis.entries)
			abort();
		redis.entries[redis.n++] = item->entry;
		redis.fence.mark = item->seq;
		redis.fence.has_hash = true;
		memcpy(redis.fence.hash, item->entry.hash, 32);
		note("redis has alert %llu", (unsigned long long)item->seq);
	}
}

static void add_dead(const struct batch *batch) {
	for (size_t i = 0; i < batch->n_dead; i++) {
		const struct dead_letter *dead = &batch->dead[i];

		if (dead->ordinal <= redis.fence.dead)
			continue;
		redis.dead = reallocarray(redis.dead, redis.n_dead + 1,
					  sizeof(*redis.dead));
		redis.dead_ordinals =
			reallocarray(redis.dead_ordinals, redis.n_dead + 1,
				     sizeof(*redis.dead_ordinals));
		if (!redis.dead || !redis.dead_ordinals)
			abort();
		redis.dead_ordinals[redis.n_dead] = dead->ordinal;
		redis.dead[redis.n_dead++] = dead->at;
		redis.fence.dead = dead->ordinal;
	}
}

/* False: it is refused, whole. */
static bool run_batch(const struct batch *batch) {
	if (!redis.fence.exists || redis.fence.epoch != batch->epoch) {
		note("a batch of epoch %llu is refused",
		     (unsigned long long)batch->epoch);
		return false;
	}
	if (batch->n && batch->items[0].seq > redis.fence.mark + 1) {
		note("a gap before alert %llu",
		     (unsigned long long)batch->items[0].seq);
		return false;
	}
	if (batch->n_dead && batch->last_dead > redis.fence.dead) {
		note("a gap before dead letter %llu",
		     (unsigned long long)batch->dead[0].ordinal);
		return false;
	}
	if (one_in(redis.refuses_one_in)) {
		note("a batch is refused");
		return false;
	}
	add_items(batch);
	add_dead(batch);
	return true;
}

/* --- the wire --- */

/* What was sent may still arrive; its answers go nowhere. */
static void drop(struct connection *c) {
	struct batch **end = &late;
	bool arrives = true;

	while (*end)
		end = &(*end)->next;
	for (struct batch *batch = c->head; batch; batch = batch->next) {
		arrives &= !one_in(3);
		if (!arrives || batch->is_done)
			continue;
		*end = make(1, sizeof(**end));
		**end = *batch;
		(*end)->next = NULL;
		end = &(*end)->next;
	}
	c->head = NULL;
	c->tail = &c->head;
	c->items = c->dead = c->acked_items = c->acked_dead = 0;
	c->has_open = false;
	if (c->state != SINK_FENCED)
		c->state = SINK_AWAY;
}

void redis_break(unsigned number) {
	note("%u loses its connection", number);
	drop(&connections[number]);
}

void redis_connect(struct process *process) {
	struct connection *c = &connections[process->number];

	if (!c->tail)
		c->tail = &c->head;
	drop(c);
	c->state = SINK_AWAY;
	c->process = process;
}

static void answer(struct connection *c) {
	struct batch *batch = c->head;

	c->head = batch->next;
	if (!c->head)
		c->tail = &c->head;
	c->acked_items += batch->n;
	c->acked_dead += batch->n_dead;
	note("%u hears of %zu alerts", c->process->number, batch->n);
}

static void arrive(struct connection *c, struct batch *batch) {
	bool fenced = redis.fence.epoch > batch->epoch;

	batch->is_done = run_batch(batch);
	if (batch->is_done)
		return;
	drop(c);
	if (fenced)
		c->state = SINK_FENCED;
}

void redis_step(void) {
	struct connection *c = &connections[chance(PROCESSES)];
	struct batch *batch;

	if (redis.is_away)
		return;
	if (late && one_in(3)) {
		batch = late;
		late = batch->next;
		note("a late batch arrives");
		run_batch(batch);
		return;
	}
	for (batch = c->head; batch && batch->is_done;)
		batch = batch->next;
	if (batch && (!c->head->is_done || one_in(2)))
		arrive(c, batch);
	else if (c->head)
		answer(c);
}

/* What comes behind it is written elsewhere. */
static struct redis kept(const struct redis *from) {
	struct redis to = *from;

	to.entries = make(from->n, sizeof(*to.entries));
	to.dead = make(from->n_dead, sizeof(*to.dead));
	to.dead_ordinals = make(from->n_dead, sizeof(*to.dead_ordinals));
	if (from->n)
		memcpy(to.entries, from->entries,
		       from->n * sizeof(*to.entries));
	if (from->n_dead)
		memcpy(to.dead, from->dead, from->n_dead * sizeof(*to.dead));
	if (from->n_dead)
		memcpy(to.dead_ordinals, from->dead_ordinals,
		       from->n_dead * sizeof(*to.dead_ordinals));
	return to;
}

void redis_save(void) {
	saved = kept(&redis);
	note("redis is saved at alert %llu",
	     (unsigned long long)redis.fence.mark);
}

void redis_load(bool emptied) {
	static const struct redis nothing;

	for (unsigned i = 0; i < PROCESSES; i++)
		if (connections[i].process)
			redis_break(i);
	late = NULL;
	/* Nobody sets it forward, or to what stood there before a seam. */
	emptied |= saved.n > redis.n || saved.fence.dead > redis.fence.dead ||
		   (saved.n && memcmp(redis.entries[saved.n - 1].hash,
				      saved.fence.hash, 32) != 0);
	redis = kept(emptied ? &nothing : &saved);
	note("redis goes back to alert %llu",
	     (unsigned long long)redis.fence.mark);
}

/* --- the sink --- */

static int sink_fd(const void *self) {
	(void)self;
	return -1;
}

static unsigned sink_events(const void *self) {
	(void)self;
	return 0;
}

static int64_t sink_wake(const void *self) {
	(void)self;
	return INT64_MAX;
}

static void sink_serve(void *self, int64_t now) {
	struct connection *c = self;

	(void)now;
	if (redis.is_away && c->state != SINK_AWAY && c->state != SINK_FENCED)
		drop(c);
	if (redis.is_away || c->state != SINK_AWAY || !one_in(4))
		return;
	c->fence = redis.fence;
	c->state = SINK_MET;
	note("%u meets redis at alert %llu", c->process->number,
	     (unsigned long long)c->fence.mark);
}

static enum sink_state sink_state(const void *self) {
	return ((const struct connection *)self)->state;
}

static const struct sink_fence *sink_fence(const void *self) {
	return &((const struct connection *)self)->fence;
}

static void sink_claim(void *self, uint64_t epoch, const uint8_t rules[32]) {
	struct connection *c = self;

	(void)rules;
	point("claim");
	if (redis.fence.epoch > epoch ||
	    (redis.fence.epoch == epoch && redis.owner != c->process->life)) {
		c->state = SINK_FENCED;
		return;
	}
	redis.fence.exists = true;
	redis.fence.epoch = c->epoch = epoch;
	redis.owner = c->process->life;
	c->fence = redis.fence;
	c->last_dead = redis.fence.dead;
	c->state = SINK_OPEN;
	/* The answer may be lost behind what it did. */
	if (one_in(20))
		drop(c);
}

static void sink_ask(void *self, const uint8_t *ids, size_t n) {
	struct connection *c = self;

	if (c->state != SINK_OPEN || !one_in(3))
		return;
	c->has_open = true;
	c->others = make(n, 16);
	c->n_others = n;
	if (n)
		memcpy(c->others, ids, 16 * n);
}

static bool is_asked_for(const struct connection *c, const uint8_t id[16]) {
	for (size_t i = 0; i < c->n_others; i++)
		if (memcmp(c->others + 16 * i, id, 16) == 0)
			return true;
	return false;
}

static bool is_newest(size_t i) {
	for (size_t k = i + 1; k < redis.n; k++)
		if (memcmp(redis.entries[k].id, redis.entries[i].id, 16) == 0)
			return false;
	return true;
}

static int by_id(const void *a, const void *b) {
	const struct redis_entry *const *x = a, *const *y = b;

	return memcmp((*x)->id, (*y)->id, 16);
}

static bool sink_records(const void *self, const char *const **records,
			 const size_t **lens, size_t *n) {
	struct connection *c = (struct connection *)(uintptr_t)self;
	const struct redis_entry **open = make(redis.n, sizeof(*open));

	if (!c->has_open)
		return false;
	c->n_open = 0;
	for (size_t i = 0; i < redis.n; i++)
		if (is_newest(i) && (redis.entries[i].open ||
				     is_asked_for(c, redis.entries[i].id)))
			open[c->n_open++] = &redis.entries[i];
	qsort(open, c->n_open, sizeof(*open), by_id);
	c->open = make(c->n_open, sizeof(*c->open));
	c->open_len = make(c->n_open, sizeof(*c->open_len));
	for (size_t i = 0; i < c->n_open; i++) {
		c->open[i] = open[i]->json;
		c->open_len[i] = open[i]->json_len;
	}
	*records = c->open;
	*lens = c->open_len;
	*n = c->n_open;
	return true;
}

static void sink_forget(void *self) {
	((struct connection *)self)->has_open = false;
}

static char *copy(const char *text, size_t len) {
	char *to = make(len + 1, 1);

	memcpy(to, text, len);
	return to;
}

static void put_item(struct item *to, const struct outbox_item *from) {
	to->seq = from->seq;
	memcpy(to->entry.hash, from->hash, 32);
	memcpy(to->entry.id, from->id, 16);
	to->entry.rev = from->rev;
	to->entry.open = from->open;
	to->entry.json = copy(from->json, from->json_len);
	to->entry.json_len = from->json_len;
}

static void sink_send(void *self, const struct outbox *outbox, size_t items,
		      size_t dead, int64_t now) {
	struct connection *c = self;

	(void)now;
	while (c->state == SINK_OPEN && (c->items < items || c->dead < dead)) {
		struct batch *batch;
		size_t n = 1 + chance(8);

		point("batch");
		if (c->state != SINK_OPEN)
			return;
		batch = make(1, sizeof(*batch));
		batch->epoch = c->epoch;
		batch->last_dead = c->last_dead;
		batch->items = make(n, sizeof(*batch->items));
		batch->dead = make(n, sizeof(*batch->dead));
		while (batch->n < n && c->items < items)
			put_item(&batch->items[batch->n++],
				 outbox_at(outbox, c->items++));
		while (batch->n_dead < n && c->dead < dead)
			batch->dead[batch->n_dead++] =
				*outbox_dead_at(outbox, c->dead++);
		if (batch->n_dead)
			c->last_dead = batch->dead[batch->n_dead - 1].ordinal;
		*c->tail = batch;
		c->tail = &batch->next;
	}
}

static void sink_acknowledged(void *self, size_t *items, size_t *dead) {
	struct connection *c = self;

	*items = c->acked_items;
	*dead = c->acked_dead;
	c->items -= c->acked_items;
	c->dead -= c->acked_dead;
	c->acked_items = c->acked_dead = 0;
}

static void sink_drop(void *self) {
	drop(self);
}

static void sink_status(void *self, const char *const *pairs, size_t n) {
	struct connection *c = self;

	(void)pairs;
	(void)n;
	if (c->state != SINK_OPEN || redis.fence.epoch == c->epoch)
		return;
	drop(c);
	if (redis.fence.epoch > c->epoch)
		c->state = SINK_FENCED;
}

static const struct sink_counters *sink_counters(const void *self) {
	return &((const struct connection *)self)->counters;
}

static const struct sink_class sink_class = {
	.name = "simulated",
	.fd = sink_fd,
	.events = sink_events,
	.wake = sink_wake,
	.serve = sink_serve,
	.state = sink_state,
	.fence = sink_fence,
	.claim = sink_claim,
	.ask_records = sink_ask,
	.records = sink_records,
	.forget_records = sink_forget,
	.send = sink_send,
	.acknowledged = sink_acknowledged,
	.drop = sink_drop,
	.status = sink_status,
	.counters = sink_counters,
};

struct sink redis_sink(unsigned number) {
	return (struct sink){ &sink_class, &connections[number] };
}
