/*
 * What follows from what is paid: approvals of large payments, and budgets.
 *
 * Budgets are made last: so a line is over its budget where that is planted,
 * and nowhere else.
 */
#include "tool/city/city.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

#define APPROVED_FROM (300000 * YUAN)

void approve(struct city *city, const struct event *payment, int64_t at,
	     bool rejected) {
	struct event *event = city_add(city, APPROVALS, at);

	event->approval.payment = payment;
	event->approval.rejected = rejected;
}

/* Some are sent back first. */
void approvals_make(struct city *city) {
	uint32_t n = city->n;

	for (uint32_t i = 0; i < n; i++) {
		const struct event *event = city->events[i];
		int64_t day = day_of(event->at);
		int64_t at;

		if (event->stream != PAYMENTS || event->dropped ||
		    event->payment.unapproved ||
		    event->payment.amount < APPROVED_FROM)
			continue;
		at = office_time(
			city,
			workday_after(city, day,
				      -1 - (int)rng_below(&city->rng, 2)));
		if (at >= event->at)
			at = event->at - 3600;
		approve(city, event, at, false);
		if (rng_chance(&city->rng, 300))
			approve(city, event, at - 7200, true);
	}
}

struct event *budget_add(struct city *city, struct line *line, int64_t at,
			 int64_t amount, bool adjusted) {
	struct event *event = city_add(city, BUDGETS, at);

	event->budget = (struct budget){
		.line = line,
		.amount = amount,
		.adjusted = adjusted,
	};
	if (adjusted)
		line->raised = true;
	else
		line->allocated += amount;
	return event;
}

/* What one line pays in one year. */
struct slice {
	struct event **events;
	uint32_t n;
	int64_t greatest; /* sum ever, refunds may lower it again */
};

static int by_line_and_time(const void *a, const void *b) {
	const struct event *x = *(struct event *const *)a;
	const struct event *y = *(struct event *const *)b;

	if (x->payment.line != y->payment.line)
		return x->payment.line->index < y->payment.line->index ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static struct slice slice_of(struct event **events, uint32_t n, int year) {
	int64_t from = start_of(days_from_civil(year, 1, 1));
	int64_t to = start_of(days_from_civil(year + 1, 1, 1));
	struct slice ret = { .events = events };
	int64_t sum = 0;

	for (uint32_t i = 0; i < n && events[i]->at < to; i++) {
		if (events[i]->at < from) {
			ret.events++;
			continue;
		}
		ret.n++;
		sum += events[i]->payment.amount;
		if (sum > ret.greatest)
			ret.greatest = sum;
	}
	return ret;
}

/* The first payment that brings the sum above @amount, or the last one. */
static struct event *crossing(const struct slice *slice, int64_t amount) {
	int64_t sum = 0;

	for (uint32_t i = 0; i < slice->n; i++) {
		sum += slice->events[i]->payment.amount;
		if (sum > amount)
			return slice->events[i];
	}
	return slice->events[slice->n - 1];
}

static int64_t round_up(int64_t fen) {
	return (fen / (10000 * YUAN) + 1) * (10000 * YUAN);
}

/* On the first working day, or some days before a new line is needed. */
static int64_t approval_time(struct city *city, const struct slice *slice,
			     int year, bool fresh) {
	int64_t first = workday_after(city, days_from_civil(year, 1, 1), 0);
	int64_t need = day_of(slice->events[0]->at);

	if (fresh && month_of(need) % 100 > 2)
		first = workday_after(city, need,
				      -3 - (int)rng_below(&city->rng, 10));
	return start_of(first) + rng_between(&city->rng, 8 * 3600, 16 * 3600);
}

/* Some get the last few per cent when half is spent. */
static void ample(struct city *city, struct line *line,
		  const struct slice *slice, int64_t at) {
	int64_t whole = round_up(slice->greatest / 1000 *
				 rng_between(&city->rng, 1060, 1200));
	int64_t first = whole;

	if (slice->n > 20 && rng_chance(&city->rng, 1200)) {
		const struct event *half = crossing(slice, whole / 3);

		first = whole / 100 * rng_between(&city->rng, 93, 97);
		if (half->at > at)
			budget_add(city, line, half->at, whole - first, true);
		else
			first = whole;
	}
	budget_add(city, line, at, first, false);
}

static void label_line(struct city *city, const struct line *line,
		       const struct slice *slice, int64_t allocated,
		       enum grade grade, const char *level, const char *note) {
	struct label *label = label_add(
		city, "over-budget", grade, note,
		grade == SILENT ? slice->events[0] : crossing(slice, allocated),
		slice->events[slice->n - 1]);

	/* What arrives late is counted late. */
	if (grade != SILENT)
		label->from = label->first->at - 3 * DAY;
	label->level = level;
	label_text(label, "budget_line",
		   city_text(city, "L-%02u-%s", line->unit->number,
			     classes[line->class].code));
}

/* A line that a case says something of, in 2025. */
static void plan_case(struct city *city, struct line *line,
		      const struct slice *slice, int64_t at) {
	int64_t paid = slice->greatest;
	int64_t part = paid;

	switch (line->plan) {
	case PLAN_OVER:
		part = paid / 100 * 95;
		label_line(city, line, slice, part, PLAIN, "orange",
			   "a twentieth over the line");
		break;
	case PLAN_OVER_TENTH:
		part = paid / 100 * 85;
		label_line(city, line, slice, part, PLAIN, "red",
			   "more than a tenth over the line");
		break;
	case PLAN_OVER_LITTLE:
		part = paid / 1000 * 994;
		label_line(city, line, slice, part, NEAR, NULL,
			   "a little over the line");
		break;
	case PLAN_LATE_RAISE:
		part = paid / 100 * 92;
		label_line(city, line, slice, part, HIDDEN, NULL,
			   "the adjustment comes a week too late");
		budget_add(city, line, crossing(slice, part)->at + 7 * DAY,
			   paid / 100 * 14, true);
		break;
	case PLAN_EXACT:
		label_line(city, line, slice, part, SILENT, NULL,
			   "spent to the last fen");
		break;
	case PLAN_EARLY_RAISE:
		part = paid / 100 * 90;
		label_line(city, line, slice, part, SILENT, NULL,
			   "the adjustment comes in time");
		budget_add(city, line, crossing(slice, paid / 100 * 80)->at,
			   paid / 100 * 15, true);
		break;
	case PLAN_AMPLE:
	case PLAN_NONE:
	case PLAN_IDLE:
	case PLAN_FIXED:
	default:
		return;
	}
	budget_add(city, line, at, part, false);
}

static void plan_year(struct city *city, struct line *line,
		      const struct slice *slice, int year, bool fresh) {
	unsigned september = line->unit->course.september;
	int64_t at;

	line->allocated = 0;
	line->raised = false;
	if (!slice->n || line->plan == PLAN_NONE || line->plan == PLAN_FIXED ||
	    line->plan == PLAN_IDLE)
		return;
	at = approval_time(city, slice, year, fresh);
	if (year == 2025 && line->plan != PLAN_AMPLE)
		plan_case(city, line, slice, at);
	else if (year == 2025 && september)
		budget_add(city, line, at,
			   slice->greatest / september * 1000 + 100 * YUAN,
			   false);
	else
		ample(city, line, slice, at);
}

/* Money that a unit has and does not spend, so that it is behind. */
static void plan_idle(struct city *city, struct unit *unit) {
	struct line *line = unit->lines[class_of("31099")];
	const struct course *course = &unit->course;
	int64_t end =
		start_of(course->third ? day_in(202510, 1) : day_in(202507, 1));
	int64_t begin = start_of(day_in(202501, 1));
	int64_t at =
		course->third
			? office_time(city, workday_in(city, 202507, 12))
			: start_of(workday_in(city, 202501, 1)) + 10 * 3600;
	int64_t paid = 0, approved = 0, late = 0;

	for (uint32_t i = 0; i < city->n; i++) {
		const struct event *event = city->events[i];

		if (event->dropped || event->at < begin)
			continue;
		if (event->stream == BUDGETS && event->at < end &&
		    event->budget.line->unit == unit)
			approved += event->budget.amount;
		if (event->stream != PAYMENTS || event->payment.unit != unit)
			continue;
		if (event->at < end)
			paid += event->payment.amount;
		if (event->payment.line == line)
			late += event->payment.amount;
	}
	paid = paid / (course->third ? course->third : course->mid) * 1000 -
	       approved;
	if (paid < late / 100 * 105)
		paid = late / 100 * 105;
	budget_add(city, line, at, round_up(paid), false);
}

/* Small raises all year, so that the stream is never silent for long. */
static void adjust_all_year(struct city *city, int year) {
	uint32_t first = 0, n = 0;

	for (uint32_t i = 0; i < city->n_workdays; i++) {
		if (month_of(city->workdays[i]) / 100 < year)
			first = i + 1;
		n += month_of(city->workdays[i]) / 100 == year;
	}
	for (unsigned i = 0; i < 150; i++) {
		struct line *line =
			city->lines[rng_below(&city->rng, city->n_lines)];
		int64_t day = city->workdays[first +
					     rng_between(&city->rng, 4, n - 1)];

		if (line->plan != PLAN_AMPLE || line->raised ||
		    !line->allocated || line->unit->course.september)
			continue;
		budget_add(city, line, office_time(city, day),
			   line->allocated / 1000 *
				   rng_between(&city->rng, 10, 40),
			   true);
	}
}

void budgets_make(struct city *city) {
	struct event **events =
		arena_array(&city->arena, struct event *, city->n);
	uint32_t n = 0;

	for (uint32_t i = 0; i < city->n; i++)
		if (city->events[i]->stream == PAYMENTS &&
		    !city->events[i]->dropped && city->events[i]->payment.line)
			events[n++] = city->events[i];
	qsort(events, n, sizeof(struct event *), by_line_and_time);
	for (int year = month_of(city->first_day) / 100; year <= 2025; year++) {
		for (uint32_t begin = 0, end; begin < n; begin = end) {
			struct line *line = events[begin]->payment.line;
			bool fresh;
			struct slice slice;

			for (end = begin; end < n; end++)
				if (events[end]->payment.line != line)
					break;
			slice = slice_of(events + begin, end - begin, year);
			fresh = slice.events == events + begin;
			plan_year(city, line, &slice, year, fresh);
		}
		adjust_all_year(city, year);
	}
	for (unsigned i = 0; i < N_UNITS; i++)
		if (city->units[i].course.mid || city->units[i].course.third)
			plan_idle(city, &city->units[i]);
}
