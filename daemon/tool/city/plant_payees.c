/* Cases of those who are paid. */
#include "tool/city/plant.h"

#include "base/calendar.h"
#include "base/util.h"

static const struct party *person_of(struct city *city,
				     const struct unit *unit) {
	return city->people[(unit->number - 1u) * (N_PEOPLE / N_UNITS) +
			    rng_below(&city->rng, N_PEOPLE / N_UNITS)];
}

/*
 * Goods and services paid to a person: three times, or 50,000 yuan, within 90
 * days. Hidden: a person who also gets allowances. What is not: twice, rarely,
 * and allowances themselves.
 */
static void plant_persons(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n, apart; /* payments, days between them */
		int32_t yuan;     /* each, about */
		bool allowances;
		const char *note;
	} cases[] = {
		{ PLAIN, 6, 12, 8200, false, "a person is paid for goods" },
		{ PLAIN, 5, 15, 6400, false, "a person is paid for goods" },
		{ PLAIN, 7, 9, 9300, false, "a person is paid for goods" },
		{ PLAIN, 1, 1, 160000, false, "a large sum to a person" },
		{ NEAR, 3, 30, 3600, false, "three times within 90 days" },
		{ NEAR, 1, 1, 52600, false, "just above 50,000" },
		{ NEAR, 3, 35, 5200, false, "three times within 90 days" },
		{ HIDDEN, 4, 14, 4100, true, "among allowances" },
		{ HIDDEN, 4, 20, 3300, true, "among allowances" },
		{ HIDDEN, 5, 16, 2900, true, "among allowances" },
		{ SILENT, 2, 20, 4800, false, "twice" },
		{ SILENT, 3, 75, 3700, false, "three times in half a year" },
		{ SILENT, 1, 1, 46500, false, "just below 50,000, once" },
		{ SILENT, 0, 20, 6100, true, "allowances only" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		const struct party *person = person_of(city, unit);
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases) * 2);
		struct event *first = NULL, *last = NULL;
		struct label *label;

		for (unsigned n = 0; n < cases[i].n; n++) {
			last = plant_pay(
				city, unit,
				workday_after(city, day + n * cases[i].apart,
					      0),
				cases[i].yuan * rng_between(&city->rng, 97,
							    103) +
					rng_between(&city->rng, 1, 99));
			last->payment.payee = person;
			last->payment.invoice = 0;
			first = first ? first : last;
		}
		for (unsigned n = 0; cases[i].allowances && n < 6; n++) {
			struct event *event = pay(
				city, line_of(city, unit, class_of("30305")),
				workday_after(city, day + 17 * n, 0));

			event->payment.payee = person;
			first = first ? first : event;
			last = cases[i].n ? last : event;
		}
		label = label_unit(city, "paid-to-person", cases[i].grade,
				   cases[i].note, unit, first, last);
		label_text(label, "payee", person->name);
	}
}

/*
 * Exactly 10, 20, 25, 50 or 100 thousand yuan, five times and more, and a good
 * part of what the payee gets. What is not: four times, a small part, amounts
 * that are round in another way.
 */
static void plant_round(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t round, other; /* payments of the payee */
		uint8_t odd;          /* thousands, instead of round ones */
		const char *note;
	} cases[] = {
		{ PLAIN, 9, 1, 0, "almost all amounts are round" },
		{ PLAIN, 8, 0, 0, "all amounts are round" },
		{ PLAIN, 10, 2, 0, "almost all amounts are round" },
		{ PLAIN, 12, 3, 0, "almost all amounts are round" },
		{ NEAR, 5, 4, 0, "five are round, four are not" },
		{ NEAR, 5, 5, 0, "five of ten are round" },
		{ NEAR, 6, 5, 0, "six of eleven are round" },
		{ HIDDEN, 7, 6, 0, "round ones among others, two units" },
		{ HIDDEN, 8, 7, 0, "round ones among others, two units" },
		{ HIDDEN, 7, 7, 0, "round ones among others, two units" },
		{ SILENT, 4, 1, 0, "four are not five" },
		{ SILENT, 5, 38, 0, "a small part" },
		{ SILENT, 8, 2, 13, "round in thousands only" },
		{ SILENT, 7, 3, 47, "round in thousands only" },
	};
	static const uint8_t thousands[] = { 10, 20, 25, 50, 100, 20, 10, 50 };

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct party *payee = party_old(city, i % N_TRADES);
		unsigned n = cases[i].round + cases[i].other;
		struct event *first = NULL, *last = NULL;
		struct label *label;

		for (unsigned k = 0; k < n; k++) {
			/* Spread them: every so many is round. */
			bool round = (k + 1) * cases[i].round / n >
				     k * cases[i].round / n;
			int64_t day = workday_after(
				city,
				day_in(202502, 10) + (int64_t)k * 290 / n +
					i % 7,
				0);
			unsigned other = cases[i].grade == HIDDEN && k % 2;
			int64_t amount =
				!round ? rng_scaled(&city->rng, 6000 * YUAN,
						    90000 * YUAN)
				: cases[i].odd
					? (cases[i].odd + k) * 1000 * YUAN
					: thousands[(k + i) % 8] * 1000 * YUAN;

			last = plant_pay(city, plant_unit(city, i + 7 * other),
					 day, amount);
			last->payment.payee = payee;
			first = first ? first : last;
		}
		label = label_add(city, "round-amounts", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "payee", payee->name);
	}
}

/*
 * 100,000 yuan and more in the first payments to a firm that is younger than
 * 180 days, or of which the register knows nothing.
 */
static void plant_new(struct city *city) {
	static const struct {
		enum grade grade;
		int16_t age;  /* days since it was founded; 0: not registered */
		uint8_t n;    /* payments before it */
		int32_t yuan; /* the one that counts */
		const char *note;
	} cases[] = {
		{ PLAIN, 0, 0, 380000, "not registered" },
		{ PLAIN, 0, 0, 245000, "not registered" },
		{ PLAIN, 45, 0, 290000, "six weeks old" },
		{ PLAIN, 70, 0, 420000, "ten weeks old" },
		{ NEAR, 174, 0, 103000, "almost half a year old" },
		{ NEAR, 170, 0, 118000, "almost half a year old" },
		{ NEAR, 0, 0, 101500, "not registered, just large enough" },
		{ HIDDEN, 60, 2, 165000, "two small ones before it" },
		{ HIDDEN, 90, 2, 132000, "two small ones before it" },
		{ HIDDEN, 0, 1, 188000, "not registered, a small one before" },
		{ SILENT, 250, 0, 172000, "eight months old" },
		{ SILENT, 230, 0, 205000, "more than half a year old" },
		{ SILENT, 50, 0, 68000, "new, and a moderate sum" },
		{ SILENT, 80, 0, 83000, "new, and a moderate sum" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases));
		int64_t founded = day - (cases[i].age ? cases[i].age : 30);
		const struct party *payee = party_new(
			city, i % N_TRADES, founded,
			cases[i].age ? start_of(founded + 8) + 36000 : 0);
		struct event *first = NULL, *last = NULL;
		struct label *label;

		for (unsigned k = 0; k <= cases[i].n; k++) {
			int64_t before = (int64_t)(cases[i].n - k) * 12;

			last = plant_pay(
				city, unit,
				workday_after(city, day - before, 0),
				k < cases[i].n
					? rng_scaled(&city->rng, 3000 * YUAN,
						     9000 * YUAN)
					: cases[i].yuan * YUAN +
						  rng_between(&city->rng, 1,
							      99));
			last->payment.payee = payee;
			first = first ? first : last;
		}
		label = label_add(city, "new-payee", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "payee_id", payee->id);
	}
}

void plant_payees(struct city *city) {
	plant_persons(city);
	plant_round(city);
	plant_new(city);
}
