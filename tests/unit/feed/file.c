#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "feed/file.h"

#define MARCH_1 (INT64_C(1772323200) * USEC_PER_SEC) /* 2026, UTC */

/* Two streams of an id and a date each, and files in a folder of their own. */
struct town {
	struct arena arena;
	struct calendar calendar;
	struct field fields[2];
	struct stream orders, payments;
	struct file_feed *feed;
	char folder[32];
	char *paths[8];
	size_t n;
	struct buf notes, why, seen;
};

static void town_init(struct town *town) {
	memset(town, 0, sizeof(*town));
	assert_int_equal(calendar_init(&town->calendar, "cn", "Asia/Shanghai",
				       &town->arena),
			 0);
	town->fields[0] = (struct field){
		.name = "no",
		.path = "/no",
		.type = { .kind = KIND_STRING },
		.used = true,
	};
	town->fields[1] = (struct field){
		.name = "at",
		.path = "/at",
		.type = { .kind = KIND_TIMESTAMP },
	};
	town->orders = (struct stream){
		.name = "orders",
		.topic = "orders",
		.fields = town->fields,
		.n_fields = 2,
		.n_slots = 1,
		.time = &town->fields[1],
		.id = &town->fields[0],
		.calendar = &town->calendar,
		.max_bytes = 4096,
		.max_skew = USEC_PER_DAY,
	};
	town->payments = town->orders;
	town->payments.name = "payments";
	town->payments.topic = "payments";
	strcpy(town->folder, "/tmp/tocsin-XXXXXX");
	assert_non_null(mkdtemp(town->folder));
	assert_int_equal(file_feed_new(&town->feed, 7, MARCH_1), 0);
}

static void town_free(struct town *town) {
	file_feed_free(town->feed);
	for (size_t i = 0; i < town->n; i++) {
		unlink(town->paths[i]);
		free(town->paths[i]);
	}
	rmdir(town->folder);
	arena_free(&town->arena);
	buf_free(&town->notes);
	buf_free(&town->why);
	buf_free(&town->seen);
}

static const char *write_file(struct town *town, const char *name,
			      const char *text, size_t len, bool zip) {
	char **path = &town->paths[town->n++];
	gzFile file;

	assert_true(asprintf(path, "%s/%s", town->folder, name) > 0);
	file = gzopen(*path, zip ? "wb" : "wbT");
	assert_non_null(file);
	assert_int_equal(gzwrite(file, text, (unsigned)len), len);
	assert_int_equal(gzclose(file), Z_OK);
	return *path;
}

static int add(struct town *town, const struct stream *stream, const char *name,
	       const char *text) {
	const char *path = write_file(town, name, text, strlen(text),
				      strstr(name, ".gz") != NULL);

	return file_feed_add(town->feed, stream, path, &town->notes,
			     &town->why);
}

/* All rows in order: the id or the reason, and where each lies. */
static const char *run(struct town *town, size_t batch) {
	struct event *events[600];
	int n;

	buf_reset(&town->seen);
	while ((n = file_feed_next(town->feed, events, batch)) > 0) {
		for (int i = 0; i < n; i++) {
			const struct event *event = events[i];
			const struct value *no = event->slots;

			if (event->refusal)
				buf_puts(&town->seen,
					 refusal_name(event->refusal));
			else
				buf_add(&town->seen, no->s, no->len);
			buf_printf(&town->seen, "@%c%d.%d ", event->at.topic[0],
				   (int)event->at.partition,
				   (int)event->at.offset);
		}
	}
	assert_int_equal(n, 0);
	return buf_cstr(&town->seen);
}

/* S1.5 */
static void merges_files_by_time_and_refused_rows_at_once(void **state) {
	for (size_t batch = 1; batch < 8; batch += 3) {
		struct town town;

		(void)state;
		town_init(&town);
		assert_int_equal(add(&town, &town.payments, "p.jsonl",
				     "\xef\xbb\xbf{\"no\":\"p1\",\"at\":\"2026-"
				     "01-02\"}\n"
				     "\r\n"
				     "{\"no\":\"p2\",\"at\":\"2026-01-03\"}\r\n"
				     "broken\n"
				     "{\"no\":\"p3\",\"at\":\"2026-01-09\"}"),
				 0);
		assert_int_equal(add(&town, &town.orders, "o.csv.gz",
				     "at,no\n2026-01-03,\"a\n\"\"b\"\"\"\n"
				     "2026-01-01,late\n"),
				 0);
		assert_int_equal(add(&town, &town.orders, "o.jsonl.gz",
				     "{\"no\":\"x\",\"at\":\"2026-01-03\"}\n"),
				 0);
		assert_string_equal(run(&town, batch),
				    "p1@p0.0 a\n\"b\"@o0.0 late@o0.1 x@o1.0 "
				    "p2@p0.1 not_json@p0.2 p3@p0.3 ");
		assert_int_equal(file_feed_rows(town.feed), 7);
		assert_true(file_feed_progress(town.feed) > 0.99);
		town_free(&town);
	}
}

static void lets_no_row_of_the_year_9999_hold_back_the_others(void **state) {
	struct town town;

	(void)state;
	town_init(&town);
	assert_int_equal(add(&town, &town.payments, "p.jsonl",
			     "{\"no\":\"p1\",\"at\":\"2026-01-02\"}\n"
			     "{\"no\":\"p2\",\"at\":\"9999-12-31\"}\n"
			     "{\"no\":\"p3\",\"at\":\"2026-01-04\"}\n"),
			 0);
	assert_int_equal(add(&town, &town.orders, "o.csv",
			     "no,at\na,2026-01-03\nb,2026-03-02\nc,2026-03-03\n"
			     "d,2026-03-02\n"),
			 0);
	/* c is a day and some hours ahead, b and d are not. */
	assert_string_equal(run(&town, 10), "p1@p0.0 p2@p0.1 a@o0.0 p3@p0.2 "
					    "b@o0.1 c@o0.2 d@o0.3 ");
	town_free(&town);
}

static void cuts_a_long_file_into_batches_without_a_loss(void **state) {
	struct buf text = { 0 };
	struct town town;
	struct event *events[600];
	int64_t rows = 0;
	int n;

	(void)state;
	town_init(&town);
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "{\"no\":\"%d\",\"at\":\"2026-01-02\"}\n", i);
	assert_int_equal(
		add(&town, &town.orders, "o.jsonl.gz", buf_cstr(&text)), 0);
	while ((n = file_feed_next(town.feed, events, 600)) > 0) {
		for (int i = 0; i < n; i++, rows++) {
			char no[16];

			snprintf(no, sizeof(no), "%d", (int)rows);
			assert_int_equal(events[i]->at.offset, rows);
			assert_memory_equal(events[i]->slots[0].s, no,
					    strlen(no));
		}
	}
	assert_int_equal(rows, 5000);
	buf_free(&text);
	town_free(&town);
}

static void refuses_a_long_row_and_an_open_quote_alone(void **state) {
	struct buf text = { 0 };
	struct town town;

	(void)state;
	town_init(&town);
	buf_puts(&text, "no,at\n");
	buf_repeat(&text, 'x', 300000);
	buf_puts(&text, "\na,2026-01-01\n\"b,2026-01-02\n");
	buf_repeat(&text, 'y', 5000);
	buf_puts(&text, "\nc,2026-01-03\n");
	assert_int_equal(add(&town, &town.orders, "o.csv", buf_cstr(&text)), 0);
	assert_string_equal(run(&town, 10),
			    "too_large@o0.0 a@o0.1 too_large@o0.2 c@o0.3 ");
	buf_free(&text);
	town_free(&town);
}

static void reads_files_in_the_encoding_of_the_stream(void **state) {
	struct town town;
	struct charset charset;

	(void)state;
	town_init(&town);
	assert_int_equal(charset_load(&charset, CHARSET_GB18030, &town.arena),
			 0);
	town.payments.charset = &charset;
	assert_int_equal(add(&town, &town.payments, "a.jsonl",
			     "\x84\x31\x95\x33{\"no\":\"\xb2\xc6\",\"at\":"
			     "\"2026-01-02\"}\n"
			     "{\"no\":\"\xff\",\"at\":\"2026-01-02\"}\n"
			     "{\"no\":\"\xd5\xfe\",\"at\":\"2026-01-04\"}\n"),
			 0);
	assert_int_equal(add(&town, &town.payments, "b.csv.gz",
			     "no,at\n\"\xbe\xd6\n\",2026-01-03\n"),
			 0);
	assert_string_equal(run(&town, 10), "财@p0.0 bad_encoding@p0.1 "
					    "局\n@p1.0 政@p0.2 ");
	assert_int_equal(
		add(&town, &town.payments, "c.csv", "\xef\xbb\xbfno,at\n"),
		-EINVAL);
	assert_string_equal(buf_cstr(&town.why),
			    "the file begins with the mark of UTF-8, and the "
			    "stream says another `encoding`");
	town_free(&town);
}

/* S1.5 */
static void puts_rows_in_order_of_time_if_asked(void **state) {
	struct buf text = { 0 };
	struct town town;
	struct event *events[64];
	usec_t before = 0;
	int64_t seen = 0;
	int n;

	(void)state;
	for (size_t batch = 1; batch < 8; batch += 3) {
		town_init(&town);
		file_feed_sort(town.feed);
		assert_int_equal(add(&town, &town.payments, "p.csv.gz",
				     "no,at\nc,2026-01-09\n\nbad,never\n"
				     "a,2026-01-02\nb,2026-01-09\n"),
				 0);
		assert_int_equal(add(&town, &town.orders, "o.csv", "no,at\n"),
				 0);
		assert_string_equal(run(&town, batch),
				    "bad_time@p0.1 a@p0.2 c@p0.0 b@p0.3 ");
		assert_true(file_feed_progress(town.feed) > 0.99);
		town_free(&town);
	}
	/* Many chunks of it. */
	town_init(&town);
	file_feed_sort(town.feed);
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "{\"no\":\"%d\",\"at\":\"2026-01-%02d\"}\n",
			   i, i * 7 % 28 + 1);
	assert_int_equal(add(&town, &town.orders, "o.jsonl", buf_cstr(&text)),
			 0);
	while ((n = file_feed_next(town.feed, events, 64)) > 0) {
		for (int i = 0; i < n; i++) {
			char no[16];

			assert_true(events[i]->time >= before);
			before = events[i]->time;
			snprintf(no, sizeof(no), "%d",
				 (int)events[i]->at.offset);
			assert_memory_equal(events[i]->slots[0].s, no,
					    strlen(no));
			seen++;
		}
	}
	assert_int_equal(seen, 5000);
	buf_free(&text);
	town_free(&town);
}

static void says_why_a_file_cannot_be_read(void **state) {
	struct buf text = { 0 };
	struct event *event;
	struct town town;
	char *path;

	(void)state;
	town_init(&town);
	assert_int_equal(add(&town, &town.orders, "a.csv", "no,when\n"),
			 -EINVAL);
	assert_string_equal(buf_cstr(&town.why),
			    "no column for the field `at`");
	buf_reset(&town.why);
	assert_int_equal(add(&town, &town.orders, "b.csv", ""), -EINVAL);
	assert_int_equal(file_feed_add(town.feed, &town.orders, town.folder,
				       &town.notes, &town.why),
			 -EISDIR);
	assert_int_equal(file_feed_add(town.feed, &town.orders,
				       "/nonexistent.jsonl", &town.notes,
				       &town.why),
			 -ENOENT);

	/* Cut off in the middle: what was whole is taken, then it says so. */
	for (int i = 0; i < 40000; i++)
		buf_printf(&text, "{\"no\":\"%d\",\"at\":\"2026-01-02\"}\n",
			   i * 7919 % 40000);
	write_file(&town, "c.jsonl.gz", text.data, text.len, true);
	path = town.paths[town.n - 1];
	assert_int_equal(truncate(path, 60000), 0);
	assert_int_equal(file_feed_add(town.feed, &town.orders, path,
				       &town.notes, &town.why),
			 0);
	for (int n = 1; n > 0;)
		n = file_feed_next(town.feed, &event, 1);
	assert_true(file_feed_rows(town.feed) > 1000);
	assert_int_equal(file_feed_next(town.feed, &event, 1), -ENODATA);
	assert_string_equal(file_feed_path(town.feed), path);
	buf_free(&text);
	town_free(&town);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges_files_by_time_and_refused_rows_at_once),
		cmocka_unit_test(
			lets_no_row_of_the_year_9999_hold_back_the_others),
		cmocka_unit_test(cuts_a_long_file_into_batches_without_a_loss),
		cmocka_unit_test(refuses_a_long_row_and_an_open_quote_alone),
		cmocka_unit_test(reads_files_in_the_encoding_of_the_stream),
		cmocka_unit_test(puts_rows_in_order_of_time_if_asked),
		cmocka_unit_test(says_why_a_file_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
