#include "base/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/util.h"

static void cells_are_zeroed_and_do_not_overlap(void **state) {
	struct pages pages;
	handle_t handles[600];

	(void)state;
	pages_init(&pages, 0);
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		size_t size = i * 131 % 5000 + 1;
		uint8_t *cell;

		handles[i] = pages_alloc(&pages, size);
		assert_int_not_equal(handles[i], 0);
		assert_true(pages_cell_bytes(&pages, handles[i]) >= size);
		cell = pages_write(&pages, handles[i]);
		for (size_t b = 0; b < size; b++)
			assert_int_equal(cell[b], 0);
		memset(cell, (int)(i % 255) + 1,
		       pages_cell_bytes(&pages, handles[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		const uint8_t *cell = pages_read(&pages, handles[i]);
		size_t size = pages_cell_bytes(&pages, handles[i]);

		assert_int_equal(cell[0], i % 255 + 1);
		assert_int_equal(cell[size - 1], i % 255 + 1);
	}
	pages_free(&pages);
}

static void a_cell_that_comes_back_is_zeroed_when_handed_out(void **state) {
	struct pages pages;
	handle_t handle;
	const uint8_t *cell;

	(void)state;
	pages_init(&pages, 0);
	handle = pages_alloc(&pages, 48);
	memset(pages_write(&pages, handle), 0xff, 48);
	pages_release(&pages, handle);
	assert_int_equal(pages_alloc(&pages, 33), handle);
	cell = pages_read(&pages, handle);
	for (size_t i = 0; i < 48; i++)
		assert_int_equal(cell[i], 0);
	pages_free(&pages);
}

static void gives_again_what_came_back_last(void **state) {
	struct pages pages;
	handle_t a;
	handle_t b;

	(void)state;
	pages_init(&pages, 0);
	a = pages_alloc(&pages, 100);
	b = pages_alloc(&pages, 100);
	pages_release(&pages, a);
	pages_release(&pages, b);
	assert_int_equal(pages_alloc(&pages, 100), b);
	assert_int_equal(pages_alloc(&pages, 100), a);
	pages_free(&pages);
}

static void run_calls(struct pages *pages, handle_t *handles, size_t n) {
	pages_init(pages, 0);
	for (size_t i = 0; i < n; i++) {
		handles[i] = pages_alloc(pages, i * 37 % 3000);
		if (i % 3 == 2)
			pages_release(pages, handles[i - 1]);
	}
}

static void the_same_calls_give_the_same_handles(void **state) {
	handle_t a[500];
	handle_t b[500];
	struct pages one;
	struct pages two;

	(void)state;
	run_calls(&one, a, ARRAY_SIZE(a));
	run_calls(&two, b, ARRAY_SIZE(b));
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(one.used_bytes, two.used_bytes);
	pages_free(&one);
	pages_free(&two);
}

static void handle_zero_is_never_given(void **state) {
	static const size_t sizes[] = { 0, 1, 16, 1024, 1025, CELL_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pages pages;

		pages_init(&pages, 0);
		for (int n = 0; n < 10; n++)
			assert_int_not_equal(pages_alloc(&pages, sizes[i]), 0);
		pages_free(&pages);
	}
}

static void a_class_is_little_larger_than_asked(void **state) {
	(void)state;
	assert_int_equal(pages_class_bytes(0), 16);
	assert_int_equal(pages_class_bytes(16), 16);
	assert_int_equal(pages_class_bytes(17), 32);
	assert_int_equal(pages_class_bytes(1024), 1024);
	assert_int_equal(pages_class_bytes(CELL_MAX), CELL_MAX);
	for (size_t size = 1; size <= CELL_MAX; size++) {
		size_t bytes = pages_class_bytes(size);

		assert_true(bytes >= size && bytes % PAGE_UNIT == 0);
		assert_true(bytes <= size + size / 2 + 16);
		assert_int_equal(pages_class_bytes(bytes), bytes);
	}
}

static void stops_at_the_limit_and_goes_on_after_a_release(void **state) {
	struct pages pages;
	handle_t last = 0;
	handle_t handle;
	size_t n = 0;

	(void)state;
	pages_init(&pages, 2 * PAGE_BYTES);
	while ((handle = pages_alloc(&pages, 1024))) {
		last = handle;
		n++;
	}
	/* Two pages of 64 cells, but for the one whose handle is none. */
	assert_int_equal(n, 127);
	assert_int_equal(pages.used_bytes, 127 * 1024);
	assert_int_equal(pages_alloc(&pages, 16), 0);
	pages_release(&pages, last);
	assert_int_equal(pages_alloc(&pages, 1024), last);
	pages_free(&pages);
}

/* What one size no longer wants another size may have. */
static void a_page_that_emptied_serves_another_size(void **state) {
	static handle_t cells[127];
	struct pages pages;
	const uint8_t *cell;
	handle_t big;
	size_t i;

	(void)state;
	pages_init(&pages, 2 * PAGE_BYTES);
	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		cells[i] = pages_alloc(&pages, 1024);
		memset(pages_write(&pages, cells[i]), 0xff, 1024);
	}
	assert_int_equal(pages_alloc(&pages, CELL_MAX), 0);
	/* The first page has 63 cells. Alone with room, it stays. */
	for (i = 0; i < 63; i++)
		pages_release(&pages, cells[i]);
	assert_int_equal(pages_alloc(&pages, CELL_MAX), 0);
	pages_release(&pages, cells[63]);
	big = pages_alloc(&pages, CELL_MAX);
	assert_int_not_equal(big, 0);
	cell = pages_read(&pages, big);
	for (i = 0; i < CELL_MAX; i++)
		assert_int_equal(cell[i], 0);
	pages_free(&pages);
}

static void a_handle_that_outlived_its_page_is_told(void **state) {
	struct pages pages;
	handle_t a, b, plain;

	(void)state;
	pages_init(&pages, 0);
	plain = pages_alloc(&pages, 48);
	a = pages_alloc_kind(&pages, 48, 1);
	b = pages_alloc_kind(&pages, 1024, 1);
	assert_int_not_equal(a >> 12, plain >> 12);
	assert_true(pages_has(&pages, a, 1));
	assert_true(pages_has(&pages, b, 1));
	assert_false(pages_has(&pages, a, 0));
	assert_false(pages_has(&pages, a + 1, 1));
	assert_false(pages_has(&pages, 0, 0));
	assert_false(pages_has(&pages, UINT32_MAX, 0));
	pages_free(&pages);
}

static void a_write_marks_the_generation_of_its_page_alone(void **state) {
	struct pages pages;
	handle_t a;
	handle_t b;

	(void)state;
	pages_init(&pages, 0);
	a = pages_alloc(&pages, 16);
	b = pages_alloc(&pages, 2000);
	pages.now = 7;
	pages_read(&pages, a);
	pages_write(&pages, b);
	assert_int_equal(pages.generation[a >> 12], 1);
	assert_int_equal(pages.generation[b >> 12], 7);
	pages.now = 8;
	pages_release(&pages, a);
	assert_int_equal(pages.generation[a >> 12], 8);
	pages_free(&pages);
}

struct told {
	const struct pages *pages;
	uint32_t page;
	size_t times;
	uint8_t first; /* byte of it, when it was told */
};

static void tell(void *context, uint32_t page) {
	struct told *told = context;

	told->page = page;
	told->times++;
	told->first = *pages_at(told->pages, page);
}

static void a_page_is_told_of_once_and_before_it_changes(void **state) {
	struct told told = { 0 };
	struct pages pages;
	uint8_t *table;
	handle_t a, b;

	(void)state;
	pages_init(&pages, 0);
	a = pages_table(&pages, 3 * PAGE_BYTES);
	b = pages_alloc(&pages, 48);
	table = pages.base + (size_t)a * PAGE_UNIT;
	pages_change(&pages, table, 1);
	*table = 7;
	told.pages = &pages;
	pages.touched = tell;
	pages.context = &told;
	assert_int_equal(pages_flip(&pages), 1);
	assert_int_equal(told.times, 0);
	pages_change(&pages, table, 1);
	*table = 8;
	assert_int_equal(told.times, 1);
	assert_int_equal(told.page, a >> 12);
	assert_int_equal(told.first, 7);
	pages_change(&pages, table, 5);
	assert_int_equal(told.times, 1);
	/* Over a seam of two pages: both. */
	pages_change(&pages, table + 2 * PAGE_BYTES - 1, 2);
	assert_int_equal(told.times, 3);
	pages_release(&pages, b);
	assert_int_equal(told.times, 4);
	assert_int_equal(told.page, b >> 12);
	pages_free(&pages);
}

/* Tables count towards no limit; what they leave serves cells. */
static void pages_of_a_table_serve_cells_afterwards(void **state) {
	struct pages pages;
	handle_t table, small;
	uint32_t n;

	(void)state;
	pages_init(&pages, 2 * PAGE_BYTES);
	table = pages_table(&pages, 2 * PAGE_BYTES);
	small = pages_table(&pages, 512);
	assert_int_not_equal(small, 0);
	assert_int_equal(pages.used_bytes, 0);
	memset(pages.base + (size_t)table * PAGE_UNIT, 0xff, 2 * PAGE_BYTES);
	n = pages.n;
	pages_table_release(&pages, table, 2 * PAGE_BYTES);
	for (size_t i = 0; i < 2 * (PAGE_BYTES / CELL_MAX) - 1; i++) {
		handle_t cell = pages_alloc(&pages, CELL_MAX);

		assert_int_not_equal(cell, 0);
		assert_int_equal(*(const uint8_t *)pages_read(&pages, cell), 0);
	}
	assert_int_equal(pages.n, n);
	pages_table_release(&pages, small, 512);
	pages_free(&pages);
}

static void what_was_saved_is_found_again_or_refused(void **state) {
	struct pages one, other;
	struct buf saved = { 0 };
	struct saved from;
	handle_t next;

	(void)state;
	pages_init(&one, 0);
	for (size_t i = 0; i < 3000; i++)
		next = pages_alloc(&one, i * 31 % 4000);
	pages_release(&one, next);
	pages_save(&one, &saved);
	for (size_t len = 0; len < saved.len; len += 97) {
		from = (struct saved){ (const uint8_t *)saved.data, len,
				       false };
		pages_init(&other, 0);
		assert_int_equal(pages_restore(&other, &from), -EBADMSG);
		pages_free(&other);
	}
	from = (struct saved){ (const uint8_t *)saved.data, saved.len, false };
	pages_init(&other, 0);
	assert_int_equal(pages_restore(&other, &from), 0);
	assert_int_equal(from.left, 0);
	for (uint32_t i = 0; i < one.n; i++)
		memcpy(pages_at(&other, i), pages_at(&one, i), PAGE_BYTES);
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(pages_alloc(&other, i * 7 % 4000),
				 pages_alloc(&one, i * 7 % 4000));
	assert_int_equal(one.used_bytes, other.used_bytes);
	pages_free(&one);
	pages_free(&other);
	buf_free(&saved);
}

/* Saved, changed, and read back with the bytes of @one. */
static bool comes_back(const struct pages *one, const struct buf *saved,
		       struct pages *other) {
	struct saved from = { (const uint8_t *)saved->data, saved->len, false };
	bool good;

	pages_init(other, 0);
	good = pages_restore(other, &from) == 0;
	for (uint32_t i = 0; good && i < one->n; i++) {
		memcpy(pages_at(other, i), pages_at(one, i), PAGE_BYTES);
		good = pages_free_cells_hold(other, i);
	}
	return good;
}

/*
 * Page, class, room, used, fresh and free of a state where pages are full, half
 * full, empty and a table's: no bit of them can be another.
 */
static void no_bit_of_what_was_saved_can_be_another(void **state) {
	struct pages one, other;
	struct buf saved = { 0 };
	handle_t cells[40];
	handle_t table;
	size_t from;

	(void)state;
	pages_init(&one, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		cells[i] = pages_alloc_kind(&one, i % 4 * 3000 + 1,
					    (unsigned)i % 3);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i += 3)
		pages_release(&one, cells[i]);
	table = pages_table(&one, 3 * PAGE_BYTES);
	assert_int_not_equal(table, 0);
	pages_save(&one, &saved);
	assert_true(comes_back(&one, &saved, &other));
	pages_free(&other);
	/* n, in_use, empty and used_bytes; not what was ever taken. */
	from = saved.len - one.n * 22;
	for (size_t i = 0; i < saved.len; i++) {
		size_t in_cells = i - from - one.n * 2;

		/* Links and room of a page that is in no list are nothing. */
		if ((i >= 32 && i < 40) ||
		    (i >= from + one.n * 2 &&
		     (in_cells % 20 >= 12 ||
		      one.class_of[in_cells / 20] >= PAGES_EMPTY - 1)))
			continue;
		for (int bit = 0; bit < 8; bit++) {
			saved.data[i] = (char)(saved.data[i] ^ 1 << bit);
			if (comes_back(&one, &saved, &other)) {
				/* A table's page is whose its owner says. */
				struct pages_table all = { table,
							   3 * PAGE_BYTES };

				assert_false(
					pages_tables_hold(&other, &all, 1));
			}
			pages_free(&other);
			saved.data[i] = (char)(saved.data[i] ^ 1 << bit);
		}
	}
	buf_free(&saved);
	pages_free(&one);
}

static void tables_have_places_of_their_own(void **state) {
	struct pages_table all[3], some[3];
	struct pages pages;
	handle_t cell;

	(void)state;
	pages_init(&pages, 0);
	cell = pages_alloc(&pages, 512);
	all[0] = (struct pages_table){ pages_table(&pages, 512), 512 };
	all[1] = (struct pages_table){ pages_table(&pages, 512), 512 };
	all[2] = (struct pages_table){ pages_table(&pages, 2 * PAGE_BYTES),
				       2 * PAGE_BYTES };
	memcpy(some, all, sizeof(all));
	assert_true(pages_tables_hold(&pages, some, 3));
	/* One is nobody's, one is named twice, one is no table's. */
	assert_false(pages_tables_hold(&pages, some, 2));
	memcpy(some, all, sizeof(all));
	some[1] = some[0];
	assert_false(pages_tables_hold(&pages, some, 3));
	memcpy(some, all, sizeof(all));
	some[0].at = cell;
	assert_false(pages_tables_hold(&pages, some, 3));
	memcpy(some, all, sizeof(all));
	some[2].at += 1 << 12;
	assert_false(pages_tables_hold(&pages, some, 3));
	memcpy(some, all, sizeof(all));
	some[2].bytes *= 2;
	assert_false(pages_tables_hold(&pages, some, 3));
	/* Given back, it is none. */
	pages_table_release(&pages, all[1].at, 512);
	memcpy(some, all, sizeof(all));
	assert_false(pages_tables_hold(&pages, some, 3));
	some[1] = all[2];
	some[0] = all[0];
	assert_true(pages_tables_hold(&pages, some, 2));
	pages_free(&pages);
}

static size_t addresses_in_use(void) {
	unsigned long n = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &n), 1);
	fclose(file);
	return n * (size_t)sysconf(_SC_PAGESIZE);
}

static void leaves_addresses_to_others(void **state) {
	const size_t room = (size_t)4 << 30;
	struct rlimit before, less;
	struct pages pages;
	void *other;

	(void)state;
	pages_init(&pages, (size_t)1 << 30);
	assert_true((size_t)pages.reserved * PAGE_BYTES <= (size_t)5 << 30);
	pages_free(&pages);
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	less = before;
	less.rlim_cur = addresses_in_use() + room;
	assert_int_equal(setrlimit(RLIMIT_AS, &less), 0);
	pages_init(&pages, 0);
	assert_true((size_t)pages.reserved * PAGE_BYTES >= room / 8);
	other = mmap(NULL, room / 2 - room / 16, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(other != MAP_FAILED);
	munmap(other, room / 2 - room / 16);
	assert_int_not_equal(pages_alloc(&pages, 100), 0);
	pages_free(&pages);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

static void releasing_none_is_nothing(void **state) {
	struct pages pages;

	(void)state;
	pages_init(&pages, 0);
	pages_release(&pages, 0);
	assert_int_equal(pages.used_bytes, 0);
	pages_free(&pages);
}

/* More chunks than the arrays begin with. */
static void grows_over_many_pages(void **state) {
	struct pages pages;
	uint32_t *cell;
	handle_t handles[4000];

	(void)state;
	pages_init(&pages, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++) {
		handles[i] = pages_alloc(&pages, 2048);
		cell = pages_write(&pages, handles[i]);
		*cell = i;
	}
	assert_int_equal(pages.n, 126);
	for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++)
		assert_int_equal(
			*(const uint32_t *)pages_read(&pages, handles[i]), i);
	pages_free(&pages);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_are_zeroed_and_do_not_overlap),
		cmocka_unit_test(
			a_cell_that_comes_back_is_zeroed_when_handed_out),
		cmocka_unit_test(gives_again_what_came_back_last),
		cmocka_unit_test(the_same_calls_give_the_same_handles),
		cmocka_unit_test(handle_zero_is_never_given),
		cmocka_unit_test(a_class_is_little_larger_than_asked),
		cmocka_unit_test(
			stops_at_the_limit_and_goes_on_after_a_release),
		cmocka_unit_test(a_page_that_emptied_serves_another_size),
		cmocka_unit_test(a_handle_that_outlived_its_page_is_told),
		cmocka_unit_test(
			a_write_marks_the_generation_of_its_page_alone),
		cmocka_unit_test(a_page_is_told_of_once_and_before_it_changes),
		cmocka_unit_test(pages_of_a_table_serve_cells_afterwards),
		cmocka_unit_test(what_was_saved_is_found_again_or_refused),
		cmocka_unit_test(no_bit_of_what_was_saved_can_be_another),
		cmocka_unit_test(tables_have_places_of_their_own),
		cmocka_unit_test(leaves_addresses_to_others),
		cmocka_unit_test(releasing_none_is_nothing),
		cmocka_unit_test(grows_over_many_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
