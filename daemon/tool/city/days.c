/* The calendar of the city: working days, seasons, office hours. */
#include "tool/city/city.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>

#define EAST (8 * 3600)

/* Days off that are not weekends, and weekends that are worked. */
struct span_of_days {
	int year;
	uint8_t month, day, n;
};
static const struct span_of_days holidays[] = {
	{ 2024, 1, 1, 1 },  { 2024, 2, 10, 8 }, { 2024, 4, 4, 3 },
	{ 2024, 5, 1, 5 },  { 2024, 6, 10, 1 }, { 2024, 9, 15, 3 },
	{ 2024, 10, 1, 7 }, { 2025, 1, 1, 1 },  { 2025, 1, 28, 8 },
	{ 2025, 4, 4, 3 },  { 2025, 5, 1, 5 },  { 2025, 5, 31, 3 },
	{ 2025, 10, 1, 8 },
};
static const struct span_of_days worked[] = {
	{ 2024, 2, 4, 1 },   { 2024, 2, 18, 1 },  { 2024, 4, 7, 1 },
	{ 2024, 4, 28, 1 },  { 2024, 5, 11, 1 },  { 2024, 9, 14, 1 },
	{ 2024, 9, 29, 1 },  { 2024, 10, 12, 1 }, { 2025, 1, 26, 1 },
	{ 2025, 2, 8, 1 },   { 2025, 4, 27, 1 },  { 2025, 9, 28, 1 },
	{ 2025, 10, 11, 1 },
};

static bool covers(const struct span_of_days *spans, size_t n, int64_t day) {
	for (size_t i = 0; i < n; i++) {
		int64_t first = days_from_civil(spans[i].year, spans[i].month,
						spans[i].day);

		if (day >= first && day < first + spans[i].n)
			return true;
	}
	return false;
}

static bool is_workday(int64_t day) {
	return covers(worked, ARRAY_SIZE(worked), day) ||
	       (iso_weekday(day) <= 5 &&
		!covers(holidays, ARRAY_SIZE(holidays), day));
}

void days_make(struct city *city) {
	unsigned first = 24 - city->months;

	city->end_day = days_from_civil(2026, 1, 1);
	city->first_day =
		days_from_civil(2024 + (int)first / 12, first % 12 + 1, 1);
	city->workdays = arena_array(&city->arena, int64_t,
				     (size_t)(city->end_day - city->first_day));
	for (int64_t day = city->first_day; day < city->end_day; day++)
		if (is_workday(day))
			city->workdays[city->n_workdays++] = day;
}

int64_t day_of(int64_t at) {
	return (at + EAST) / DAY;
}

int64_t start_of(int64_t day) {
	return day * DAY - EAST;
}

int month_of(int64_t day) {
	int32_t year;
	unsigned month, mday;

	civil_from_days(day, &year, &month, &mday);
	return year * 100 + (int)month;
}

int64_t day_in(int month, unsigned day) {
	return days_from_civil(month / 100, (unsigned)month % 100, day);
}

int64_t workday_in(const struct city *city, int month, unsigned n) {
	int64_t day = workday_after(city, day_in(month, 1), 0);

	while (n > 1 && month_of(workday_after(city, day + 1, 0)) == month) {
		day = workday_after(city, day + 1, 0);
		n--;
	}
	return day;
}

/* The index of the first working day from @day on. */
static uint32_t find(const struct city *city, int64_t day) {
	uint32_t low = 0, high = city->n_workdays;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (city->workdays[middle] < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What would lie outside of the city's time is its first or last day. */
int64_t workday_after(const struct city *city, int64_t day, int n) {
	int64_t i = (int64_t)find(city, day) + n;

	if (i < 0)
		i = 0;
	if (i >= city->n_workdays)
		i = city->n_workdays - 1;
	return city->workdays[i];
}

uint32_t day_weight(const struct city *city, uint32_t workday) {
	static const uint16_t season[] = { 1000, 900, 1000, 1000, 1040, 1100,
					   1000, 960, 1100, 1040, 1100, 1400 };
	int month = month_of(city->workdays[workday]);
	uint32_t in_month = 0;

	while (in_month < workday && in_month < 14 &&
	       month_of(city->workdays[workday - in_month - 1]) == month)
		in_month++;
	/* A month begins like any other; what is special comes at its end. */
	if (in_month < 12)
		return 1000;
	if (workday + 3 < city->n_workdays &&
	    month_of(city->workdays[workday + 3]) == month)
		return season[month % 100 - 1];
	return season[month % 100 - 1] * 3u / 2;
}

int64_t random_workday(struct city *city) {
	return city->workdays[rng_below(&city->rng, city->n_workdays)];
}

int64_t office_time(struct city *city, int64_t day) {
	return start_of(day) +
	       rng_between(&city->rng, 8 * 3600 + 1800, 17 * 3600 + 1800);
}
