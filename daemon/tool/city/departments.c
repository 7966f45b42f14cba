/*
 * Departments whose systems write payments in another shape. Hospitals export
 * tables: CSV in GB18030 with Chinese columns, amounts with thousands marks,
 * times to the minute. Schools send nested JSON, times in milliseconds.
 */
#include "tool/city/city.h"

#include "base/calendar.h"

#include <assert.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

static void put_gb18030(struct buf *out, struct buf *text) {
	static iconv_t to; /* for as long as the program runs */
	char *from = text->data;
	size_t left = text->len, room = 2 * text->len;
	char *at;

	if (!to)
		to = iconv_open("GB18030", "UTF-8");
	assert(to != (iconv_t)-1);
	buf_reserve(out, room);
	at = out->data + out->len;
	if (iconv(to, &from, &left, &at, &room) == (size_t)-1)
		abort(); /* all of the city's texts can be written so */
	out->len = (size_t)(at - out->data);
}

void health_header(struct buf *out) {
	struct buf text = { 0 };

	buf_puts(&text,
		 "凭证号,单位代码,单位名称,经济分类,预算项目,收款人,"
		 "收款人代码,收款人类型,收款账号,支付方式,支付模式,账户类别,"
		 "金额,合同号,发票号,专项资金,用途,支付时间\n");
	put_gb18030(out, &text);
	buf_free(&text);
}

static void put_cell(struct buf *out, const char *text) {
	buf_putc(out, ',');
	if (text)
		buf_puts(out, text);
}

/* "-1,234.50" */
static void put_thousands(struct buf *out, int64_t fen) {
	int64_t yuan = (fen < 0 ? -fen : fen) / 100;
	int64_t unit = 1;

	buf_puts(out, fen < 0 ? "\"-" : "\"");
	while (yuan / unit >= 1000)
		unit *= 1000;
	buf_int(out, yuan / unit);
	while (unit > 1) {
		unit /= 1000;
		buf_printf(out, ",%03d", (int)(yuan / unit % 1000));
	}
	buf_printf(out, ".%02d\"", (int)((fen < 0 ? -fen : fen) % 100));
}

static void put_cell_amount(struct buf *out, const struct event *event) {
	buf_putc(out, ',');
	switch (event->flaw) {
	case FLAW_FIELD_MISSING:
		return;
	case FLAW_AMOUNT_TEXT:
		buf_puts(out, "壹万元整");
		return;
	case FLAW_AMOUNT_DECIMALS:
		buf_puts(out, "\"1,024.125\"");
		return;
	case FLAW_AMOUNT_HUGE:
		buf_puts(out, "123456789012345678901234567890.00");
		return;
	default:
		put_thousands(out, event->payment.amount);
	}
}

static void put_cell_time(struct buf *out, const struct event *event) {
	int64_t local = event->at + 8 * 3600;
	int32_t year;
	unsigned month, day;

	civil_from_days(day_of(event->at), &year, &month, &day);
	if (event->flaw == FLAW_YEAR_ZERO)
		buf_puts(out, ",0000/03/01 09:00");
	else if (event->flaw == FLAW_YEAR_9999)
		buf_puts(out, ",9999/12/31 23:59");
	else
		buf_printf(out, ",%04d/%02u/%02u %02d:%02d", year, month, day,
			   (int)(local % DAY / 3600), (int)(local / 60 % 60));
}

static void put_row(struct buf *out, const struct event *event) {
	const struct payment *payment = &event->payment;
	const struct party *payee = payment->payee;

	event_id(out, event);
	put_cell(out, payment->unit->code);
	put_cell(out, payment->unit->name);
	put_cell(out, classes[payment->class].code);
	put_cell(out, NULL);
	if (payment->line)
		buf_printf(out, "L-%s-%s", payment->line->unit->code + 2,
			   classes[payment->line->class].code);
	put_cell(out, payee->name);
	put_cell(out, payee->id);
	put_cell(out, party_types[payee->type]);
	put_cell(out, payee->account);
	put_cell(out, pay_methods[payment->method]);
	put_cell(out, payment->authorised ? "authorised" : "direct");
	put_cell(out, pay_accounts[payment->account]);
	put_cell_amount(out, event);
	put_cell(out, NULL);
	if (payment->contract)
		contract_id(out, payment->contract);
	put_cell(out, NULL);
	if (payment->invoice)
		buf_printf(out, "%08u", payment->invoice);
	put_cell(out,
		 payment->fund == NO_FUND ? NULL : funds[payment->fund].code);
	put_cell(out, NULL);
	put_memo(out, event);
	put_cell_time(out, event);
}

/* What may be wrong with a row; never an open quote, it would eat the next. */
void health_row(struct buf *out, const struct event *event) {
	struct buf text = { 0 };
	size_t start = out->len;
	char *comma;

	switch (event->flaw) {
	case FLAW_NOT_JSON:
	case FLAW_DEEP:
	case FLAW_ARRAY:
		buf_puts(&text, "系统维护中，请稍后再试");
		break;
	default:
		put_row(&text, event);
	}
	put_gb18030(out, &text);
	buf_free(&text);
	switch (event->flaw) {
	case FLAW_TRUNCATED:
		comma = memchr(out->data + start, ',', out->len - start);
		assert(comma);
		out->len = (size_t)(comma - out->data) + 5;
		break;
	case FLAW_BROKEN_UTF8:
	case FLAW_NUL:
	case FLAW_KEY_TWICE:
		out->data[start + 2] = '\xff';
		break;
	default:
		break;
	}
}

static void put_object(struct buf *out, const char *name) {
	buf_puts(out, "},\"");
	buf_puts(out, name);
	buf_puts(out, "\":{");
}

/* The first of an object has no comma before it. */
static void put_first(struct buf *out, const char *name, const char *text) {
	buf_printf(out, "\"%s\":\"%s\"", name, text);
}

static void put_pay(struct buf *out, const struct event *event) {
	const struct payment *payment = &event->payment;
	int64_t at = event->at * 1000;

	put_object(out, "pay");
	put_first(out, "way", pay_methods[payment->method]);
	put_text(out, "mode", payment->authorised ? "authorised" : "direct");
	put_text(out, "from", pay_accounts[payment->account]);
	put_amount(out, "amt", event, payment->amount);
	if (event->flaw == FLAW_YEAR_ZERO)
		at = INT64_C(-62162208000000);
	if (event->flaw == FLAW_YEAR_9999)
		at = INT64_C(253402271999000);
	buf_puts(out, ",\"ts\":");
	buf_int(out, at);
}

static void put_references(struct buf *out, const struct payment *payment) {
	put_object(out, "ref");
	if (payment->contract) {
		buf_puts(out, "\"contract\":\"");
		contract_id(out, payment->contract);
		buf_putc(out, '"');
	}
	if (payment->invoice) {
		buf_comma(out);
		buf_printf(out, "\"invoice\":\"%08u\"", payment->invoice);
	}
	buf_putc(out, '}');
}

void edu_json(struct buf *out, const struct event *event) {
	const struct payment *payment = &event->payment;
	const struct party *payee = payment->payee;

	buf_puts(out, "{\"doc\":{\"no\":\"");
	event_id(out, event);
	buf_putc(out, '"');
	put_text(out, "unit", payment->unit->code);
	put_text(out, "school", payment->unit->name);
	put_object(out, "budget");
	put_first(out, "class", classes[payment->class].code);
	if (payment->line)
		buf_printf(out, ",\"line\":\"L-%s-%s\"",
			   payment->line->unit->code + 2,
			   classes[payment->line->class].code);
	if (payment->fund != NO_FUND)
		put_text(out, "fund", funds[payment->fund].code);
	put_object(out, "payee");
	put_first(out, "name", payee->name);
	if (payee->id)
		put_text(out, "code", payee->id);
	put_text(out, "type", party_types[payee->type]);
	put_text(out, "account", payee->account);
	put_pay(out, event);
	put_references(out, payment);
	if (payment->memo) {
		buf_puts(out, ",\"memo\":\"");
		put_memo(out, event);
		buf_putc(out, '"');
	}
	buf_putc(out, '}');
}
