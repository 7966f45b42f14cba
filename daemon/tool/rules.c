#include "tool/rules.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/util.h"

void rules_keep_errors(struct diag *diag) {
	size_t kept = 0;

	for (size_t i = 0; i < diag->n; i++) {
		if (diag->items[i].code[0] != 'W')
			diag->items[kept++] = diag->items[i];
	}
	diag->n = kept;
}

int rules_load(struct ruleset **ret, const char *const *paths, size_t n,
	       const struct ruleset_options *options, struct diag *diag) {
	CLEANUP(buf_free) struct buf out = { 0 };
	int r = ruleset_load(ret, paths, n, options, diag);

	rules_keep_errors(diag);
	diag_sort(diag);
	diag_print(diag, &out, isatty(STDERR_FILENO) == 1);
	fputs(buf_cstr(&out), stderr);
	return r;
}

int instant_parse(usec_t *ret, const char *s, const struct zone *zone,
		  bool end) {
	int64_t days;

	if (date_parse(&days, s, strlen(s)) < 0)
		return time_parse_rfc3339(ret, s, strlen(s));
	days += end;
	*ret = zone ? zone_day_start(zone, days) : days * USEC_PER_DAY;
	*ret -= end;
	return 0;
}

void put_grouped(struct buf *out, uint64_t n) {
	number_format(out, (int64_t)n, 0, true);
}

void counts_add_rows(struct stream_counters *all,
		     const struct stream_counters *one) {
	all->read += one->read;
	all->kept += one->kept;
	all->refused += one->refused;
	all->duplicate += one->duplicate;
	all->late += one->late;
	for (int i = 0; i < REFUSED_MAX; i++)
		all->refused_by[i] += one->refused_by[i];
}

uint64_t counts_withheld(const struct rule_counters *count) {
	return count->withheld_cooldown + count->withheld_exception +
	       count->withheld_open_max;
}

uint64_t counts_missing(const struct rule_counters *count) {
	uint64_t n = 0;

	for (int i = 0; i < MISSING_MAX; i++)
		n += count->missing[i];
	return n;
}

uint64_t counts_evicted(const struct rule_counters *count) {
	uint64_t n = 0;

	for (int i = 0; i < LIMIT_MAX; i++)
		n += count->evicted[i];
	return n;
}

void put_number_cell(struct buf *out, uint64_t n, size_t columns) {
	CLEANUP(buf_free) struct buf text = { 0 };

	put_grouped(&text, n);
	if (text.len < columns)
		buf_repeat(out, ' ', columns - text.len);
	buf_add(out, text.data, text.len);
	buf_puts(out, "  ");
}
