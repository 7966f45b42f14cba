#include "lane/journal.h"

#include "lane/segment.h"
#include "lane/varint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64];
static char dir[80];

static int make_dir(void **state) {
	(void)state;
	snprintf(base, sizeof(base), "/tmp/tocsin-journal-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/j", base);
	return 0;
}

static void empty_dir(void) {
	uint64_t *starts = NULL;
	size_t n = 0;

	if (segment_list(&starts, &n, dir) == 0)
		for (size_t i = 0; i < n; i++) {
			char *path = segment_path(dir, starts[i]);

			unlink(path);
			free(path);
		}
	free(starts);
	rmdir(dir);
}

static int remove_dir(void **state) {
	(void)state;
	empty_dir();
	return rmdir(base);
}

static const struct journal_header header = {
	.lane = "0",
	.rules = { 1, 2, 3 },
	.seed = UINT64_C(0xfedcba9876543210),
	.first_ordinal = 1,
};

static void put_partition(struct journal *journal, const char *topic,
			  int32_t partition, int64_t first) {
	struct decision decision = { .kind = DECISION_PARTITION,
				     .topic = topic,
				     .partition = partition };

	journal_decide(journal, &decision, first);
}

static void put_run(struct journal *journal, uint32_t partition, int64_t first,
		    int64_t next, uint64_t count) {
	struct journal_run run = { partition, first, next, count };

	journal_turn(journal, 1700000000 + first, &run, 1);
}

static void sync_wait(struct journal *journal) {
	struct pollfd fd = { .fd = journal_fd(journal), .events = POLLIN };

	journal_sync(journal);
	while (journal_durable(journal) < journal_position(journal)) {
		assert_int_equal(journal_error(journal), 0);
		assert_true(poll(&fd, 1, 10000) > 0);
		journal_acknowledge(journal);
	}
}

/* Three turns; the first two are known to be durable, by the third. */
static void write_three(uint64_t positions[4]) {
	struct journal *journal;

	assert_int_equal(journal_create(&journal, dir, &header), 0);
	put_partition(journal, "fin.payments", 0, 5);
	positions[0] = journal_position(journal);
	put_run(journal, 0, 5, 105, 100);
	positions[1] = journal_position(journal);
	put_run(journal, 0, 105, 300, 150);
	positions[2] = journal_position(journal);
	sync_wait(journal);
	put_run(journal, 0, 300, 301, 1);
	positions[3] = journal_position(journal);
	sync_wait(journal);
	journal_close(journal);
}

/* How many entries can be read; negative errno if it halts. */
static int read_all(struct journal_reader **ret) {
	struct journal_reader *reader;
	struct journal_entry entry;
	struct buf why = { 0 };
	int n = 0, r;

	r = journal_read_open(&reader, dir, &why);
	if (r == 0) {
		while ((r = journal_read(reader, &entry, &why)) > 0)
			n++;
		if (r == 0 && ret)
			*ret = reader;
		else
			journal_read_close(reader);
	}
	buf_free(&why);
	return r < 0 ? r : n;
}

static void flip(uint64_t at) {
	char *path = segment_path(dir, 0);
	int fd = open(path, O_RDWR);
	unsigned char byte;

	free(path);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void cut(uint64_t at) {
	char *path = segment_path(dir, 0);

	assert_int_equal(truncate(path, (off_t)at), 0);
	free(path);
}

static void reads_back_what_was_written(void **state) {
	uint64_t positions[4];
	struct journal_reader *reader;
	struct journal_entry entry;
	struct buf why = { 0 };

	(void)state;
	write_three(positions);
	assert_int_equal(journal_read_open(&reader, dir, &why), 0);
	assert_string_equal(journal_read_header(reader)->lane, "0");
	assert_memory_equal(journal_read_header(reader)->rules, header.rules,
			    32);
	assert_true(journal_read_header(reader)->seed == header.seed);
	assert_null(journal_read_header(reader)->seam);

	assert_int_equal(journal_read(reader, &entry, &why), 1);
	assert_int_equal(entry.kind, JOURNAL_DECISION);
	assert_int_equal(entry.decision.kind, DECISION_PARTITION);
	assert_string_equal(entry.decision.topic, "fin.payments");
	assert_int_equal(entry.first_offset, 5);
	assert_int_equal(entry.ordinal, 1);

	assert_int_equal(journal_read(reader, &entry, &why), 1);
	assert_int_equal(entry.kind, JOURNAL_TURN);
	assert_int_equal(entry.n_runs, 1);
	assert_int_equal(entry.poll_time, 1700000005);
	assert_int_equal(entry.runs[0].first, 5);
	assert_int_equal(entry.runs[0].next, 105);
	assert_int_equal(entry.ordinal, 2);

	assert_int_equal(journal_read(reader, &entry, &why), 1);
	assert_int_equal(entry.runs[0].first, 105);
	assert_int_equal(entry.runs[0].next, 300);
	assert_int_equal(entry.runs[0].count, 150);
	assert_int_equal(entry.ordinal, 102);

	assert_int_equal(journal_read(reader, &entry, &why), 1);
	assert_int_equal(journal_read(reader, &entry, &why), 0);
	assert_int_equal(journal_read_ordinal(reader), 252);
	journal_read_close(reader);
	buf_free(&why);
}

static void keeps_the_records_of_a_seam(void **state) {
	const char *const open[] = { "{\"id\":\"a\"}", "{}" };
	const size_t lens[] = { 10, 2 };
	struct decision seam = { .kind = DECISION_SEAM,
				 .reason = "rules changed",
				 .seq = 77,
				 .hash = { 9, 8 },
				 .open = open,
				 .open_len = lens,
				 .n_open = 2 };
	struct journal *journal;
	struct journal_reader *reader;
	struct journal_entry entry;
	struct buf why = { 0 };

	(void)state;
	assert_int_equal(journal_create(&journal, dir, &header), 0);
	journal_decide(journal, &seam, 0);
	sync_wait(journal);
	journal_close(journal);
	assert_int_equal(journal_read_open(&reader, dir, &why), 0);
	assert_int_equal(journal_read(reader, &entry, &why), 1);
	assert_string_equal(entry.decision.reason, "rules changed");
	assert_int_equal(entry.decision.seq, 77);
	assert_memory_equal(entry.decision.hash, seam.hash, 32);
	assert_int_equal(entry.decision.n_open, 2);
	assert_int_equal(entry.decision.open_len[0], 10);
	assert_memory_equal(entry.decision.open[0], open[0], 10);
	assert_memory_equal(entry.decision.open[1], open[1], 2);
	journal_read_close(reader);
	buf_free(&why);
}

/* In a journal that is written on, too. */
static void keeps_what_tables_have(void **state) {
	const struct journal_content contents[] = { { "p/limits", { 1, 2 } },
						    { "p/lists.x", { 3 } } };
	struct journal_header with = header;
	struct decision decision = { .kind = DECISION_CONTENT,
				     .name = "p/limits",
				     .hash = { 9, 8, 7 } };
	const struct journal_header *is;
	struct journal *journal;
	struct journal_reader *reader;
	struct journal_entry entry;
	struct buf why = { 0 };

	(void)state;
	with.contents = contents;
	with.n_contents = 2;
	assert_int_equal(journal_create(&journal, dir, &with), 0);
	for (int i = 0; i < 2; i++) {
		journal_decide(journal, &decision, 0);
		sync_wait(journal);
		journal_close(journal);
		assert_int_equal(journal_read_open(&reader, dir, &why), 0);
		is = journal_read_header(reader);
		assert_int_equal(is->n_contents, 2);
		assert_string_equal(is->contents[1].name, "p/lists.x");
		assert_memory_equal(is->contents[0].sha256, contents[0].sha256,
				    32);
		for (int k = 0; k <= i; k++) {
			assert_int_equal(journal_read(reader, &entry, &why), 1);
			assert_int_equal(entry.decision.kind, DECISION_CONTENT);
			assert_string_equal(entry.decision.name, "p/limits");
			assert_memory_equal(entry.decision.hash, decision.hash,
					    32);
		}
		assert_int_equal(journal_read(reader, &entry, &why), 0);
		assert_int_equal(journal_append(&journal, reader), 0);
		journal_read_close(reader);
	}
	journal_close(journal);
	buf_free(&why);
}

static void write_header(uint64_t version) {
	struct buf payload = { 0 }, record = { 0 };
	char *path = segment_path(dir, 0);
	FILE *file;

	put_varint(&payload, version);
	put_varint(&payload, 1);
	buf_add(&payload, "0", 1);
	buf_add(&payload, header.rules, 32);
	put_fixed64(&payload, header.seed);
	put_fixed64(&payload, header.first_ordinal);
	put_varint(&payload, 0);
	if (version > 2)
		put_varint(&payload, 0);
	record_put(&record, RECORD_HEADER, 0, 0, payload.data, payload.len);
	mkdir(dir, 0700);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(record.data, 1, record.len, file), record.len);
	fclose(file);
	free(path);
	buf_free(&payload);
	buf_free(&record);
}

/* One that knew nothing of tables, nor of states; a later one is refused. */
static void reads_what_an_older_release_wrote(void **state) {
	struct journal_reader *reader;
	struct buf why = { 0 };

	(void)state;
	for (uint64_t version = 1; version <= JOURNAL_VERSION; version++) {
		write_header(version);
		assert_int_equal(journal_read_open(&reader, dir, &why), 0);
		assert_true(journal_read_header(reader)->seed == header.seed);
		assert_int_equal(journal_read_header(reader)->n_contents, 0);
		journal_read_close(reader);
	}
	write_header(JOURNAL_VERSION + 1);
	assert_int_equal(journal_read_open(&reader, dir, &why), -EPROTO);
	assert_non_null(strstr(buf_cstr(&why), "of another release"));
	buf_free(&why);
}

static void goes_on_where_it_ended(void **state) {
	uint64_t positions[4];
	struct journal_reader *reader;
	struct journal *journal;

	(void)state;
	write_three(positions);
	assert_int_equal(read_all(&reader), 4);
	assert_int_equal(journal_append(&journal, reader), 0);
	journal_read_close(reader);
	assert_true(journal_position(journal) == positions[3]);
	put_run(journal, 0, 301, 400, 99);
	sync_wait(journal);
	journal_close(journal);
	assert_int_equal(read_all(NULL), 5);
}

/* What was never synced may be torn at any byte. */
static void ends_where_it_was_torn(void **state) {
	uint64_t positions[4];

	(void)state;
	for (int step = 0;; step++) {
		struct journal_reader *reader;
		struct journal *journal;
		uint64_t at;

		write_three(positions);
		at = positions[2] + (uint64_t)step;
		if (positions[3] - at <= 7) /* only padding is gone */
			break;
		cut(at);
		assert_int_equal(read_all(&reader), 3);
		assert_int_equal(journal_append(&journal, reader), 0);
		journal_read_close(reader);
		put_run(journal, 0, 300, 310, 10);
		sync_wait(journal);
		journal_close(journal);
		assert_int_equal(read_all(NULL), 4);
		empty_dir();
	}
}

static void halts_at_each_flipped_byte_that_was_durable(void **state) {
	uint64_t positions[4];

	(void)state;
	write_three(positions);
	for (uint64_t at = positions[0]; at < positions[2]; at++) {
		int r;

		flip(at);
		r = read_all(NULL);
		/* Padding is not looked at. */
		if (r != 4)
			assert_int_equal(r, -EBADMSG);
		else
			assert_true(positions[1] - at <= 7 ||
				    positions[2] - at <= 7);
		flip(at);
	}
	for (uint64_t at = positions[2]; at < positions[3]; at++) {
		int r;

		flip(at);
		r = read_all(NULL);
		assert_true(r == 3 || (r == 4 && positions[3] - at <= 7));
		flip(at);
	}
	assert_int_equal(read_all(NULL), 4);
}

static void begins_a_new_segment_when_one_is_full(void **state) {
	static struct journal_run runs[1000];
	struct journal_reader *reader;
	struct journal *journal;
	uint64_t *starts;
	size_t n;
	int64_t next = 0;

	(void)state;
	assert_int_equal(journal_create(&journal, dir, &header), 0);
	put_partition(journal, "t", 0, 0);
	while (journal_position(journal) < SEGMENT_BYTES * 5 / 2) {
		for (size_t i = 0; i < 1000; i++) {
			/* A hole before each one, so that it costs bytes. */
			next += INT64_C(1) << 50;
			runs[i] = (struct journal_run){ 0, next, next + 1, 1 };
			next = i % 2 ? next + 1 : 0;
		}
		journal_turn(journal, 1, runs, 1000);
	}
	sync_wait(journal);
	journal_close(journal);
	assert_int_equal(segment_list(&starts, &n, dir), 0);
	assert_int_equal(n, 3);
	free(starts);
	assert_true(read_all(&reader) > 0);
	assert_int_equal(journal_append(&journal, reader), 0);
	journal_read_close(reader);
	journal_close(journal);
}

static void halts_when_a_segment_is_missing(void **state) {
	static char big[SEGMENT_BYTES];
	const char *const open[] = { big };
	const size_t lens[] = { sizeof(big) };
	struct decision seam = { .kind = DECISION_SEAM,
				 .reason = "x",
				 .open = open,
				 .open_len = lens,
				 .n_open = 1 };
	struct journal *journal;
	uint64_t *starts;
	size_t n;
	char *path;

	(void)state;
	assert_int_equal(journal_create(&journal, dir, &header), 0);
	put_partition(journal, "t", 0, 0);
	journal_decide(journal, &seam, 0);
	put_run(journal, 0, 0, 1, 1);
	sync_wait(journal);
	put_run(journal, 0, 1, 2, 1);
	sync_wait(journal);
	journal_close(journal);
	assert_int_equal(read_all(NULL), 4);
	assert_int_equal(segment_list(&starts, &n, dir), 0);
	assert_int_equal(n, 3);
	path = segment_path(dir, starts[1]);
	assert_int_equal(unlink(path), 0);
	free(path);
	free(starts);
	assert_int_equal(read_all(NULL), -EBADMSG);
}

static void collect(void *context, const char *text, size_t len) {
	buf_add(context, text, len);
	buf_putc(context, '\n');
}

static void prints_itself_as_json_lines(void **state) {
	uint64_t positions[4];
	struct buf why = { 0 }, out = { 0 };

	(void)state;
	write_three(positions);
	assert_int_equal(journal_dump(dir, &why, collect, &out), 0);
	assert_non_null(
		strstr(buf_cstr(&out),
		       "{\"ordinal\":1,\"decision\":\"partition\",\"topic\":"
		       "\"fin.payments\",\"partition\":0,\"offset\":5}\n"
		       "{\"ordinal\":2,\"run\":{\"topic\":\"fin.payments\","
		       "\"partition\":0,\"first\":5,\"next\":105,\"count\":100,"
		       "\"poll_time\":1700000005}}\n"));
	assert_non_null(strstr(buf_cstr(&out), "\"ordinal\":252}}\n"));
	buf_free(&out);
	buf_free(&why);
}

/* A preallocated block that was never written is a hole to lseek(). */
static bool is_written(uint64_t at) {
	char *path = segment_path(dir, 0);
	int fd = open(path, O_RDONLY);
	off_t data;

	free(path);
	assert_true(fd >= 0);
	data = lseek(fd, (off_t)at, SEEK_DATA);
	close(fd);
	return data == (off_t)at;
}

static void writes_zeros_ahead_of_its_records(void **state) {
	struct journal_reader *reader;
	struct journal *journal;
	int64_t next = 0;

	(void)state;
	assert_int_equal(journal_create(&journal, dir, &header), 0);
	assert_true(is_written(512 << 10));
	put_partition(journal, "fin.payments", 0, 0);
	while (journal_position(journal) < 768 << 10) {
		put_run(journal, 0, next, next + 1, 1);
		next++;
	}
	sync_wait(journal);
	journal_close(journal);
	assert_true(is_written(1280 << 10));

	/* They are no records, and whoever goes on has his own. */
	assert_int_equal(read_all(&reader), (int)next + 1);
	assert_int_equal(journal_append(&journal, reader), 0);
	journal_read_close(reader);
	assert_true(is_written(1280 << 10));
	put_run(journal, 0, next, next + 1, 1);
	sync_wait(journal);
	journal_close(journal);
	assert_int_equal(read_all(&reader), (int)next + 2);
	journal_read_close(reader);
}

static void has_no_journal_where_there_is_none(void **state) {
	(void)state;
	assert_int_equal(read_all(NULL), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(reads_back_what_was_written),
		TEST(keeps_the_records_of_a_seam),
		TEST(keeps_what_tables_have),
		TEST(reads_what_an_older_release_wrote),
		TEST(goes_on_where_it_ended),
		TEST(ends_where_it_was_torn),
		TEST(halts_at_each_flipped_byte_that_was_durable),
		TEST(begins_a_new_segment_when_one_is_full),
		TEST(halts_when_a_segment_is_missing),
		TEST(prints_itself_as_json_lines),
		TEST(writes_zeros_ahead_of_its_records),
		TEST(has_no_journal_where_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
