/*
 * Snapshots: what is saved comes back whole or is refused, and whoever is
 * evicted is the same for an engine that has just been restored. That one which
 * goes on is no other than the one that was saved, batches.c holds.
 */
#include "base/pages.h"
#include "engine/world.h"

#include <errno.h>

#define RULES                                                                  \
	"apiversion: 1\n"                                                      \
	"package: t\n"                                                         \
	"calendars:\n"                                                         \
	"  cn: {tz: Asia/Shanghai}\n"                                          \
	"streams:\n"                                                           \
	"  pays:\n"                                                            \
	"    topic: pays\n"                                                    \
	"    time: at\n"                                                       \
	"    id: nr\n"                                                         \
	"    max_delay: 1h\n"                                                  \
	"    fields: {nr: string, unit: string, payee: string, amount: "       \
	"money(CNY), at: timestamp}\n"                                         \
	"tables:\n"                                                            \
	"  known: {stream: pays, key: payee, where: amount > 40, max_keys: "   \
	"30}\n"                                                                \
	"rules:\n"                                                             \
	"- rule: sliding\n"                                                    \
	"  from: pays\n"                                                       \
	"  by: [unit, payee]\n"                                                \
	"  window: 3d\n"                                                       \
	"  measure: {total: sum(amount), cnt: count()}\n"                      \
	"  alert_if: total > 60 && has(known(payee))\n"                        \
	"  cooldown: 5h\n"                                                     \
	"- rule: daily\n"                                                      \
	"  from: pays\n"                                                       \
	"  by: [payee]\n"                                                      \
	"  window: 2d\n"                                                       \
	"  every: 1d at 07:00\n"                                               \
	"  measure: {cnt: count()}\n"                                          \
	"  alert_if: cnt < 2\n"                                                \
	"- rule: big\n"                                                        \
	"  from: pays\n"                                                       \
	"  by: [unit]\n"                                                       \
	"  alert_if: amount > 90\n"                                            \
	"  review_within: 2d\n"

static uint32_t next(uint32_t *seed) {
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* The same @i gives the same event; every ninth is the one before again. */
static void take(struct world *world, uint32_t i) {
	struct buf time = { 0 };
	char json[256];
	uint32_t seed;

	i -= i % 9 == 8;
	seed = i * 2654435761u;
	time_format_rfc3339(
		&time, (1767225600 + (usec_t)i * 1800) * USEC_PER_SEC, NULL);
	snprintf(json, sizeof(json),
		 "{\"nr\":\"N%u\",\"unit\":\"U%u\",\"payee\":\"P%u\","
		 "\"amount\":%u.50,\"at\":\"%s\"}",
		 i, next(&seed) % 5, next(&seed) % 60, next(&seed) % 100,
		 buf_cstr(&time));
	world_take(world, json);
	buf_free(&time);
}

static int give_page(void *context, uint32_t number, uint8_t *bytes) {
	memcpy(bytes, pages_at(context, number), PAGE_BYTES);
	return 0;
}

static int restore(struct engine **ret, struct world *world,
		   const struct engine_options *options,
		   const struct buf *saved) {
	return engine_restore(ret, world->set, options, saved->data, saved->len,
			      give_page, engine_pages(world->engine));
}

/* Another engine goes on in its place. */
static void transplant(struct world *world,
		       const struct engine_options *options) {
	struct buf saved = { 0 }, again = { 0 };
	struct engine *other;

	engine_save(world->engine, &saved);
	assert_int_equal(restore(&other, world, options, &saved), 0);
	engine_save(other, &again);
	assert_int_equal(again.len, saved.len);
	assert_memory_equal(again.data, saved.data, saved.len);
	engine_free(world->engine);
	world->engine = other;
	buf_free(&saved);
	buf_free(&again);
}

static void drain(struct world *world, struct buf *out) {
	struct outbox *outbox = engine_outbox(world->engine);

	for (size_t i = 0; i < outbox->n; i++)
		buf_add(out, outbox_at(outbox, i)->json,
			outbox_at(outbox, i)->json_len);
	outbox_drop(outbox, outbox->n);
}

/* What had to go at a limit: keys, or ids. */
static uint64_t evictions(const struct world *world) {
	uint64_t n = engine_stream_counters(world->engine, 0)->ids_forgotten;

	for (size_t i = 0; i < world->set->n_rules; i++)
		for (size_t k = 0; k < LIMIT_MAX; k++)
			n += engine_rule_counters(world->engine, i)->evicted[k];
	return n;
}

/*
 * @out: all that was said, then the counters and the state. Returns how much
 * had to go.
 */
static uint64_t run(const struct engine_options *options, uint32_t n,
		    uint32_t transplant_every, struct buf *out) {
	struct world world;
	uint64_t gone;

	world_load(&world, RULES);
	world_start(&world, options);
	for (uint32_t i = 0; i < n; i++) {
		if (transplant_every && i % transplant_every == 0)
			transplant(&world, options);
		take(&world, i);
		drain(&world, out);
	}
	for (size_t i = 0; i < world.set->n_rules; i++)
		buf_add(out, engine_rule_counters(world.engine, i),
			sizeof(struct rule_counters));
	for (size_t i = 0; i < world.set->n_plans; i++)
		buf_add(out, engine_plan_counters(world.engine, i),
			sizeof(struct plan_counters));
	buf_add(out, engine_stream_counters(world.engine, 0),
		sizeof(struct stream_counters));
	buf_add(out, engine_registry_counters(world.engine, 0),
		sizeof(struct registry_counters));
	engine_dump(world.engine, out);
	assert_true(engine_stream_counters(world.engine, 0)->duplicate > 10);
	assert_true(engine_registry_counters(world.engine, 0)->evicted > 10);
	gone = evictions(&world);
	world_close(&world);
	return gone;
}

static void counters_ids_and_tables_come_back(void **state) {
	const struct engine_options options = { .seed = 1, .shadow = true };
	struct buf one = { 0 }, other = { 0 };

	(void)state;
	run(&options, 1500, 0, &one);
	run(&options, 1500, 37, &other);
	assert_int_equal(one.len, other.len);
	assert_memory_equal(one.data, other.data, one.len);
	buf_free(&one);
	buf_free(&other);
}

/*
 * An engine that was restored before each event never has an evictor that is
 * older than the event.
 */
static void who_is_evicted_hangs_on_nothing_but_the_keys(void **state) {
	static const struct engine_options limits[] = {
		{ .seed = 1, .shadow = true, .max_keys_per_rule = 17 },
		{ .seed = 1, .shadow = true, .max_entries_per_rule = 40 },
		{ .seed = 1, .shadow = true, .max_state_bytes = 20000 },
		{ .seed = 1, .shadow = true, .max_ids_per_stream = 50 },
	};
	struct buf one = { 0 }, other = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		buf_reset(&one);
		buf_reset(&other);
		assert_true(run(&limits[i], 1200, 0, &one) > 50);
		run(&limits[i], 1200, 1, &other);
		assert_int_equal(one.len, other.len);
		assert_memory_equal(one.data, other.data, one.len);
	}
	buf_free(&one);
	buf_free(&other);
}

static const struct engine_options plain = { .seed = 1, .shadow = true };

static void open_some(struct world *world, struct buf *saved) {
	struct buf out = { 0 };

	world_load(world, RULES);
	world_start(world, &plain);
	for (uint32_t i = 0; i < 400; i++) {
		take(world, i);
		drain(world, &out);
	}
	engine_save(world->engine, saved);
	buf_free(&out);
}

static void what_is_cut_or_longer_is_refused(void **state) {
	struct buf saved = { 0 };
	struct world world;
	struct engine *engine = NULL;
	size_t len;

	(void)state;
	open_some(&world, &saved);
	len = saved.len;
	for (saved.len = 0; saved.len < len; saved.len++)
		assert_int_equal(restore(&engine, &world, &plain, &saved),
				 -EBADMSG);
	buf_putc(&saved, 0);
	assert_int_equal(restore(&engine, &world, &plain, &saved), -EBADMSG);
	assert_null(engine);
	buf_free(&saved);
	world_close(&world);
}

static void another_version_is_told_from_what_is_broken(void **state) {
	struct buf saved = { 0 };
	struct world world;
	struct engine *engine;

	(void)state;
	open_some(&world, &saved);
	saved.data[0]++;
	assert_int_equal(restore(&engine, &world, &plain, &saved), -EPROTO);
	saved.data[0]--;
	saved.data[8]++;
	assert_int_equal(restore(&engine, &world, &plain, &saved), -EBADMSG);
	buf_free(&saved);
	world_close(&world);
}

/*
 * Whatever a byte says: the state is refused, or it is one that cells and
 * tables can be taken from and given back to.
 */
static void no_byte_leads_out_of_memory(void **state) {
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };
	struct buf saved = { 0 };
	struct world world;
	size_t refused = 0;

	(void)state;
	open_some(&world, &saved);
	for (size_t i = 16; i < saved.len; i++)
		for (size_t f = 0; f < ARRAY_SIZE(flips); f++) {
			struct engine *engine;
			int r;

			saved.data[i] = (char)(saved.data[i] ^ flips[f]);
			r = restore(&engine, &world, &plain, &saved);
			saved.data[i] = (char)(saved.data[i] ^ flips[f]);
			if (r < 0) {
				assert_true(r == -EBADMSG || r == -ENOMEM);
				refused++;
				continue;
			}
			for (size_t n = 16; n <= CELL_MAX; n *= 2)
				pages_release(
					engine_pages(engine),
					pages_alloc(engine_pages(engine), n));
			engine_free(engine);
		}
	assert_true(refused > 1000);
	buf_free(&saved);
	world_close(&world);
}

/* Other bytes than were saved: the free cells are not the ones counted. */
static int spoil_page(void *context, uint32_t number, uint8_t *bytes) {
	(void)context;
	memset(bytes, (int)number + 0x5a, PAGE_BYTES);
	return 0;
}

static int no_page(void *context, uint32_t number, uint8_t *bytes) {
	(void)context;
	(void)number;
	(void)bytes;
	return -EIO;
}

static void a_page_that_is_another_is_refused(void **state) {
	struct buf saved = { 0 };
	struct world world;
	struct engine *engine;

	(void)state;
	open_some(&world, &saved);
	assert_int_equal(engine_restore(&engine, world.set, &plain, saved.data,
					saved.len, spoil_page, NULL),
			 -EBADMSG);
	assert_int_equal(engine_restore(&engine, world.set, &plain, saved.data,
					saved.len, no_page, NULL),
			 -EIO);
	buf_free(&saved);
	world_close(&world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_ids_and_tables_come_back),
		cmocka_unit_test(who_is_evicted_hangs_on_nothing_but_the_keys),
		cmocka_unit_test(what_is_cut_or_longer_is_refused),
		cmocka_unit_test(another_version_is_told_from_what_is_broken),
		cmocka_unit_test(no_byte_leads_out_of_memory),
		cmocka_unit_test(a_page_that_is_another_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
