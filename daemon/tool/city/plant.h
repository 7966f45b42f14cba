/*
 * Planting: what the files plant_*.c share.
 *
 * Each rule's cases are one function with a table: its grade, and what is
 * peculiar to it. Amounts stay within what is usual of their class, days within
 * 2025, and each case has its own unit or pair, unless that is the case: a case
 * shall ring for the one reason for which it was planted.
 */
#pragma once

#include "tool/city/city.h"

/* The i-th unit for a case of one rule, after some that its turn skips. */
struct unit *plant_unit(struct city *city, unsigned i);
void plant_turn(struct city *city);
/* A day for the i-th of @n cases, from February to November 2025. */
int64_t plant_day(struct city *city, unsigned i, unsigned n);

/* A line of ordinary goods and services that may well pay @amount. */
struct line *plant_line(struct city *city, struct unit *unit, int64_t amount);
/* A line that the unit did not have; of class @code, or of @kind. */
struct line *fresh_line(struct city *city, struct unit *unit,
			enum class_kind kind);
/* One payment of @amount from such a line, in time and with an invoice. */
struct event *plant_pay(struct city *city, struct unit *unit, int64_t day,
			int64_t amount);

/* A payment of 2025 that no case uses yet and that @fits. */
struct event *take_payment(struct city *city,
			   bool (*fits)(const struct event *event));
struct event *copy_payment(struct city *city, const struct event *of,
			   int64_t day);

/*
 * A unit and one of its categories that nobody else uses, of @kinds "ABC".
 * @alone: nor is there another category of the same kind.
 */
struct pair {
	struct unit *unit;
	unsigned category;
};
struct pair take_pair(struct city *city, const char *kinds, bool alone);
/* A unit and category of ordinary life. */
struct pair free_pair(struct city *city, const char *kinds);

/* An ordinary tender that is awarded two weeks after @day or a little later. */
struct lot *plant_lot(struct city *city, enum method method, const char *kinds,
		      int64_t day, unsigned n_bids);

/* Labels by what they are of. */
struct label *label_unit(struct city *city, const char *rule, enum grade grade,
			 const char *note, const struct unit *unit,
			 const struct event *first, const struct event *last);
struct label *label_voucher(struct city *city, const char *rule,
			    enum grade grade, const char *note,
			    const struct event *event);
const char *fen_text(struct city *city, int64_t fen);
