/* Cases of single payments, and of some payments of one unit. */
#include "tool/city/plant.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>
#include <string.h>

static bool has_invoice(const struct event *event) {
	enum class_kind kind = classes[event->payment.class].kind;

	/* What should have been paid by card would be another case. */
	return event->payment.invoice && event->payment.fund == NO_FUND &&
	       kind != CLASS_RENT && kind != CLASS_CAPITAL &&
	       (kind != CLASS_CARD || event->payment.method == PAY_CARD);
}

static bool is_large_with_invoice(const struct event *event) {
	return event->payment.invoice && event->payment.fund == NO_FUND &&
	       classes[event->payment.class].kind == CLASS_CAPITAL &&
	       !event->payment.contract->planted;
}

static void label_invoice(struct city *city, enum grade grade,
			  const char *level, const char *note,
			  const struct event *first, const struct event *last) {
	const struct payment *payment = &last->payment;
	struct label *label =
		label_add(city, "duplicate-payment", grade, note, first, last);

	label->level = level;
	label_text(label, "payee_account", payment->payee->account);
	label_text(label, "amount", fen_text(city, payment->amount));
	label_text(label, "invoice_no",
		   city_text(city, "%08u", payment->invoice));
}

/*
 * One invoice paid twice. Hidden: the second time by another unit. What is not:
 * the same amount on another invoice, an instalment, an old invoice number that
 * comes again.
 */
static void plant_duplicates(struct city *city) {
	enum kind { AGAIN, THRICE, ELSEWHERE, OTHER_INVOICE, OTHER_AMOUNT };
	static const struct {
		enum grade grade;
		enum kind kind;
		bool large;
		uint8_t days;
		const char *note;
	} cases[] = {
		{ PLAIN, AGAIN, false, 3, "one invoice paid twice" },
		{ PLAIN, AGAIN, false, 12, "one invoice paid twice" },
		{ PLAIN, AGAIN, true, 30, "one invoice paid twice" },
		{ PLAIN, THRICE, false, 25, "one invoice paid three times" },
		{ PLAIN, THRICE, false, 6, "one invoice paid three times" },
		{ NEAR, AGAIN, false, 75, "again after eleven weeks" },
		{ NEAR, AGAIN, false, 72, "again after ten weeks" },
		{ NEAR, AGAIN, true, 55, "again after two months" },
		{ HIDDEN, ELSEWHERE, false, 20, "again by another unit" },
		{ HIDDEN, ELSEWHERE, false, 9, "again by another unit" },
		{ HIDDEN, ELSEWHERE, false, 33, "again by another unit" },
		{ SILENT, OTHER_INVOICE, false, 20,
		  "the same amount on another invoice" },
		{ SILENT, OTHER_INVOICE, false, 15,
		  "the same amount on another invoice" },
		{ SILENT, OTHER_AMOUNT, false, 20,
		  "a second instalment of another amount" },
		{ SILENT, AGAIN, false, 200,
		  "the number comes again after half a year" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event *first, *again;
		const char *level = NULL;
		int64_t day;

		do
			first = take_payment(
				city, cases[i].large ? is_large_with_invoice
						     : has_invoice);
		while (first->at + cases[i].days * DAY >
		       start_of(city->end_day - 15));
		day = day_of(first->at) + cases[i].days;
		/* Late in a month, when the usual instalments are paid. */
		if (cases[i].large)
			day = workday_in(city, month_of(day), 18);
		again = copy_payment(city, first, day);
		if (cases[i].kind == OTHER_INVOICE)
			again->payment.invoice = city->next_invoice++;
		else if (cases[i].kind == OTHER_AMOUNT)
			again->payment.amount += 100 * YUAN;
		else if (cases[i].kind == ELSEWHERE) {
			struct line *line =
				plant_line(city, plant_unit(city, i),
					   first->payment.amount);

			again->payment.unit = line->unit;
			again->payment.line = line;
			again->payment.class = line->class;
		}
		if (cases[i].grade == PLAIN)
			level = again->payment.amount >= 500000 * YUAN
					? "red"
					: "orange";
		label_invoice(city, cases[i].grade, level, cases[i].note, first,
			      again);
		if (cases[i].kind == THRICE)
			label_invoice(city, PLAIN, "red", "and a third time",
				      again,
				      copy_payment(city, again,
						   day_of(again->at) + 2));
	}
}

/*
 * No invoice, but the same account, amount and nearly the same words. What is
 * not: rent, a purchase of something else for the same price.
 */
static void plant_similar(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t days;
		int32_t yuan;
		const char *memos[2];
		const char *note;
	} cases[] = {
		{ PLAIN,
		  4,
		  18600,
		  { "支付档案整理服务费", "支付档案整理服务费" },
		  "the same words" },
		{ PLAIN,
		  9,
		  7450,
		  { "办公楼外墙清洗", "办公楼外墙清洗" },
		  "the same words" },
		{ PLAIN,
		  15,
		  32800,
		  { "消防演练器材款", "消防演练器材款" },
		  "the same words" },
		{ PLAIN,
		  21,
		  11900,
		  { "补付电梯检测费", "电梯检测费" },
		  "补 before them" },
		{ NEAR,
		  55,
		  9350,
		  { "会议室音响调试费", "会议室音响调试费" },
		  "after almost sixty days" },
		{ NEAR,
		  52,
		  21700,
		  { "绿化补栽苗木款", "绿化补载苗木款" },
		  "after 52 days, with a slip of the pen" },
		{ NEAR,
		  57,
		  15250,
		  { "机房空调移机费", "机房空调移机费" },
		  "after almost sixty days" },
		{ HIDDEN,
		  12,
		  26400,
		  { "数据标注服务费", "数据标注 服务费（第二次）" },
		  "a blank, and the second time" },
		{ HIDDEN,
		  30,
		  13800,
		  { "防汛沙袋采购款", "防讯沙袋采购款 补" },
		  "a slip of the pen, and 补" },
		{ HIDDEN,
		  18,
		  8720,
		  { "宣传栏制作安装费", "宣传栏制做安装费" },
		  "a slip of the pen" },
		{ SILENT,
		  20,
		  6480,
		  { "标准化考场监控维护", "职工篮球赛裁判劳务" },
		  "the same price for something else" },
		{ SILENT,
		  25,
		  5260,
		  { "科普展板设计", "防鼠防虫消杀服务" },
		  "the same price for something else" },
		{ SILENT,
		  90,
		  9840,
		  { "锅炉水质化验费", "锅炉水质化验费" },
		  "again in the next quarter" },
		{ SILENT,
		  120,
		  14600,
		  { "净水设备滤芯更换", "净水设备滤芯更换" },
		  "again four months later" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		int64_t day = plant_day(city, i, 2 * ARRAY_SIZE(cases));
		struct event *first = plant_pay(
			city, unit, day,
			cases[i].yuan * YUAN + rng_between(&city->rng, 1, 99));
		struct event *again;
		struct label *label;

		first->payment.invoice = 0;
		first->payment.dated = false;
		first->payment.memo = cases[i].memos[0];
		again = copy_payment(city, first, day + cases[i].days);
		again->payment.memo = cases[i].memos[1];
		label = label_add(city, "duplicate-without-invoice",
				  cases[i].grade, cases[i].note, first, again);
		label_text(label, "payee_account",
			   first->payment.payee->account);
		label_text(label, "amount",
			   fen_text(city, first->payment.amount));
	}
}

/* Monthly rent without an invoice: the same amount, and the month in words. */
static void plant_rents(struct city *city) {
	for (unsigned i = 0; i < 2; i++) {
		struct unit *unit = plant_unit(city, 14 + i);
		struct line *line = line_of(city, unit, class_of("30214"));
		int64_t amount = 7300 * YUAN + rng_between(&city->rng, 1, 9999);
		const struct party *payee = any_payee(city);
		struct event *first = NULL, *last = NULL;
		struct label *label;

		for (int month = 202503; month <= 202511; month++) {
			last = pay_amount(city, line,
					  workday_in(city, month, 6 + i),
					  amount);
			last->payment.payee = payee;
			last->payment.invoice = 0;
			last->payment.memo = "份仓库租金";
			first = first ? first : last;
		}
		label = label_add(city, "duplicate-without-invoice", SILENT,
				  "rent, month after month", first, last);
		label_text(label, "payee_account", payee->account);
		label_text(label, "amount", fen_text(city, amount));
	}
}

static bool is_restrained(const struct event *event) {
	return class_is_restrained(event->payment.class) &&
	       event->payment.fund == NO_FUND;
}

static bool is_unrestrained(const struct event *event) {
	return !class_is_restrained(event->payment.class) &&
	       event->payment.fund == NO_FUND && !event->payment.contract;
}

/* A small city may have no class of the restrained kind at all. */
static struct event *some_restrained(struct city *city, unsigned i) {
	struct unit *unit = plant_unit(city, i);
	struct line *line = line_of(city, unit, class_of("30217"));
	struct event *event = pay(city, line, plant_day(city, i, 16));

	assert(is_restrained(event));
	event->payment.method = PAY_CARD;
	event->payment.taken = true;
	return event;
}

/*
 * Earmarked money for something else: for receptions and cars, for a class that
 * is not listed, and hidden beside payments that the fund allows. What is not:
 * an emergency that an exception covers, a fund of which nothing is written.
 */
static void plant_off_scope(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t fund;
		const char *note;
	} cases[] = {
		{ PLAIN, 0, "earmarked money for a reception" },
		{ PLAIN, 1, "earmarked money for a reception" },
		{ PLAIN, 2, "earmarked money for a reception" },
		{ PLAIN, 3, "earmarked money for a reception" },
		{ NEAR, 4, "earmarked money for a class that is not listed" },
		{ NEAR, 5, "earmarked money for a class that is not listed" },
		{ NEAR, 6, "earmarked money for a class that is not listed" },
		{ HIDDEN, 0, "on the day of an allowed one" },
		{ HIDDEN, 2, "on the day of an allowed one" },
		{ HIDDEN, 4, "on the day of an allowed one" },
		{ SILENT, 7, "an emergency that an exception covers" },
		{ SILENT, 7, "an emergency that an exception covers" },
		{ SILENT, 8, "a fund that is not listed" },
		{ SILENT, 8, "a fund that is not listed" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned fund = cases[i].fund;
		struct event *event;
		struct label *label;

		if (cases[i].grade == PLAIN)
			event = some_restrained(city, i);
		else
			do
				event = take_payment(city, is_unrestrained);
			while (fund_allows(fund, event->payment.class));
		event->payment.fund = (uint8_t)fund;
		if (cases[i].grade == HIDDEN) {
			struct line *line = line_of(city, event->payment.unit,
						    class_of("30227"));

			pay(city, line, day_of(event->at))->payment.fund =
				(uint8_t)fund;
		}
		label = label_add(city, "off-scope", cases[i].grade,
				  cases[i].note, event, event);
		if (cases[i].grade == PLAIN)
			label->level = "red";
		label_text(label, "fund", funds[fund].code);
		label_text(label, "unit", event->payment.unit->code);
	}
}

/* 50,000 yuan in cash on one day of one unit. */
static void plant_cash(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n, apart; /* payments, days between them */
		int32_t yuan;     /* each */
		uint8_t method;
		const char *note;
	} cases[] = {
		{ PLAIN, 1, 0, 86000, PAY_CASH, "a large sum in cash" },
		{ PLAIN, 1, 0, 120500, PAY_CASH, "a large sum in cash" },
		{ PLAIN, 1, 0, 73400, PAY_CASH, "a large sum in cash" },
		{ PLAIN, 2, 0, 48200, PAY_CASH, "two sums on one day" },
		{ NEAR, 1, 0, 50120, PAY_CASH, "just above the limit" },
		{ NEAR, 1, 0, 51300, PAY_CASH, "just above the limit" },
		{ NEAR, 2, 0, 25400, PAY_CASH, "together just above it" },
		{ HIDDEN, 6, 0, 8900, PAY_CASH, "six small ones on one day" },
		{ HIDDEN, 5, 0, 10800, PAY_CASH, "five small ones on one day" },
		{ HIDDEN, 8, 0, 6600, PAY_CASH, "eight small ones on one day" },
		{ SILENT, 1, 0, 45200, PAY_CASH, "just below the limit" },
		{ SILENT, 3, 0, 14600, PAY_CASH, "together just below it" },
		{ SILENT, 3, 5, 28600, PAY_CASH, "on three days" },
		{ SILENT, 1, 0, 64200, PAY_CHEQUE, "by cheque" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases));
		struct event *first = NULL, *last = NULL;

		for (unsigned n = 0; n < cases[i].n; n++) {
			last = plant_pay(
				city, unit,
				workday_after(city, day + n * cases[i].apart,
					      0),
				cases[i].yuan * YUAN +
					rng_between(&city->rng, 1, 9999));
			last->payment.method = cases[i].method;
			last->payment.memo = "村民青苗补偿现场发放";
			last->payment.dated = false;
			first = first ? first : last;
			if (last->at < first->at)
				last->at = first->at + 60;
		}
		label_unit(city, "large-cash", cases[i].grade, cases[i].note,
			   unit, first, last);
	}
}

/* 5,000,000 yuan from the zero balance account on the unit's own authority. */
static void plant_authorised(struct city *city) {
	static const struct {
		enum grade grade;
		int32_t yuan;
		bool direct;
		uint8_t account;
		const char *note;
	} cases[] = {
		{ PLAIN, 6800000, false, ACCOUNT_ZERO, "large, authorised" },
		{ PLAIN, 7450000, false, ACCOUNT_ZERO, "large, authorised" },
		{ PLAIN, 5900000, false, ACCOUNT_ZERO, "large, authorised" },
		{ PLAIN, 8200000, false, ACCOUNT_ZERO, "large, authorised" },
		{ NEAR, 5000000, false, ACCOUNT_ZERO, "just large enough" },
		{ NEAR, 5010000, false, ACCOUNT_ZERO, "just large enough" },
		{ NEAR, 5000100, false, ACCOUNT_ZERO, "just large enough" },
		{ HIDDEN, 5600000, false, ACCOUNT_ZERO, "beside a direct one" },
		{ HIDDEN, 6100000, false, ACCOUNT_ZERO, "beside a direct one" },
		{ HIDDEN, 5350000, false, ACCOUNT_ZERO, "beside a direct one" },
		{ SILENT, 4990000, false, ACCOUNT_ZERO, "a little less" },
		{ SILENT, 6400000, true, ACCOUNT_ZERO, "paid directly" },
		{ SILENT, 5800000, false, ACCOUNT_REAL, "of real funds" },
		{ SILENT, 7100000, true, ACCOUNT_ZERO, "paid directly" },
	};
	unsigned nth = 0;

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases));
		struct unit *unit;
		struct event *event;

		/* Neither a leap of an old line nor of a slow year. */
		do
			unit = plant_unit(city, nth++);
		while (unit->lines[class_of("31005")] || unit->course.mid ||
		       unit->course.third);
		event = plant_pay(city, unit, day, cases[i].yuan * YUAN);
		event->payment.authorised = !cases[i].direct;
		event->payment.account = cases[i].account;
		event->payment.memo = "片区改造工程款";
		if (cases[i].grade == HIDDEN)
			plant_pay(city, unit, day,
				  (cases[i].yuan + 170000) * YUAN)
				->payment.memo = "片区改造工程款";
		label_unit(city, "large-authorised", cases[i].grade,
			   cases[i].note, unit, event, event);
	}
}

/* To an account of real funds that is the unit's own. */
static void plant_own(struct city *city) {
	enum kind { OWN, NAMED, OTHERS, ONE_DIGIT };
	static const struct {
		enum grade grade;
		enum kind kind;
		int32_t yuan;
		const char *note;
	} cases[] = {
		{ PLAIN, OWN, 420000, "to its own account" },
		{ PLAIN, OWN, 185000, "to its own account" },
		{ PLAIN, OWN, 650000, "to its own account" },
		{ PLAIN, OWN, 96000, "to its own account" },
		{ NEAR, OWN, 6200, "a small sum to its own account" },
		{ NEAR, OWN, 3450, "a small sum to its own account" },
		{ NEAR, OWN, 8800, "a small sum to its own account" },
		{ HIDDEN, NAMED, 38500, "its own account, a firm's name" },
		{ HIDDEN, NAMED, 72000, "its own account, a firm's name" },
		{ HIDDEN, NAMED, 154000, "its own account, a firm's name" },
		{ SILENT, OTHERS, 260000, "to an account of another unit" },
		{ SILENT, OTHERS, 48500, "to an account of another unit" },
		{ SILENT, ONE_DIGIT, 91000, "an account that looks like it" },
		{ SILENT, ONE_DIGIT, 17500, "an account that looks like it" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		struct event *event = plant_pay(
			city, unit, plant_day(city, i, ARRAY_SIZE(cases)),
			cases[i].yuan * YUAN +
				rng_between(&city->rng, 1, 9999));
		struct party *payee = arena_new(&city->arena, struct party);

		*payee = *city->own[unit->number - 1];
		if (cases[i].kind == NAMED) {
			*payee = *event->payment.payee;
			payee->account = city->own[unit->number - 1]->account;
		} else if (cases[i].kind == OTHERS) {
			*payee = *city->own[unit->number % 33];
			payee->type = PARTY_ORG;
		} else if (cases[i].kind == ONE_DIGIT) {
			*payee = *event->payment.payee;
			payee->account = city_text(city, "9901000100000%03u",
						   unit->number);
		}
		event->payment.payee = payee;
		event->payment.memo = "项目结余资金归集";
		label_unit(city, "own-account", cases[i].grade, cases[i].note,
			   unit, event, event);
	}
}

/*
 * Words that say nothing: for 50,000 yuan or more, or again and again. What is
 * not: such a word among others, a small sum once.
 */
static void plant_vague(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n;
		int32_t yuan; /* each */
		const char *memo;
		const char *note;
	} cases[] = {
		{ PLAIN, 1, 180000, "往来款", "a large one for 往来款" },
		{ PLAIN, 1, 96000, "其他", "a large one for 其他" },
		{ PLAIN, 1, 135000, " ", "a large one for nothing" },
		{ PLAIN, 1, 240000, "备用金", "a large one for 备用金" },
		{ NEAR, 1, 50150, "代付", "just large enough" },
		{ NEAR, 1, 51900, "款", "just large enough, one character" },
		{ NEAR, 1, 53200, "往来款", "just large enough" },
		{ HIDDEN, 6, 17800, "其他", "six smaller ones in a month" },
		{ HIDDEN, 7, 14300, "往来款", "seven smaller ones in a month" },
		{ HIDDEN, 6, 19600, "代付", "six smaller ones in a month" },
		{ SILENT, 1, 1250, "其他", "a small one, once" },
		{ SILENT, 1, 2100, "备用金", "a small one, once" },
		{ SILENT, 1, 88000, "其他交通费用：公务出行租车结算",
		  "the word, and what it is for" },
		{ SILENT, 1, 76000, "代付中心城区路灯电费（第三季度）",
		  "the word, and what it is for" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases));
		struct event *first = NULL, *last = NULL;

		for (unsigned n = 0; n < cases[i].n; n++) {
			last = plant_pay(
				city, unit, workday_after(city, day + 3 * n, 0),
				cases[i].yuan * YUAN +
					rng_between(&city->rng, 1, 90000));
			last->payment.memo = cases[i].memo;
			last->payment.dated = false;
			first = first ? first : last;
		}
		label_unit(city, "vague-purpose", cases[i].grade, cases[i].note,
			   unit, first, last);
	}
}

/*
 * A decimal point that slipped: ten or a hundred times the usual of the class.
 * Published: ten or a hundred times what lies between half and twice the
 * median, or 25 times the 95th percentile.
 */
static void plant_outliers(struct city *city) {
	static const struct {
		enum grade grade;
		const char *class;
		uint16_t tenths; /* of the class's middle amount */
		const char *note;
	} cases[] = {
		{ PLAIN, "30205", 1000, "a hundred times the usual" },
		{ PLAIN, "30207", 1050, "a hundred times the usual" },
		{ PLAIN, "30205", 980, "a hundred times the usual" },
		{ PLAIN, "30207", 1100, "a hundred times the usual" },
		{ NEAR, "30201", 100, "ten times the usual" },
		{ NEAR, "30202", 104, "ten times the usual" },
		{ NEAR, "30229", 98, "ten times the usual" },
		{ HIDDEN, "30207", 110,
		  "ten times the usual, in a busy month" },
		{ HIDDEN, "30239", 96, "ten times the usual, in a busy month" },
		{ HIDDEN, "30205", 112,
		  "ten times the usual, in a busy month" },
		{ SILENT, "30201", 24, "at the upper end of the usual" },
		{ SILENT, "30202", 26, "at the upper end of the usual" },
		{ SILENT, "30229", 25, "at the upper end of the usual" },
		{ SILENT, "30207", 22, "at the upper end of the usual" },
	};

	const struct party *payees[ARRAY_SIZE(cases)];

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = plant_unit(city, i);
		unsigned class = class_of(cases[i].class);
		struct line *line = line_of(city, unit, class);
		/* In the middle of the logarithmic scale. */
		int64_t middle = scale10(classes[class].low * YUAN * 5 / 4,
					 UINT32_C(1) << 31);
		struct event *event = pay_amount(
			city, line, plant_day(city, i, ARRAY_SIZE(cases)),
			middle / 10 * cases[i].tenths +
				rng_between(&city->rng, 1, 99));

		event->payment.method = PAY_TRANSFER;
		event->payment.taken = true;
		/* Each to another of those who are paid of old. */
		for (unsigned k = 0; k < i; k++)
			while (event->payment.payee == payees[k]) {
				event->payment.payee = line->payees[rng_below(
					&city->rng, line->n_payees)];
				k = 0;
			}
		payees[i] = event->payment.payee;
		if (cases[i].grade == HIDDEN)
			for (unsigned n = 0; n < 6; n++)
				pay(city, line,
				    workday_after(city, day_of(event->at) - 4,
						  (int)n));
		label_voucher(city, "amount-outlier", cases[i].grade,
			      cases[i].note, event);
	}
}

/* Half a million and more without an approval before it. */
static void plant_unapproved(struct city *city) {
	enum kind {
		NEVER,
		LATER,
		REJECTED,
		OTHER,
		JUST,
		REJECTED_FIRST,
		SMALL
	};
	static const struct {
		enum grade grade;
		enum kind kind;
		int32_t yuan;
		const char *note;
	} cases[] = {
		{ PLAIN, NEVER, 980000, "nobody approved it" },
		{ PLAIN, NEVER, 1650000, "nobody approved it" },
		{ PLAIN, NEVER, 720000, "nobody approved it" },
		{ PLAIN, NEVER, 2240000, "nobody approved it" },
		{ NEAR, NEVER, 500000, "exactly half a million" },
		{ NEAR, NEVER, 503000, "a little above half a million" },
		{ NEAR, LATER, 840000, "approved an hour later" },
		{ HIDDEN, REJECTED, 1120000, "rejected and paid" },
		{ HIDDEN, REJECTED, 690000, "rejected and paid" },
		{ HIDDEN, LATER, 1480000, "approved an hour later" },
		{ SILENT, JUST, 960000, "approved ten minutes before" },
		{ SILENT, REJECTED_FIRST, 1210000, "rejected, then approved" },
		{ SILENT, SMALL, 284000, "too small to need one" },
		{ SILENT, SMALL, 296000, "too small to need one" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event *event =
			plant_pay(city, plant_unit(city, i),
				  plant_day(city, i, ARRAY_SIZE(cases)),
				  cases[i].yuan * YUAN);

		event->payment.unapproved = true;
		if (cases[i].kind == LATER)
			approve(city, event, event->at + 3600, false);
		if (cases[i].kind == REJECTED ||
		    cases[i].kind == REJECTED_FIRST)
			approve(city, event, event->at - DAY, true);
		if (cases[i].kind == REJECTED_FIRST)
			approve(city, event, event->at - 7200, false);
		if (cases[i].kind == JUST)
			approve(city, event, event->at - 600, false);
		label_voucher(city, "payment-without-approval", cases[i].grade,
			      cases[i].note, event);
	}
}

/* In ordinary life a terminal is out of order at times; not here. */
static void pay_by_card(struct city *city, struct line *line) {
	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = city->events[i];

		if (event->stream == PAYMENTS && event->payment.line == line &&
		    !event->payment.taken)
			event->payment.method = PAY_CARD;
	}
}

/*
 * What is to be paid by card is paid otherwise, again and again. Hidden: partly
 * by cheque, partly in cash. What is not: large sums, two in a month.
 */
static void plant_bypassed(struct city *city) {
	static const struct {
		enum grade grade;
		const char *class;
		uint8_t n, apart; /* payments, days between them */
		int32_t yuan;     /* each, about */
		bool mixed;
		const char *note;
	} cases[] = {
		{ PLAIN, "30217", 7, 2, 900, false, "seven meals in a month" },
		{ PLAIN, "30211", 6, 3, 1400, false,
		  "six journeys in a month" },
		{ PLAIN, "30231", 8, 2, 1100, false, "eight times fuel" },
		{ PLAIN, "30216", 6, 3, 5200, false, "six courses in a month" },
		{ NEAR, "30217", 3, 6, 700, false, "three meals in a month" },
		{ NEAR, "30211", 3, 5, 1200, false, "three journeys" },
		{ NEAR, "30231", 3, 7, 1300, false, "three times fuel" },
		{ HIDDEN, "30215", 4, 4, 3100, true, "by cheque and in cash" },
		{ HIDDEN, "30211", 4, 5, 1600, true, "by cheque and in cash" },
		{ HIDDEN, "30217", 5, 3, 650, true, "by cheque and in cash" },
		{ SILENT, "30217", 2, 9, 800, false, "twice in a month" },
		{ SILENT, "30211", 2, 8, 1500, false, "twice in a month" },
		{ SILENT, "30231", 4, 40, 1200, false, "four times in months" },
		{ SILENT, "30216", 1, 1, 148000, false, "a course of months" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned class = class_of(cases[i].class);
		struct unit *unit = plant_unit(city, i);
		int month = 202503 + (int)i % 7;
		struct event *first = NULL, *last = NULL;
		struct line *line;
		struct label *label;

		/* A large one shall not be a leap of an old line. */
		for (unsigned k = 1; cases[i].n == 1 && unit->lines[class]; k++)
			unit = plant_unit(city, i + k);
		line = line_of(city, unit, class);
		pay_by_card(city, line);
		for (unsigned n = 0; n < cases[i].n; n++) {
			int64_t day = workday_after(
				city, day_in(month, 3) + cases[i].apart * n, 0);

			if (day >= city->end_day - 10)
				break;
			last = pay_amount(
				city, line, day,
				cases[i].yuan * 7 *
						rng_between(&city->rng, 10,
							    20) +
					13);
			last->payment.method = !cases[i].mixed ? PAY_TRANSFER
					       : n % 2         ? PAY_CASH
							       : PAY_CHEQUE;
			last->payment.taken = true;
			first = first ? first : last;
		}
		label = label_unit(city, "card-bypassed", cases[i].grade,
				   cases[i].note, unit, first, last);
		label_text(label, "econ_class", cases[i].class);
	}
}

/* An amount as somebody makes it up: fours and fives come to mind first. */
static int64_t invented(struct city *city, struct line *line) {
	static const uint8_t digits[] = { 3, 4, 4, 4, 5, 5, 5, 6, 6, 7, 8, 2 };
	int64_t power = 100;
	int64_t amount = digits[rng_below(&city->rng, ARRAY_SIZE(digits))];

	while (power * 10 < line->base)
		power *= 10;
	if (amount * power < line->base)
		power *= 10;
	return amount * power + rng_between(&city->rng, 0, power - 1);
}

/*
 * A quarter with hundreds of payments whose amounts are made up. What is not:
 * as many payments with the digits that amounts have.
 */
static void plant_benford(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t quarter;
		uint8_t share;  /* of the quarter's payments that come on top */
		uint8_t honest; /* … of which so many are as amounts are */
		const char *note;
	} cases[] = {
		{ PLAIN, 1, 40, 0, "amounts that are made up" },
		{ PLAIN, 2, 42, 0, "amounts that are made up" },
		{ PLAIN, 3, 38, 0, "amounts that are made up" },
		{ PLAIN, 3, 45, 0, "amounts that are made up" },
		{ NEAR, 2, 26, 0, "some amounts are made up" },
		{ NEAR, 3, 25, 0, "some amounts are made up" },
		{ NEAR, 4, 27, 0, "some amounts are made up" },
		{ HIDDEN, 2, 45, 40, "made up among honest ones" },
		{ HIDDEN, 3, 45, 40, "made up among honest ones" },
		{ HIDDEN, 4, 45, 40, "made up among honest ones" },
		{ SILENT, 2, 40, 100, "as many, as amounts are" },
		{ SILENT, 3, 40, 100, "as many, as amounts are" },
		{ SILENT, 3, 35, 95, "hardly any is made up" },
		{ SILENT, 4, 35, 95, "hardly any is made up" },
	};
	unsigned nth = 0;

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit;
		struct line *lines[3] = { NULL };
		int month = 202501 + (cases[i].quarter - 1) * 3;
		int64_t begin = start_of(day_in(month, 1));
		int64_t end = cases[i].quarter == 4
				      ? start_of(city->end_day)
				      : start_of(day_in(month + 3, 1));
		const struct event *first = NULL, *last = NULL;
		struct label *label;
		uint32_t n = 0;

		/* From new lines: old ones shall not leap. */
		do {
			unit = plant_unit(city, nth++);
			for (unsigned k = 0; k < ARRAY_SIZE(lines); k++) {
				lines[k] = fresh_line(city, unit, CLASS_PLAIN);
				if (!lines[k] && k)
					lines[k] = lines[k - 1];
			}
		} while (!lines[0]);
		for (uint32_t e = 0; e < city->n; e++)
			n += city->events[e]->stream == PAYMENTS &&
			     city->events[e]->payment.unit == unit &&
			     city->events[e]->at >= begin &&
			     city->events[e]->at < end;
		n = n * cases[i].share / (100u - cases[i].share);
		if (n < 340)
			n = 340;
		for (uint32_t k = 0; k < n; k++) {
			struct line *line = lines[k % ARRAY_SIZE(lines)];
			int64_t day = workday_in(city, month + (int)(k % 3),
						 2 + rng_below(&city->rng, 17));
			struct event *event = pay(city, line, day);

			if (rng_below(&city->rng, 100) >= cases[i].honest)
				event->payment.amount = invented(city, line);
			if (!first || event->at < first->at)
				first = event;
			if (!last || event->at > last->at)
				last = event;
		}
		label = label_unit(city, "benford-digits", cases[i].grade,
				   cases[i].note, unit, first, last);
		label->period = city_text(city, "2025-Q%u", cases[i].quarter);
		label->until = end + 2 * DAY;
	}
}

void plant_payments(struct city *city) {
	plant_benford(city);
	plant_duplicates(city);
	plant_similar(city);
	plant_rents(city);
	plant_off_scope(city);
	plant_cash(city);
	plant_authorised(city);
	plant_own(city);
	plant_vague(city);
	plant_outliers(city);
	plant_unapproved(city);
	plant_bypassed(city);
}
