/*
 * Emit: a transition becomes a record, gets its number and its place in the
 * chain, and goes to the outbox.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

struct value event_name(const struct event *event) {
	const struct field *id = event->stream->id;

	if (!id || !id->used)
		return value_missing(MISSING_FIELD);
	return event->slots[id->slot];
}

/* --- identity --- */

static void name_json(struct buf *out, const struct engine *engine,
		      const struct stream *stream, struct value id,
		      const struct coordinates *at) {
	(void)engine;
	buf_puts(out, ",[");
	buf_json_string(out, stream->name, strlen(stream->name));
	buf_putc(out, ',');
	if (!value_is_missing(id)) {
		value_json(out, id, NULL);
	} else {
		buf_json_string(out, at->topic, strlen(at->topic));
		buf_printf(out, ",%d,", at->partition);
		buf_int(out, at->offset);
	}
	buf_putc(out, ']');
}

static void newest_json(struct engine *engine, const struct judging *j,
			struct buf *out) {
	const struct newest *newest = newest_of(engine, j->rs->plan, j->key);
	struct coordinates at;

	coordinates_unpack(engine, newest->coordinates, &at);
	name_json(out, engine, coordinates_stream(engine, newest->coordinates),
		  life_name(engine, j->key), &at);
}

static void last_name_json(struct engine *engine, const struct judging *j,
			   struct buf *out) {
	const struct plan_state *ps = j->rs->plan;
	size_t n = ps->plan->n_kept + 1;
	const struct stretch *s = j->stretch;
	struct last last = { 0 };
	struct coordinates at;
	struct value *values;

	if (s)
		last = (struct last){ .is_set = s->n > 0,
				      .values = s->last,
				      .coordinates = s->last_coordinates,
				      .stream = s->last_stream };
	else if (j->key && ps->at.last != NOWHERE)
		memcpy(&last,
		       (const uint8_t *)pages_read(&engine->pages, j->key) +
			       ps->at.last,
		       sizeof(last));
	else if (j->key && ps->at.newest != NOWHERE)
		newest_json(engine, j, out);
	if (!last.is_set)
		return;
	values = arena_array(&engine->scratch, struct value, n);
	blob_read(engine, last.values, values, n, &engine->scratch);
	coordinates_unpack(engine, last.coordinates, &at);
	name_json(out, engine, engine->set->streams[last.stream], values[n - 1],
		  &at);
}

/*
 * The first 128 bits of SHA-256 over a JSON array:
 *   ["package/rule",[key …],period or null,["stream",id or topic,p,o],due]
 * The due time stands only where a timer made the alert fire; behind an event
 * stands the place of the element, from 0, where the rule has `each`.
 */
void identity(const struct engine *engine, const struct judging *j,
	      uint8_t id[16]) {
	struct engine *self = (struct engine *)(uintptr_t)engine;
	const struct plan *plan = j->rs->rule->plan;
	struct buf *out = &self->body;
	uint8_t hash[32];
	size_t i;

	buf_reset(out);
	buf_putc(out, '[');
	buf_json_string(out, j->rs->rule->full, strlen(j->rs->rule->full));
	buf_puts(out, ",[");
	for (i = 0; i < plan->n_by; i++) {
		buf_comma(out);
		value_json(out, j->key_values[i], NULL);
	}
	buf_puts(out, "],");
	if (j->has_period)
		buf_int(out, j->period);
	else
		buf_puts(out, "null");
	if (j->event) {
		name_json(out, engine, j->event->stream, event_name(j->event),
			  &j->event->at);
		if (j->touch && j->touch->element)
			buf_printf(out, ",%u", j->touch->i_element);
	} else {
		last_name_json(self, j, out);
		buf_putc(out, ',');
		buf_int(out, j->at);
	}
	buf_putc(out, ']');
	sha256(out->data, out->len, hash);
	memcpy(id, hash, 16);
}

/* --- the draft --- */

/* "usual.mid" is of the baseline "usual". */
static const char *baseline_name(struct arena *arena, const char *bind) {
	const char *dot = strchr(bind, '.');

	return dot ? arena_strndup(arena, bind, (size_t)(dot - bind)) : bind;
}

static void draft_baselines(struct engine *engine, const struct judging *j,
			    struct draft *draft) {
	const struct rule *rule = j->rs->rule;
	struct baseline_used *all;
	size_t i, k;

	all = arena_array(&engine->scratch, struct baseline_used,
			  rule->n_slots + 1);
	for (i = 0; i < rule->n_slots; i++) {
		const struct bind *bind = &rule->binds[i];
		const struct baseline *b = &rule->plan->baselines[bind->index];

		if (bind->from != BIND_BASELINE)
			continue;
		for (k = 0; k < draft->n_baselines; k++)
			if (all[k].baseline == b)
				break;
		if (k < draft->n_baselines)
			continue;
		all[k] = baseline_value(engine, j, bind->index, true).used;
		all[k].name = baseline_name(&engine->scratch, bind->name);
		draft->n_baselines++;
	}
	draft->baselines = all;
}

/*
 * A session may turn out to have begun earlier than when its alert fired; the
 * alert keeps the name that it got then.
 */
static void draft_window(const struct judging *j, const struct life *life,
			 struct draft *draft) {
	const struct plan_state *ps = j->rs->plan;

	draft->window_start = draft->window_end = j->clock;
	if (j->stretch) {
		draft->has_period = true;
		draft->period = life->period;
		draft->window_start = j->stretch->start;
		draft->window_end = j->stretch->end;
	} else if (j->has_period) {
		draft->has_period = true;
		draft->period = j->period;
		draft->window_start = plan_period_start(ps, j->period);
		draft->window_end = plan_period_start(ps, j->period + 1);
	} else if (ps->plan->window.width) {
		draft->window_start = j->clock - ps->plan->window.width;
	}
}

/* Without a window the event itself is all the evidence there is. */
static void draft_event(struct engine *engine, const struct judging *j,
			struct draft *draft) {
	const struct plan *plan = j->rs->rule->plan;
	struct value *fields;
	struct shown *shown;
	size_t i;

	if (!j->event || draft->evidence_count || !plan->evidence)
		return;
	draft->evidence_complete = true;
	draft->evidence_count = 1;
	record_digest(engine, coordinates_pack(engine, j->event),
		      j->event->payload_hash, draft->digest);
	if (!draft->rule->evidence)
		return;
	shown = arena_new(&engine->scratch, struct shown);
	fields = arena_array(&engine->scratch, struct value,
			     plan->n_evidence + 1);
	for (i = 0; i < plan->n_evidence; i++) {
		int32_t slot = plan->evidence_slot[(size_t)j->touch->i_input *
							   plan->n_evidence +
						   i];

		fields[i] = slot < 0 ? value_missing(MISSING_ALIAS)
				     : j->event->slots[slot];
	}
	*shown = (struct shown){ j->event->at, j->event->time, fields };
	draft->shown = shown;
	draft->n_shown = 1;
}

static void draft_fill(struct engine *engine, const struct judging *j,
		       const struct life *life, struct draft *draft) {
	draft->rule = j->rs->rule;
	draft->key = j->key_values;
	draft->frame = j->rs->frame;
	draft->context =
		(struct expr_context){ j->now, j->event_time, &engine->scratch,
				       &engine->rows };
	draft->registries = (const uint64_t(*)[2])engine->digests;
	draft->watermark = engine->watermark;
	draft->mask_key = engine->options.mask_key;
	draft_window(j, life, draft);
	draft_baselines(engine, j, draft);
	if (life->at_fire_len) {
		draft->at_fire = pages_read(&engine->pages, life->at_fire);
		draft->at_fire_len = life->at_fire_len;
	}
	if (j->key)
		bag_evidence(engine, j, draft);
	draft_event(engine, j, draft);
}

/* --- out --- */

static char *copy(const struct buf *buf) {
	char *bytes = malloc(buf->len + 1);

	assert(bytes);
	memcpy(bytes, buf->data, buf->len);
	bytes[buf->len] = '\0';
	return bytes;
}

static void put(struct engine *engine, const struct rule *rule, const char *key,
		const struct stamp *stamp, usec_t fired, const char *body,
		size_t len, uint64_t seq) {
	struct outbox_item item = { .seq = seq,
				    .ordinal = engine->ordinal + 1,
				    .rev = stamp->rev,
				    .state = stamp->state,
				    .change = stamp->change,
				    .why = stamp->why,
				    .level = stamp->level,
				    .was = stamp->was,
				    .open = stamp->open,
				    .fired = fired,
				    .at = stamp->event,
				    .rule = rule ? rule->full : "",
				    .of = rule };

	memcpy(item.id, stamp->id, sizeof(item.id));
	buf_reset(&engine->text);
	record_stamp(&engine->text, stamp, body, len, item.hash);
	item.json = copy(&engine->text);
	item.json_len = engine->text.len;
	item.key = strdup(key);
	assert(item.key);
	outbox_add(&engine->outbox, &item);
}

void publish(struct engine *engine, const struct rule *rule, const char *key,
	     struct stamp *stamp, usec_t fired, const char *body, size_t len) {
	struct outbox_item *last;

	stamp->lane = engine->lane;
	stamp->zone = engine->zone;
	if (rule && rule->status == STATUS_TEST) {
		stamp->seq = 0;
		memset(stamp->prev_hash, 0, sizeof(stamp->prev_hash));
		if (engine->options.shadow)
			put(engine, rule, key, stamp, fired, body, len, 0);
		return;
	}
	stamp->seq = ++engine->seq;
	memcpy(stamp->prev_hash, engine->hash, sizeof(engine->hash));
	put(engine, rule, key, stamp, fired, body, len, stamp->seq);
	last = outbox_at(&engine->outbox, engine->outbox.n - 1);
	memcpy(engine->hash, last->hash, sizeof(engine->hash));
	if (rule)
		engine->rules[rule->rank].counters.published++;
}

static void send(struct engine *engine, handle_t handle,
		 const struct draft *draft, struct stamp *stamp) {
	struct life *life = life_write(engine, handle);
	const struct rule *rule = draft->rule;
	struct buf key = { 0 };

	life->rev++;
	memcpy(stamp->id, life->id, sizeof(stamp->id));
	stamp->rev = life->rev;
	stamp->state = (enum alert_state)life->state;
	stamp->open = life->open;
	stamp->level = (enum level)life->level;
	stamp->window_end = draft->window_end;
	stamp->detected = engine->watermark;
	buf_reset(&engine->body);
	record_body(&engine->body, draft);
	record_key(&key, rule, draft->key);
	if (engine->silent && rule->status == STATUS_LIVE)
		seam_note(engine, life->state == STATE_STALE ? 0 : handle, rule,
			  stamp, life->fired, buf_cstr(&key), engine->body.data,
			  engine->body.len);
	else if (!engine->silent)
		publish(engine, rule, buf_cstr(&key), stamp, life->fired,
			engine->body.data, engine->body.len);
	buf_free(&key);
}

void emit(struct engine *engine, handle_t life, const struct judging *j,
	  enum alert_change change, enum alert_why why, enum level was,
	  const struct exception *exception) {
	struct draft draft = { .exception = exception };
	struct stamp stamp = {
		.change = change, .why = why, .was = was, .event = j->at
	};

	draft_fill(engine, j, life_read(engine, life), &draft);
	send(engine, life, &draft, &stamp);
}

/*
 * The event is long gone; what the rule saw of it is not. So the record that
 * closes an alert says the same as the one that opened it, without evidence.
 */
void emit_review(struct engine *engine, handle_t handle, usec_t at,
		 enum alert_change change, enum alert_why why) {
	struct life *life = life_write(engine, handle);
	struct rule_state *rs = &engine->rules[life->rule];
	const struct plan *plan = rs->rule->plan;
	struct value *key =
		arena_array(&engine->scratch, struct value, plan->n_by + 1);
	struct draft draft = { .rule = rs->rule,
			       .key = key,
			       .frame = rs->frame,
			       .watermark = engine->watermark,
			       .has_period = life->has_period,
			       .period = life->period,
			       .window_start = at,
			       .window_end = at,
			       .context = { life->fired, life->fired,
					    &engine->scratch, &engine->rows },
			       .registries =
				       (const uint64_t(*)[2])engine->digests,
			       .mask_key = engine->options.mask_key };
	struct stamp stamp = { .change = change,
			       .why = why,
			       .was = (enum level)life->level,
			       .event = at };

	if (life->key_bytes)
		key_decode(pages_read(&engine->pages, life->key_bytes),
			   life->key_len, plan->by_types, plan->n_by, key);
	blob_read(engine, life->at_fire, rs->frame, rs->rule->n_slots,
		  &engine->scratch);
	send(engine, handle, &draft, &stamp);
}
