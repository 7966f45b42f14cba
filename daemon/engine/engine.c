/*
 * Engine: the step.
 *
 * For each input: raise the watermark, fire what falls due, fold the event
 * into all plans, then judge in the order of rules. A step may be interrupted
 * after any timer; everything before the fold can be done again without
 * effect.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SUB_BATCH 64u /* events routed ahead, so their keys are prefetched */

/* --- making one --- */

static void plan_init(struct engine *engine, size_t p) {
	struct plan_state *ps = &engine->plans[p];
	size_t n, i;

	ps->plan = engine->set->plans[p];
	layout_init(ps, &engine->arena);
	ps->most_entries = ps->plan->max_entries;
	if (ps->most_entries > engine->options.max_entries_per_rule)
		ps->most_entries =
			(uint32_t)engine->options.max_entries_per_rule;
	n = ps->plan->n_measures + 1;
	ps->n_by = (uint16_t)ps->plan->n_by;
	ps->is_of_peers = ps->plan->peers;
	ps->n_rules = (uint16_t)ps->plan->n_rules;
	ps->n_watchers = (uint16_t)ps->plan->n_watchers;
	ps->rules = arena_array(&engine->arena, struct rule_state *,
				ps->plan->n_rules + 1);
	for (i = 0; i < ps->plan->n_rules; i++)
		ps->rules[i] = &engine->rules[ps->plan->rules[i]->rank];
	ps->contributions = arena_array(&engine->arena, struct contribution, n);
	ps->entered = arena_array(&engine->arena, bool, n);
	/* An argument and a weight each. */
	ps->columns = arena_array(&engine->arena, struct value, 2 * n);
	ps->has_column = arena_array(&engine->arena, bool, 2 * n);
	ps->key_values =
		arena_array(&engine->arena, struct value, ps->plan->n_by + 1);
	if (ps->keyed && ps->wheel.width < engine->sweep_width)
		engine->sweep_width = ps->wheel.width;
}

static size_t count_clauses(const struct rule *rule) {
	size_t n = rule->alert_if.n_clauses + rule->resolve_if.n_clauses, band;

	for (band = LEVEL_GREEN; band <= LEVEL_RED; band++)
		n += rule->level[band].n_clauses;
	return n;
}

static usec_t year_start(const struct calendar *calendar, int32_t year) {
	return zone_day_start(&calendar->zone, days_from_civil(year, 1, 1));
}

/* A calendar without a file of holidays says itself that it has none. */
static void holidays_init(struct rule_state *rs) {
	const struct calendar *calendar = rs->rule->plan->calendar;

	rs->known_from = INT64_MIN;
	rs->known_to = INT64_MAX;
	if (!rs->rule->counts_workdays || !calendar->holidays_to)
		return;
	rs->known_from = year_start(calendar, calendar->holidays_from);
	rs->known_to = year_start(calendar, calendar->holidays_to + 1);
}

static int rule_init(struct engine *engine, size_t r) {
	struct rule_state *rs = &engine->rules[r];
	const struct rule *rule = engine->set->rules[r];
	size_t c;

	assert(rule->rank == r);
	if (rule->n_coarse > COARSE_MAX)
		return -E2BIG;
	rs->rule = rule;
	rs->plan = &engine->plans[rule->plan->index];
	rs->rank = rule->rank;
	rs->per_event = rule->per_event;
	rs->coarse = arena_array(&engine->arena, struct plan_state *,
				 rule->n_coarse + 1);
	for (c = 0; c < rule->n_coarse; c++)
		rs->coarse[c] = &engine->plans[rule->coarse[c].plan->index];
	rs->frame =
		arena_array(&engine->arena, struct value, rule->n_slots + 1);
	rs->kept = arena_array(&engine->arena, struct value,
			       rule->plan->n_kept + 1);
	rs->prev = arena_array(&engine->arena, struct value,
			       rule->plan->n_kept + 1);
	holidays_init(rs);
	frame_plan_early(rs);
	if (engine->options.coverage) {
		rs->n_coverage = count_clauses(rule);
		rs->coverage = arena_array(&engine->arena, uint8_t,
					   rs->n_coverage + 1);
	}
	return 0;
}

static void stream_init(struct engine *engine, size_t s) {
	struct stream_state *stream = &engine->streams[s];
	size_t i;

	stream->stream = engine->set->streams[s];
	for (i = 0; i < engine->set->n_streams; i++)
		stream->topic_rank += strcmp(engine->set->streams[i]->topic,
					     stream->stream->topic) < 0;
	ids_init(stream);
	if (stream->stream->id && stream->ids_wheel.width < engine->sweep_width)
		engine->sweep_width = stream->ids_wheel.width;
	if (stream->stream->is_read &&
	    stream->stream->max_delay > engine->max_delay)
		engine->max_delay = stream->stream->max_delay;
}

static void options_default(struct engine_options *options) {
	if (!options->max_state_bytes)
		options->max_state_bytes = (size_t)8 << 30;
	if (!options->max_keys_per_rule)
		options->max_keys_per_rule = 16000000;
	if (!options->max_ids_per_stream)
		options->max_ids_per_stream = 16000000;
	if (!options->max_entries_per_rule)
		options->max_entries_per_rule = 100000000;
	if (!options->outbox)
		options->outbox = 4096;
	if (!options->dead_letters)
		options->dead_letters = 4096;
	if (!options->first_ordinal)
		options->first_ordinal = 1;
}

static int engine_init(struct engine *engine) {
	const struct ruleset *set = engine->set;
	size_t i;
	int r;

	if (set->n_rules + set->n_plans > UINT16_MAX)
		return -E2BIG; /* timers could not tell them apart */
	engine->streams = arena_array(&engine->arena, struct stream_state,
				      set->n_streams + 1);
	engine->plans = arena_array(&engine->arena, struct plan_state,
				    set->n_plans + 1);
	engine->rules = arena_array(&engine->arena, struct rule_state,
				    set->n_rules + 1);
	for (i = 0; i < set->n_streams; i++)
		stream_init(engine, i);
	for (i = 0; i < set->n_plans; i++)
		plan_init(engine, i);
	for (i = 0; i < set->n_rules; i++) {
		r = rule_init(engine, i);
		if (r < 0)
			return r;
	}
	registries_init(engine);
	routes_init(engine);
	if (set->n_calendars)
		engine->zone = &set->calendars[0]->zone;
	return outbox_init(&engine->outbox, engine->options.outbox,
			   engine->options.dead_letters);
}

int engine_new(struct engine **ret, const struct ruleset *set,
	       const struct engine_options *options) {
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return -ENOMEM;
	engine->set = set;
	engine->options = *options;
	options_default(&engine->options);
	engine->lane = arena_strdup(&engine->arena,
				    options->lane ? options->lane : "0");
	engine->ordinal = engine->options.first_ordinal - 1;
	engine->seq = options->seq;
	memcpy(engine->hash, options->hash, sizeof(engine->hash));
	engine->silent = options->silent;
	engine->watermark = engine->greatest = INT64_MIN;
	engine->last_advance = INT64_MIN;
	engine->sweep_width = USEC_PER_DAY;
	engine->timers_most = 1024;
	pages_init(&engine->pages, room_pages(engine));
	r = engine_init(engine);
	if (r < 0) {
		engine_free(engine);
		return r;
	}
	*ret = engine;
	return 0;
}

void engine_free(struct engine *engine) {
	size_t i;

	if (!engine)
		return;
	for (i = 0; engine->plans && i < engine->set->n_plans; i++)
		evictor_free(engine->plans[i].evictor);
	for (i = 0; engine->streams && i < engine->set->n_streams; i++)
		free(engine->streams[i].partitions);
	seam_free(engine);
	outbox_free(&engine->outbox);
	pages_free(&engine->pages);
	buf_free(&engine->body);
	buf_free(&engine->text);
	arena_free(&engine->batch);
	arena_free(&engine->scratch);
	arena_free(&engine->arena);
	free(engine);
}

/* --- time --- */

static struct partition_state *partition_of(struct stream_state *stream,
					    int32_t number) {
	size_t want = (size_t)number + 1;

	if (want > stream->n_partitions) {
		stream->partitions = reallocarray(stream->partitions, want,
						  sizeof(*stream->partitions));
		assert(stream->partitions);
		memset(stream->partitions + stream->n_partitions, 0,
		       (want - stream->n_partitions) *
			       sizeof(*stream->partitions));
		stream->n_partitions = want;
	}
	return &stream->partitions[number];
}

/* The least over partitions that are not idle; INT64_MIN: one never spoke. */
static usec_t live_watermark(const struct engine *engine) {
	usec_t least = INT64_MAX, at;
	size_t s, p;

	for (s = 0; s < engine->set->n_streams; s++) {
		const struct stream_state *stream = &engine->streams[s];

		for (p = 0; p < stream->n_partitions; p++) {
			const struct partition_state *part =
				&stream->partitions[p];

			if (!part->is_known || part->is_idle)
				continue;
			if (!part->is_begun)
				return INT64_MIN;
			at = part->greatest - stream->stream->max_delay;
			if (at < least)
				least = at;
		}
	}
	return least == INT64_MAX ? INT64_MIN : least;
}

static void raise_to(struct engine *engine, usec_t at) {
	if (at > engine->watermark)
		engine->watermark = at;
}

static void raise_by_lane(struct engine *engine) {
	if (engine->options.told)
		return;
	if (engine->catch_up && engine->greatest != INT64_MIN)
		raise_to(engine, engine->greatest - engine->max_delay);
	else if (!engine->catch_up)
		raise_to(engine, live_watermark(engine));
}

static void raise_by_event(struct engine *engine, const struct event *event) {
	struct stream_state *stream = &engine->streams[event->stream->index];
	struct partition_state *part =
		partition_of(stream, event->at.partition);
	bool moves = part->is_idle || !part->is_begun ||
		     event->time > part->greatest;

	if (event->time > engine->greatest)
		engine->greatest = event->time;
	if (moves && (!part->is_begun || event->time > part->greatest))
		part->greatest = event->time;
	part->is_known = part->is_begun = true;
	part->is_idle = false;
	if (moves)
		raise_by_lane(engine);
}

static void sweep(struct engine *engine) {
	int64_t bucket;
	size_t i;

	if (engine->watermark == INT64_MIN)
		return;
	bucket = engine->watermark / engine->sweep_width;
	if (bucket == engine->swept)
		return;
	engine->swept = bucket;
	for (i = 0; i < engine->set->n_plans; i++)
		if (engine->plans[i].keyed)
			keys_expire(engine, &engine->plans[i]);
	for (i = 0; i < engine->set->n_streams; i++)
		if (engine->streams[i].stream->id)
			ids_expire(engine, &engine->streams[i]);
}

/*
 * A window that ends with its last event, or with one that closes it, is over
 * when the watermark is past that. At the end of all files it is there: no
 * other event of that time can follow.
 */
static bool is_due_at_the_end(const struct engine *engine,
			      const struct timer *timer) {
	return timer->due == engine->greatest + 1 &&
	       timer->kind == TIMER_PERIOD_END &&
	       plan_has_stretches(timer_plan(engine, timer));
}

/* False: the outbox is full and something is still due. */
static bool fire_due(struct engine *engine, bool at_the_end) {
	const struct timer *first;
	struct timer timer;

	while ((first = timers_first(&engine->timers)) &&
	       (first->due <= engine->watermark ||
		(at_the_end && is_due_at_the_end(engine, first)))) {
		if (!outbox_has_room(&engine->outbox))
			return false;
		timer = *first;
		timers_pop(&engine->timers, &engine->pages);
		judge_timer(engine, &timer);
		arena_reset(&engine->scratch);
	}
	sweep(engine);
	return true;
}

static bool is_wanted(const void *context, const struct timer *timer) {
	return timer_is_wanted(context, timer);
}

/*
 * Timers of evicted keys and of alerts that ended otherwise would pile up
 * until they fall due, which may be a year. Looking at all whenever they have
 * doubled costs each a step or two.
 */
static void prune(struct engine *engine) {
	if (engine->timers.n <= engine->timers_most)
		return;
	timers_prune(&engine->timers, &engine->pages, is_wanted, engine);
	engine->timers_most = engine->timers.n * 2 + 1024;
}

/* --- one event --- */

static void refuse(struct engine *engine, struct stream_state *stream,
		   const struct event *event, enum refusal refusal) {
	struct dead_letter dead = { .ordinal = engine->ordinal + 1,
				    .at = event->at,
				    .refusal = refusal,
				    .detail = event->detail };

	stream->counters.read++;
	stream->counters.refused++;
	stream->counters.refused_by[refusal]++;
	outbox_add_dead(&engine->outbox, &dead);
	engine->ordinal++;
}

static bool is_from_the_future(const struct engine *engine,
			       const struct event *event, int64_t poll_time) {
	usec_t clock = poll_time * USEC_PER_SEC;

	if (!engine->options.check_skew)
		return false;
	/* A producer may write any timestamp, also one that overflows. */
	if (event->timestamp_ms >= 0 &&
	    event->timestamp_ms < clock / USEC_PER_MSEC)
		clock = event->timestamp_ms * USEC_PER_MSEC;
	return event->time > clock + event->stream->max_skew;
}

/* What an event is before it touches anything. */
static enum refusal inspect(struct engine *engine, struct stream_state *stream,
			    const struct event *event, int64_t poll_time,
			    bool *duplicate) {
	*duplicate = false;
	if (event->refusal)
		return event->refusal;
	if (is_from_the_future(engine, event, poll_time))
		return REFUSED_FAR_FUTURE;
	if (!event->stream->id)
		return REFUSED_NOT;
	return id_inspect(engine, stream, event, duplicate);
}

/* Which rule looks at which touch, in the order of rules. */
struct due_rule {
	uint16_t rank;
	bool beneath;
	struct touch *touch;
};

static void due_insert(struct due_rule *due, size_t *n, struct due_rule new) {
	size_t i = *n;

	while (i && (due[i - 1].rank > new.rank ||
		     (due[i - 1].rank == new.rank &&due[i - 1].beneath &&
		      !new.beneath))) {
		due[i] = due[i - 1];
		i--;
	}
	due[i] = new;
	++*n;
}

static bool is_due(const struct due_rule *due, size_t n, uint16_t rank) {
	while (n--)
		if (due[n].rank == rank && !due[n].beneath)
			return true;
	return false;
}

static bool has_beneath(const struct engine *engine,
			const struct touch *touch) {
	handle_t head;

	if (!touch->key || touch->plan->at.beneath == NOWHERE)
		return false;
	memcpy(&head,
	       (const uint8_t *)pages_read(&engine->pages, touch->key) +
		       touch->plan->at.beneath,
	       sizeof(head));
	return head != 0;
}

static void judge_all(struct engine *engine, const struct event *event,
		      struct touch *touches, uint32_t n_touches, bool late) {
	struct due_rule *due;
	size_t n = 0, most = 0, i, k;

	for (i = 0; i < n_touches; i++)
		most += (size_t)touches[i].plan->n_rules +
			touches[i].plan->n_watchers;
	due = arena_alloc_raw(&engine->batch, (most + 1) * sizeof(*due), 16);
	for (i = 0; i < n_touches; i++) {
		const struct plan_state *ps = touches[i].plan;

		if (!touches[i].judges)
			continue;
		for (k = 0; k < ps->n_rules; k++)
			if (n_touches == 1 || touches[i].element ||
			    !is_due(due, n, ps->rules[k]->rank))
				due_insert(due, &n,
					   (struct due_rule){
						   ps->rules[k]->rank, false,
						   &touches[i] });
		for (k = 0; k < ps->n_watchers; k++)
			due_insert(
				due, &n,
				(struct due_rule){ ps->plan->watchers[k]->rank,
						   true, &touches[i] });
	}
	for (i = 0; i < n; i++) {
		struct rule_state *rs = &engine->rules[due[i].rank];

		/* Asked only now: this event may have made an alert fire that
		 * is beneath, too. */
		if (due[i].beneath && !has_beneath(engine, due[i].touch))
			continue;
		if (due[i].beneath)
			judge_beneath(engine, rs, event, due[i].touch, late);
		else
			judge_event(engine, rs, event, due[i].touch, late);
		arena_reset(&engine->scratch);
	}
}

/* False: the outbox is full, nothing was taken. */
static bool take(struct engine *engine, struct event *event,
		 struct touch *touches, uint32_t n, int64_t poll_time) {
	struct stream_state *stream = &engine->streams[event->stream->index];
	enum refusal refusal;
	bool duplicate, late;
	uint32_t i;

	if (!outbox_has_room(&engine->outbox))
		return false;
	refusal = inspect(engine, stream, event, poll_time, &duplicate);
	if (refusal) {
		refuse(engine, stream, event, refusal);
		return true;
	}
	if (duplicate) {
		stream->counters.read++;
		stream->counters.duplicate++;
		engine->ordinal++;
		return true;
	}
	raise_by_event(engine, event);
	if (!fire_due(engine, false) || !room_make(engine))
		return false;
	late = event->time < engine->watermark;
	/* First of all, so that an event sees itself and what came before. */
	registries_fold(engine, event);
	n = route_by_rows(engine, event, touches, n);
	engine->taking = touches;
	engine->n_taking = n;
	for (i = 0; i < n; i++)
		fold(engine, event, &touches[i], late);
	arena_reset(&engine->scratch);
	judge_all(engine, event, touches, n, late);
	for (i = 0; i < n; i++)
		if (touches[i].plan->is_of_peers)
			peers_enter(engine, event, &touches[i]);
	engine->n_taking = 0;
	if (event->stream->id)
		id_remember(engine, stream, event);
	stream->counters.read++;
	stream->counters.kept++;
	stream->counters.late += late;
	prune(engine);
	engine->ordinal++;
	return true;
}

/* What folding and judging will read first, fetched while others are routed. */
static void prefetch_touch(const struct engine *engine,
			   const struct touch *touch) {
	const struct plan_state *ps = touch->plan;
	struct index_cursor cursor;
	handle_t likely;

	if (ps->n_rules && ps->rules[0]->early)
		expr_prefetch(ps->rules[0]->early);
	if (!ps->keyed || !touch->bytes)
		return;
	likely = index_first(&ps->index, touch->hash, &cursor);
	if (likely)
		__builtin_prefetch(pages_read(&engine->pages, likely));
}

/* Phase 1: nothing is changed. */
static void route(struct engine *engine, struct event *const *events, size_t n,
		  struct touch **touches, uint32_t *n_touches) {
	size_t i, k;

	for (i = 0; i < n; i++) {
		n_touches[i] = 0;
		if (!events[i]->refusal)
			touches[i] =
				route_event(engine, events[i], &n_touches[i]);
	}
	for (i = 0; i < n; i++)
		for (k = 0; k < n_touches[i]; k++)
			prefetch_touch(engine, &touches[i][k]);
}

size_t engine_run(struct engine *engine, struct event *const *events, size_t n,
		  int64_t poll_time) {
	struct touch *touches[SUB_BATCH];
	uint32_t n_touches[SUB_BATCH];
	size_t done = 0, i, some;

	while (done < n) {
		some = n - done < SUB_BATCH ? n - done : SUB_BATCH;
		route(engine, events + done, some, touches, n_touches);
		for (i = 0; i < some; i++)
			if (!take(engine, events[done + i], touches[i],
				  n_touches[i], poll_time))
				break;
		arena_reset(&engine->batch);
		done += i;
		if (i < some)
			break;
	}
	return done;
}

/* --- decisions --- */

static struct stream_state *stream_of_topic(struct engine *engine,
					    const char *topic) {
	size_t i;

	for (i = 0; i < engine->set->n_streams; i++)
		if (strcmp(engine->streams[i].stream->topic, topic) == 0)
			return &engine->streams[i];
	return NULL;
}

static void decide_partition(struct engine *engine,
			     const struct decision *decision) {
	struct stream_state *stream = stream_of_topic(engine, decision->topic);
	struct partition_state *part;

	if (!stream)
		return;
	part = partition_of(stream, decision->partition);
	part->is_known = true;
	part->is_idle = decision->kind == DECISION_IDLE;
}

static void decide(struct engine *engine, const struct decision *decision) {
	switch (decision->kind) {
	case DECISION_PARTITION:
	case DECISION_IDLE:
		decide_partition(engine, decision);
		break;
	case DECISION_CATCH_UP:
		engine->catch_up = true;
		break;
	case DECISION_LIVE:
		engine->catch_up = false;
		break;
	case DECISION_ADVANCE:
		raise_to(engine, decision->at);
		if (decision->at > engine->last_advance)
			engine->last_advance = decision->at;
		return;
	case DECISION_END:
		raise_to(engine, engine->greatest);
		return;
	case DECISION_WENT_ON:
	case DECISION_SEAM:
	case DECISION_GAP:
	case DECISION_CONTENT:
	case DECISION_MAX:
		break;
	}
	raise_by_lane(engine);
}

bool engine_decide(struct engine *engine, const struct decision *decision) {
	decide(engine, decision);
	if (!fire_due(engine, decision->kind == DECISION_END))
		return false;
	if (decision->kind == DECISION_SEAM && engine->silent)
		seam_act(engine, decision);
	arena_reset(&engine->scratch);
	prune(engine);
	engine->ordinal++;
	return true;
}

/* --- looking in --- */

struct pages *engine_pages(struct engine *engine) {
	return &engine->pages;
}

struct outbox *engine_outbox(struct engine *engine) {
	return &engine->outbox;
}

uint64_t engine_ordinal(const struct engine *engine) {
	return engine->ordinal;
}

uint64_t engine_seq(const struct engine *engine) {
	return engine->seq;
}

const uint8_t *engine_hash(const struct engine *engine) {
	return engine->hash;
}

usec_t engine_watermark(const struct engine *engine) {
	return engine->watermark;
}

usec_t engine_greatest_time(const struct engine *engine) {
	return engine->greatest;
}

usec_t engine_last_advance(const struct engine *engine) {
	return engine->last_advance;
}

bool engine_is_silent(const struct engine *engine) {
	return engine->silent;
}

size_t engine_state_bytes(const struct engine *engine, size_t *mapped) {
	*mapped = (size_t)engine->pages.n * PAGE_BYTES;
	return engine->pages.used_bytes;
}

const struct stream_counters *
engine_stream_counters(const struct engine *engine, size_t stream) {
	return &engine->streams[stream].counters;
}

const struct rule_counters *engine_rule_counters(const struct engine *engine,
						 size_t rank) {
	return &engine->rules[rank].counters;
}

const struct plan_counters *engine_plan_counters(const struct engine *engine,
						 size_t plan) {
	return &engine->plans[plan].counters;
}

const uint8_t *engine_coverage(const struct engine *engine, size_t rank,
			       size_t *n) {
	*n = engine->rules[rank].n_coverage;
	return engine->rules[rank].coverage;
}

struct dump_key {
	handle_t handle;
	uint64_t created;
};

static int dump_order(const void *a, const void *b) {
	const struct dump_key *x = a, *y = b;

	return x->created < y->created ? -1 : x->created > y->created;
}

static size_t dump_collect(const struct engine *engine,
			   const struct index_slot *slots, size_t n,
			   struct dump_key *all) {
	size_t i, found = 0;

	for (i = 0; slots && i < n; i++)
		if (slots[i].handle && slots[i].handle != INDEX_TOMBSTONE)
			all[found++] = (struct dump_key){
				slots[i].handle,
				key_read(engine, slots[i].handle)->created
			};
	return found;
}

static void dump_plan(const struct engine *engine, const struct plan_state *ps,
		      struct buf *out) {
	const struct index *index = &ps->index;
	struct dump_key *all = calloc(index->n + 1, sizeof(*all));
	size_t n = 0, i;

	assert(all);
	n = dump_collect(engine, index->slots, (size_t)index->mask + 1, all);
	n += dump_collect(engine, index->old, (size_t)index->old_mask + 1,
			  all + n);
	qsort(all, n, sizeof(*all), dump_order);
	for (i = 0; i < n; i++) {
		const uint8_t *bytes =
			pages_read(&engine->pages, all[i].handle);
		const struct key *key = key_read(engine, all[i].handle);

		buf_printf(out, "key %u %zu %lld ", ps->plan->index,
			   (size_t)key->created, (long long)key->clock);
		buf_hex(out, bytes + ps->at.key, key->len);
		buf_putc(out, ' ');
		/* What lies between: accumulators, panes, handles. */
		buf_hex(out, bytes + KEY_HEAD, ps->at.key - KEY_HEAD);
		if (ps->at.cohort != NOWHERE)
			peers_dump(engine, ps, all[i].handle, out);
		buf_putc(out, '\n');
	}
	free(all);
}

void engine_dump(const struct engine *engine, struct buf *out) {
	size_t i;

	buf_printf(out, "ordinal %llu seq %llu watermark %lld created %llu\n",
		   (unsigned long long)engine->ordinal,
		   (unsigned long long)engine->seq,
		   (long long)engine->watermark,
		   (unsigned long long)engine->created);
	buf_hex(out, engine->hash, sizeof(engine->hash));
	buf_putc(out, '\n');
	for (i = 0; i < engine->set->n_plans; i++)
		dump_plan(engine, &engine->plans[i], out);
	registries_dump(engine, out);
	for (i = 0; i < engine->timers.n; i++)
		buf_printf(out, "timer %lld %u %llu %u %lld\n",
			   (long long)engine->timers.heap[i].due,
			   engine->timers.heap[i].rule,
			   (unsigned long long)engine->timers.heap[i].created,
			   engine->timers.heap[i].kind,
			   (long long)engine->timers.heap[i].period);
}
