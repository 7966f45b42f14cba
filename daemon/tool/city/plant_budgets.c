/* Cases of how a unit spends its year, and of single budget lines. */
#include "tool/city/plant.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>

/*
 * Execution behind or ahead of the calendar, and a rush in December: both are
 * often of one unit. Published: less than half, or more than 95 % of what the
 * calendar asks for; December above 20 to 25 % of the year.
 */
static const struct {
	struct course course;
	enum grade schedule, rush;
} courses[] = {
	{ { .mid = 180, .december = 420 }, PLAIN, PLAIN },
	{ { .mid = 150, .december = 440 }, PLAIN, PLAIN },
	{ { .mid = 200, .december = 400 }, PLAIN, PLAIN },
	{ { .mid = 240, .december = 260 }, NEAR, NEAR },
	{ { .mid = 243, .december = 265 }, NEAR, NEAR },
	{ { .third = 355, .december = 300, .many = true }, HIDDEN, HIDDEN },
	{ { .third = 350 }, HIDDEN, SILENT },
	{ { .third = 360 }, HIDDEN, SILENT },
	{ { .september = 990 }, PLAIN, SILENT },
	{ { .september = 957 }, NEAR, SILENT },
	{ { .december = 430 }, SILENT, PLAIN },
	{ { .december = 255 }, SILENT, NEAR },
	{ { .december = 310, .many = true }, SILENT, HIDDEN },
	{ { .december = 290, .many = true }, SILENT, HIDDEN },
	{ { .mid = 300, .december = 180 }, SILENT, SILENT },
	{ { .mid = 290, .december = 178 }, SILENT, SILENT },
	{ { .september = 920 }, SILENT, SILENT },
	{ { .september = 910 }, SILENT, SILENT },
	{ { .december = 180 }, SILENT, SILENT },
	{ { .december = 175 }, SILENT, SILENT },
};

void plant_courses(struct city *city) {
	for (size_t i = 0; i < ARRAY_SIZE(courses); i++) {
		struct unit *unit;

		do
			unit = &city->units[rng_below(&city->rng, N_UNITS)];
		while (unit->course.mid || unit->course.third ||
		       unit->course.september || unit->course.december);
		unit->course = courses[i].course;
		unit->course.nth = (uint8_t)i;
	}
}

static void label_year(struct city *city, const struct unit *unit,
		       struct event *first, struct event *last) {
	const struct course *course = &unit->course;
	enum grade schedule = courses[course->nth].schedule;
	enum grade rush = courses[course->nth].rush;
	int64_t until = start_of(city->end_day + 5);
	struct label *label;

	if (course->mid || course->third || course->september) {
		label = label_unit(
			city, "off-schedule", schedule,
			schedule == SILENT  ? "slow or quick, within bounds"
			: course->september ? "all is spent by September"
			: course->third     ? "money came and was not spent"
					    : "far behind the calendar",
			unit, first, last);
		label->from = start_of(day_in(202506, 1));
		label->until = until;
	}
	if (course->december) {
		label = label_unit(city, "year-end-rush", rush,
				   rush == SILENT ? "a busy December"
						  : "a rush in December",
				   unit, first, last);
		label->from = start_of(day_in(202512, 1));
		label->until = until;
	}
}

/* Money that must be gone by the end of the year, from a line of its own. */
static void rush(struct city *city, struct unit *unit, int64_t left) {
	static const char *const small[] = { "31008", "31021" };
	bool many = unit->course.many;

	for (unsigned i = 0; left > 0; i++) {
		struct line *line = line_of(
			city, unit, class_of(many ? small[i % 2] : "31099"));
		int64_t amount = many ? rng_scaled(&city->rng, 90000 * YUAN,
						   500000 * YUAN)
				      : rng_scaled(&city->rng, 450000 * YUAN,
						   2900000 * YUAN);
		int64_t day =
			workday_in(city, 202512, 3 + rng_below(&city->rng, 20));

		if (amount > left)
			amount = left;
		pay_amount(city, line, day, amount);
		left -= amount;
	}
}

void plant_year(struct city *city) {
	int64_t begin = start_of(day_in(202501, 1));
	int64_t december = start_of(day_in(202512, 1));

	for (unsigned u = 0; u < N_UNITS; u++) {
		struct unit *unit = &city->units[u];
		struct event *first = NULL, *last = NULL;
		int64_t year = 0, late = 0;

		if (unit->course.mid || unit->course.third)
			line_of(city, unit, class_of("31099"))->plan =
				PLAN_IDLE;
		for (uint32_t i = 0; i < city->n; i++) {
			struct event *event = city->events[i];

			if (event->stream != PAYMENTS || event->dropped ||
			    event->payment.unit != unit || event->at < begin)
				continue;
			if (!first || event->at < first->at)
				first = event;
			if (!last || event->at >= last->at)
				last = event;
			year += event->payment.amount;
			if (event->at >= december)
				late += event->payment.amount;
		}
		if (unit->course.december)
			rush(city, unit,
			     (year / 1000 * unit->course.december - late) /
				     (1000 - unit->course.december) * 1000);
		label_year(city, unit, first, last);
	}
}

/*
 * A month far above the usual of the line. Published: more than 200 % above
 * the month before. Hidden: many payments of ordinary size, all month long.
 */
struct growth {
	enum grade grade;
	int month;
	uint16_t percent; /* of an ordinary month, on top of it */
	const char *note;
};

static int64_t month_sum(const struct city *city, const struct line *line,
			 int month) {
	int64_t sum = 0;

	for (uint32_t i = 0; i < city->n; i++) {
		const struct event *event = city->events[i];

		if (event->stream == PAYMENTS && event->payment.line == line &&
		    month_of(day_of(event->at)) == month)
			sum += event->payment.amount;
	}
	return sum;
}

static struct line *solid_line(const struct unit *unit) {
	struct line *ret = NULL;

	for (unsigned i = 0; i < N_CLASSES; i++) {
		struct line *line = unit->lines[i];

		if (line && classes[i].kind == CLASS_SOLID && !line->planted &&
		    (!ret || line->base < ret->base))
			ret = line;
	}
	assert(ret);
	ret->planted = true;
	return ret;
}

/*
 * Some more payments of ordinary size: on ten working days in the middle of a
 * month, or all month long.
 */
static void pay_more(struct city *city, struct line *line, int month,
		     bool all_month, int64_t extra, const struct event **first,
		     const struct event **last) {
	for (unsigned n = 0; extra > 0; n++) {
		int64_t day = workday_in(
			city, month, all_month ? 3 + n * 7 % 19 : 8 + n % 10);
		struct event *event = pay(city, line, day);

		event->payment.method = PAY_TRANSFER;
		event->payment.taken = true;
		if (event->payment.amount > extra * 3 / 2)
			event->payment.amount = extra;
		extra -= event->payment.amount;
		if (!*first || event->at < (*first)->at)
			*first = event;
		if (!*last || event->at > (*last)->at)
			*last = event;
	}
}

static void plant_growth(struct city *city) {
	static const struct growth cases[] = {
		{ PLAIN, 202508, 340, "a month far above the usual" },
		{ PLAIN, 202509, 320, "a month far above the usual" },
		{ PLAIN, 202510, 360, "a month far above the usual" },
		{ PLAIN, 202511, 330, "a month far above the usual" },
		{ NEAR, 202508, 215, "three times the usual, and a little" },
		{ NEAR, 202509, 220, "three times the usual, and a little" },
		{ NEAR, 202510, 225, "three times the usual, and a little" },
		{ HIDDEN, 202509, 240, "many payments of ordinary size" },
		{ HIDDEN, 202510, 260, "many payments of ordinary size" },
		{ HIDDEN, 202512, 250, "in December, when all pay more" },
		{ SILENT, 202510, 12, "a little more than usual" },
		{ SILENT, 202511, 14, "a little more than usual" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		struct line *line = solid_line(unit);
		const struct event *first = NULL, *last = NULL;
		struct label *label;
		int64_t extra;

		extra = month_sum(city, line, cases[i].month) / 100 *
			cases[i].percent;
		/* In a small line it is more than was meant. */
		if (cases[i].grade != SILENT && extra < 300000 * YUAN)
			extra = 300000 * YUAN;
		pay_more(city, line, cases[i].month,
			 cases[i].grade == HIDDEN || cases[i].grade == SILENT,
			 extra, &first, &last);
		label = label_unit(city, "spend-growth", cases[i].grade,
				   cases[i].note, unit, first, last);
		label_text(label, "econ_class", classes[line->class].code);
		label->period = city_text(city, "%d-%02d", cases[i].month / 100,
					  cases[i].month % 100);
		if (cases[i].grade == PLAIN)
			label->level = "red";
	}
}

/* A line that grows by some per cent a month: never a leap. */
static void plant_slow_growth(struct city *city) {
	for (unsigned i = 0; i < 2; i++) {
		struct unit *unit = plant_unit(city, 12 + i);
		struct line *line = solid_line(unit);
		const struct event *first = NULL, *last = NULL;
		int64_t ordinary = month_sum(city, line, 202503);
		struct label *label;

		for (int month = 202502; month <= 202512; month++)
			pay_more(city, line, month, true,
				 ordinary / 100 * (month - 202501), &first,
				 &last);
		label = label_unit(city, "spend-growth", SILENT,
				   "a little more each month", unit, first,
				   last);
		label_text(label, "econ_class", classes[line->class].code);
	}
}

/* Budgets are made later; here it is only said of which lines. */
static void plant_over(struct city *city) {
	static const struct {
		int plan;
		unsigned n;
	} kinds[] = { { PLAN_OVER_TENTH, 2 },  { PLAN_OVER, 2 },
		      { PLAN_OVER_LITTLE, 3 }, { PLAN_LATE_RAISE, 3 },
		      { PLAN_EXACT, 2 },       { PLAN_EARLY_RAISE, 2 } };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned i = 0; i < kinds[k].n; i++) {
			struct line *line;

			do
				line = city->lines[rng_below(&city->rng,
							     city->n_lines)];
			while (line->planted ||
			       classes[line->class].kind != CLASS_SOLID ||
			       line->unit->course.september);
			line->planted = true;
			line->plan = kinds[k].plan;
		}
	}
}

/* Paid from a line that nobody approved, or from none at all. */
static void plant_no_budget(struct city *city) {
	enum kind { NO_LINE, NO_BUDGET, LATE, EARLY, REFUND };
	static const struct {
		enum grade grade;
		enum kind kind;
		int32_t yuan;
		const char *note;
	} cases[] = {
		{ PLAIN, NO_LINE, 12000, "no budget line is named" },
		{ PLAIN, NO_LINE, 8600, "no budget line is named" },
		{ PLAIN, NO_BUDGET, 15000, "a line that nobody approved" },
		{ PLAIN, NO_BUDGET, 9400, "a line that nobody approved" },
		{ NEAR, NO_LINE, 2380, "a small one without a line" },
		{ NEAR, NO_BUDGET, 2150, "a small one from no such line" },
		{ NEAR, NO_BUDGET, 2470, "a small one from no such line" },
		{ HIDDEN, LATE, 11000, "approved three weeks later" },
		{ HIDDEN, LATE, 7800, "approved three weeks later" },
		{ HIDDEN, LATE, 13000, "approved three weeks later" },
		{ SILENT, EARLY, 12000, "approved the day before" },
		{ SILENT, EARLY, 6400, "approved the day before" },
		{ SILENT, EARLY, 9000, "approved the day before" },
		{ SILENT, REFUND, -3200, "a refund names no line" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases));
		struct line *line = line_of(city, unit, class_of("31203"));
		struct event *event =
			pay_amount(city, line, day, cases[i].yuan * YUAN + 37);
		int64_t amount = event->payment.amount * 12 / 10;
		struct label *label;

		event->payment.taken = true;
		line->planted = true;
		line->plan =
			cases[i].kind == NO_BUDGET ? PLAN_NONE : PLAN_FIXED;
		if (cases[i].kind == NO_LINE || cases[i].kind == REFUND)
			event->payment.line = NULL;
		else if (cases[i].kind == LATE)
			budget_add(city, line, event->at + 21 * DAY, amount,
				   false);
		else if (cases[i].kind == EARLY)
			budget_add(
				city, line,
				office_time(city, workday_after(city, day, -1)),
				amount, false);
		label_unit(city, "no-budget", cases[i].grade, cases[i].note,
			   unit, event, event);
		if (cases[i].kind != NO_BUDGET && cases[i].kind != LATE)
			continue;
		label = label_add(city, "over-budget", PLAIN,
				  "nothing was approved for the line", event,
				  event);
		label_text(label, "budget_line",
			   city_text(city, "L-%02u-31203", unit->number));
	}
}

/* Adjusted by more than a fifth of the original, or more than twice a year. */
static void plant_adjusted(struct city *city) {
	static const struct {
		enum grade grade;
		int16_t permille[4]; /* of the original */
		const char *note;
	} cases[] = {
		{ PLAIN, { 450 }, "raised by almost a half" },
		{ PLAIN, { 220, 240 }, "raised twice by a fifth" },
		{ PLAIN, { 60, 90, 70, 110 }, "raised four times" },
		{ PLAIN, { -380 }, "cut by more than a third" },
		{ NEAR, { 210 }, "raised by a little more than a fifth" },
		{ NEAR, { 204 }, "raised by a little more than a fifth" },
		{ NEAR, { 20, 30, 25 }, "raised three times by little" },
		{ HIDDEN, { 120, -110, 90 }, "up, down and up again" },
		{ HIDDEN, { 150, 65 }, "two raises, together over a fifth" },
		{ HIDDEN, { -130, -90 }, "two cuts, together over a fifth" },
		{ SILENT, { 200 }, "raised by exactly a fifth" },
		{ SILENT, { 90, 100 }, "two raises, together below a fifth" },
		{ SILENT, { 160, -150 }, "raised and taken back" },
		{ SILENT, { -190 }, "cut by less than a fifth" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		struct line *line = line_of(city, unit, class_of("30299"));
		int64_t original =
			rng_between(&city->rng, 30, 120) * 10000 * YUAN;
		const struct event *first, *last;
		struct label *label;

		line->planted = true;
		line->plan = PLAN_FIXED;
		first = last = budget_add(
			city, line,
			start_of(workday_in(city, 202501, 1)) + 9 * 3600,
			original, false);
		for (unsigned n = 0; n < 4 && cases[i].permille[n]; n++)
			last = budget_add(
				city, line,
				office_time(city,
					    workday_in(city,
						       202503 + 2 * (int)n,
						       2 + i)),
				original / 1000 * cases[i].permille[n], true);
		for (int month = 202503; month <= 202511; month += 2)
			pay_amount(city, line,
				   workday_in(city, month, 5 + i % 12),
				   rng_scaled(&city->rng, 2000 * YUAN,
					      9000 * YUAN));
		label = label_add(city, "budget-adjusted", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "budget_line",
			   city_text(city, "L-%02u-30299", unit->number));
	}
}

void plant_lines(struct city *city) {
	plant_growth(city);
	plant_slow_growth(city);
	plant_over(city);
	plant_no_budget(city);
	plant_adjusted(city);
}
