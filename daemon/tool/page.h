/*
 * Page: HTML, word by word.
 *
 * Everything that is not our own markup goes through page_text(): whoever
 * fills in a memo writes into this page, and it is read by whoever decides.
 * What comes out is XML as well, so any strict reader finds what is wrong.
 */
#pragma once

#include "base/buf.h"
#include "event/json.h"
#include "rule/rule.h"

struct page {
	struct buf out;
	enum language language;
	const struct json *units; /* currencies of the alert at hand, by name */
};

/* Our own markup, as it stands. */
void page_puts(struct page *page, const char *markup);
void page_printf(struct page *page, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Text in which nothing is markup, also between quotes. What is not to be
 * seen but has an effect (control characters, marks that turn the direction
 * of writing, blanks without width) is shown by its number. Longer than
 * PAGE_TEXT code points is cut.
 */
#define PAGE_TEXT 1000
void page_text(struct page *page, const char *s, size_t len);
void page_string(struct page *page, const char *s);
/* Our own words in the page's language. */
void page_say(struct page *page, const char *zh, const char *en);
/* A word of records or counters, "far_future", in the page's language. */
void page_word(struct page *page, const char *slug);
/* 1,234,567 */
void page_count(struct page *page, uint64_t n);
/* A number as people read it: four decimals at most. */
void page_double(struct page *page, double d);

enum page_money {
	MONEY_NOT,
	MONEY_IS,
	MONEY_GUESS /* the unit is not known: decimals say it is */
};
/* A value of a record; NULL and null are a dash. */
void page_value(struct page *page, const struct json *value,
		enum page_money money);
/* If a name's value is money. */
enum page_money page_unit(const struct page *page, const char *name);
/* "2026-03-05T00:00:00+08:00" as "2026-03-05 00:00". */
void page_minute(struct page *page, const struct json *time);
/* An instant in @zone, to the minute. */
void page_instant(struct page *page, usec_t at, const struct zone *zone);
/* What a level is called in classes, and by page_word(). */
const char *page_level(enum level level);
