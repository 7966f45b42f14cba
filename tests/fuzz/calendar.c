/*
 * Any bytes as a zone file and as a holiday file: taken or refused, and what
 * is taken answers for any instant. Complaints are printed, whatever they
 * quote.
 */
#include "base/calendar.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_instants(const struct zone *zone) {
	for (int64_t day = -719162; day < 2932896; day += 36524) {
		usec_t at = zone_day_start(zone, day);
		struct civil c;

		zone_civil(zone, at, &c);
		zone_instant(zone, day, 150 * USEC_PER_MIN);
	}
}

/* A file without a name is reached by its number. */
static void check_zone(const uint8_t *data, size_t size) {
	struct arena arena = { 0 };
	struct zone zone;
	char name[16];
	int fd = memfd_create("zone", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(write(fd, data, size) == (ssize_t)size);
	snprintf(name, sizeof(name), "%d", fd);
	setenv("TZDIR", "/proc/self/fd", 1);
	if (zone_load(&zone, name, &arena) == 0)
		check_instants(&zone);
	close(fd);
	arena_free(&arena);
}

static void check_holidays(const char *s, size_t len) {
	static struct arena eternal;
	static struct calendar utc;
	struct arena arena = { 0 };
	struct diag diag = { 0 };
	struct buf out = { 0 };
	struct calendar calendar;
	const struct source *source = diag_source_text(&diag, "f", s, len);
	int r;

	if (!utc.name)
		assert(calendar_init(&utc, "utc", "UTC", &eternal) == 0);
	calendar = utc;
	r = calendar_holidays(&calendar, source, &arena, &diag);
	assert((r < 0) == (diag.n_errors > 0));
	for (int64_t day = 20000; day < 20400; day += 7) {
		int64_t to = calendar_add_workdays(&calendar, day, 5);

		assert(calendar_workdays(&calendar, day + 1, to + 1) == 5);
	}
	diag_sort(&diag);
	diag_print(&diag, &out, true);
	assert(utf8_is_valid(out.data, out.len));
	buf_reset(&out);
	diag_json(&diag, &out);
	assert(utf8_is_valid(out.data, out.len));
	buf_free(&out);
	diag_free(&diag);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	check_zone(data, size);
	check_holidays((const char *)data, size);
	return 0;
}
