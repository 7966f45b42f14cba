/*
 * Route: from an event to the plans it concerns.
 *
 * Most rules compare a field with constants, so an index from (slot, constant)
 * to plans means that most plans are never looked at for an event. What has no
 * such condition is tried always.
 *
 * This is phase 1 of a batch: where, key, hash, find, prefetch. It changes
 * nothing, so a batch may be routed again after a pause. What reads rows that
 * a stream fills cannot be looked at here, because a record before it in the
 * batch may still change them; it waits until the event is taken.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

static void routes_add(struct routes *routes, struct arena *arena,
		       const struct route *route) {
	struct route *items;

	if (routes->n == routes->cap) {
		routes->cap = routes->cap ? routes->cap * 2 : 4;
		items = arena_array(arena, struct route, routes->cap);
		if (routes->n)
			memcpy(items, routes->items,
			       routes->n * sizeof(*items));
		routes->items = items;
	}
	routes->items[routes->n++] = *route;
}

static uint64_t value_hash(struct value v) {
	if (v.kind == KIND_STRING)
		return hash64(v.s, v.len, KIND_STRING);
	return hash64(&v.i, sizeof(v.i), v.kind);
}

static struct route_bucket *bucket_of(const struct route_table *table,
				      struct value v) {
	uint64_t hash = value_hash(v);
	struct route_bucket *bucket;
	uint32_t at = (uint32_t)hash;

	for (;; at++) {
		bucket = &table->buckets[at & table->mask];
		if (!bucket->is_set)
			break;
		if (bucket->hash == hash && value_equal(bucket->value, v))
			break;
	}
	bucket->hash = hash;
	return bucket;
}

static struct route_table *
table_for(struct engine *engine, struct stream_state *stream, uint16_t slot) {
	size_t i, most = 64, p, k;
	struct route_table *table;

	for (i = 0; i < stream->n_tables; i++)
		if (stream->tables[i].slot == slot)
			return &stream->tables[i];
	table = &stream->tables[stream->n_tables++];
	for (p = 0; p < engine->set->n_plans; p++)
		for (k = 0; k < engine->set->plans[p]->n_inputs; k++)
			most += engine->set->plans[p]->inputs[k].n_index;
	table->slot = slot;
	table->mask = 1;
	while (table->mask < most * 2)
		table->mask *= 2;
	table->buckets =
		arena_array(&engine->arena, struct route_bucket, table->mask);
	table->mask--;
	return table;
}

static void route_input(struct engine *engine, struct stream_state *stream,
			const struct route *route) {
	const struct plan_input *input = route->input;
	struct route_table *table;
	struct route_bucket *bucket;
	uint32_t i;

	if (!input->n_index) {
		routes_add(&stream->always, &engine->arena, route);
		return;
	}
	table = table_for(engine, stream, input->index_slot);
	for (i = 0; i < input->n_index; i++) {
		bucket = bucket_of(table, input->index[i]);
		bucket->is_set = true;
		bucket->value = input->index[i];
		routes_add(&bucket->routes, &engine->arena, route);
	}
}

void routes_init(struct engine *engine) {
	struct route route;
	size_t p, i, s;

	for (i = 0; i < engine->set->n_streams; i++)
		engine->streams[i].tables = arena_array(
			&engine->arena, struct route_table,
			(size_t)engine->streams[i].stream->n_slots + 1);
	for (p = 0; p < engine->set->n_plans; p++) {
		route.plan = &engine->plans[p];
		for (i = 0; i < route.plan->plan->n_inputs; i++) {
			route.input = &route.plan->plan->inputs[i];
			route.i_input = (uint16_t)i;
			route.is_where = route.input->index_is_where;
			for (s = 0; s < engine->set->n_streams; s++)
				if (engine->streams[s].stream->base ==
				    route.input->stream)
					route_input(engine, &engine->streams[s],
						    &route);
		}
	}
}

struct walk {
	struct engine *engine;
	const struct event *event;
	struct expr_context context;
	struct touch *touches;
	uint32_t n, cap;
};

/* The key's bytes in the batch's arena; false: counted, not grouped. */
static bool touch_key(const struct walk *walk, struct touch *touch) {
	struct plan_state *ps = touch->plan;
	struct value *values = ps->key_values;
	uint8_t bytes[KEY_MAX];
	uint8_t *copy;
	size_t i;

	touch->bytes = (const uint8_t *)"";
	if (!ps->n_by && !ps->keyed)
		return true;
	for (i = 0; i < ps->n_by; i++)
		values[i] = expr_eval(touch->input->by[i], walk->event->slots,
				      &walk->context);
	if (!key_encode(values, ps->plan->by_types, ps->n_by, bytes,
			&touch->len))
		return false;
	copy = arena_alloc_raw(&walk->engine->batch, touch->len, 8);
	memcpy(copy, bytes, touch->len);
	touch->bytes = copy;
	touch->hash = key_hash(walk->engine, copy, touch->len);
	index_prefetch(&ps->index, touch->hash);
	return true;
}

static struct touch *touch_new(struct walk *walk) {
	struct touch *more;

	if (walk->n == walk->cap) {
		more = arena_alloc_raw(&walk->engine->batch,
				       walk->cap * 2 * sizeof(*more), 16);
		memcpy(more, walk->touches, walk->n * sizeof(*more));
		walk->touches = more;
		walk->cap *= 2;
	}
	memset(&walk->touches[walk->n], 0, sizeof(*walk->touches));
	return &walk->touches[walk->n];
}

/* False: the event does not concern the plan. */
static bool touch_event(const struct walk *walk, struct touch *touch,
			bool is_where) {
	struct value passes = value_bool(true);

	touch_element(walk->event, touch);
	if (!is_where && touch->input->where)
		passes = expr_eval(touch->input->where, walk->event->slots,
				   &walk->context);
	if (!value_is_true(passes) && !value_is_missing(passes))
		return false;
	touch->where_missing = value_is_missing(passes);
	if (touch->where_missing || !touch_key(walk, touch))
		touch->bytes = NULL; /* counted when the event is taken */
	return true;
}

static struct touch *touch_route(struct walk *walk, const struct route *route) {
	struct touch *touch = touch_new(walk);

	touch->plan = route->plan;
	touch->input = route->input;
	touch->i_input = route->i_input;
	touch->by_rows = route->input->by_rows;
	return touch;
}

static void try_one(struct walk *walk, const struct route *route,
		    struct touch *touch) {
	if (!touch->by_rows && !touch_event(walk, touch, route->is_where))
		return;
	if (route->plan->n_rules)
		__builtin_prefetch(route->plan->rules[0]);
	walk->n++;
}

/* A touch for each element; one without, if there is something to count. */
static void try_each(struct walk *walk, const struct route *route) {
	struct value list = walk->event->slots[route->input->each_slot];
	uint32_t n = value_is_missing(list) ? 0 : list.len, i;
	struct touch *touch;

	if (!n || n > EACH_MOST) {
		touch = touch_route(walk, route);
		touch->by_rows = false;
		touch->n_elements = n;
		walk->n++;
	}
	for (i = 0; i < n && i < EACH_MOST; i++) {
		touch = touch_route(walk, route);
		touch->element = &list.list[i];
		touch->i_element = i;
		touch->n_elements = n;
		try_one(walk, route, touch);
	}
}

static void try_route(struct walk *walk, const struct route *route) {
	if (route->input->has_each)
		try_each(walk, route);
	else
		try_one(walk, route, touch_route(walk, route));
}

static struct walk walk_of(struct engine *engine, const struct event *event) {
	return (struct walk){ .engine = engine,
			      .event = event,
			      .context = { event->time, event->time,
					   &engine->batch, NULL } };
}

uint32_t route_by_rows(struct engine *engine, const struct event *event,
		       struct touch *touches, uint32_t n) {
	struct walk walk = walk_of(engine, event);
	uint32_t i, left = 0;

	walk.context.state = &engine->rows;
	for (i = 0; i < n; i++)
		if (!touches[i].by_rows ||
		    touch_event(&walk, &touches[i], false))
			touches[left++] = touches[i];
	return left;
}

struct touch *route_event(struct engine *engine, const struct event *event,
			  uint32_t *n) {
	struct stream_state *stream = &engine->streams[event->stream->index];
	struct walk walk = walk_of(engine, event);
	const struct route_bucket *bucket;
	struct value v;
	size_t i, k;

	walk.cap = 8;
	walk.touches = arena_alloc_raw(&engine->batch,
				       walk.cap * sizeof(*walk.touches), 16);
	for (i = 0; i < stream->always.n; i++)
		try_route(&walk, &stream->always.items[i]);
	for (i = 0; i < stream->n_tables; i++) {
		v = event->slots[stream->tables[i].slot];
		if (value_is_missing(v))
			continue;
		bucket = bucket_of(&stream->tables[i], v);
		for (k = 0; bucket->is_set && k < bucket->routes.n; k++)
			try_route(&walk, &bucket->routes.items[k]);
	}
	*n = walk.n;
	return walk.touches;
}
