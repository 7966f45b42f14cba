#include "tool/city/city.h"

#include "base/calendar.h"

#include <string.h>

static void put_time(struct buf *out, int64_t at) {
	int64_t local = at + 8 * 3600;
	int64_t second = local % 86400;
	int32_t year;
	unsigned month, day;

	civil_from_days(local / 86400, &year, &month, &day);
	buf_printf(out, "%04d-%02u-%02uT%02d:%02d:%02d+08:00", year, month, day,
		   (int)(second / 3600), (int)(second / 60 % 60),
		   (int)(second % 60));
}

void event_id(struct buf *out, const struct city *city,
	      const struct event *event) {
	(void)city;
	buf_printf(out, "%c%07u", "BOAP"[event->stream], event -> number);
}

void event_key(struct buf *out, const struct event *event) {
	buf_printf(out, "U-%02u", event->unit + 1u);
}

static void put_fen(struct buf *out, int64_t fen) {
	int64_t size = fen < 0 ? -fen : fen;

	buf_printf(out, "%s%lld.%02d", fen < 0 ? "-" : "",
		   (long long)(size / 100), (int)(size % 100));
}

static void put_amount(struct buf *out, const struct event *event) {
	switch (event->flaw) {
	case FLAW_FIELD_MISSING:
		return;
	case FLAW_AMOUNT_TEXT:
		buf_puts(out, ",\"amount\":\"壹万元整\"");
		return;
	case FLAW_AMOUNT_DECIMALS:
		buf_puts(out, ",\"amount\":1024.125");
		return;
	case FLAW_AMOUNT_HUGE:
		buf_puts(out, ",\"amount\":123456789012345678901234567890.00");
		return;
	case FLAW_KEY_TWICE:
		buf_puts(out, ",\"amount\":1.00");
		break;
	default:
		break;
	}
	buf_puts(out, ",\"amount\":");
	put_fen(out, event->amount);
}

static void put_event_time(struct buf *out, const char *field,
			   const struct event *event) {
	buf_printf(out, ",\"%s\":\"", field);
	if (event->flaw == FLAW_YEAR_ZERO)
		buf_puts(out, "0000-03-01T09:00:00+08:00");
	else if (event->flaw == FLAW_YEAR_9999)
		buf_puts(out, "9999-12-31T23:59:59+08:00");
	else
		put_time(out, event->at);
	buf_puts(out, "\"}");
}

static void put_supplier(struct buf *out, const char *field, uint32_t i) {
	buf_printf(out, ",\"%s\":\"", field);
	supplier_id(out, i);
	buf_printf(out, "\",\"%s_name\":\"", field);
	supplier_name(out, i);
	buf_putc(out, '"');
}

static void put_title(struct buf *out, const struct event *event) {
	buf_printf(out, ",\"title\":\"%s%s采购项目\"", unit_names[event->unit],
		   categories[event->item].name);
}

static void put_buyer(struct buf *out, const struct event *event) {
	buf_printf(out,
		   "\",\"buyer\":\"U-%02u\",\"buyer_name\":\"%s\","
		   "\"category\":\"%s\"",
		   event->unit + 1u, unit_names[event->unit],
		   categories[event->item].code);
}

static void put_budget(struct buf *out, const struct city *city,
		       const struct event *event) {
	bool raise = event->method == 1;

	buf_puts(out, "{\"doc_no\":\"");
	event_id(out, city, event);
	buf_printf(out,
		   "\",\"line_id\":\"L-%02u-%s\",\"unit\":\"U-%02u\","
		   "\"unit_name\":\"%s\",\"kind\":\"%s\"",
		   event->unit + 1u, classes[event->item].code,
		   event->unit + 1u, unit_names[event->unit],
		   raise ? "adjusted" : "allocated");
	put_amount(out, event);
	if (raise)
		buf_puts(out, ",\"reason\":\"预算调整\"");
	put_event_time(out, "approved_at", event);
}

static void put_order(struct buf *out, const struct city *city,
		      const struct event *event) {
	buf_puts(out, "{\"order_no\":\"");
	event_id(out, city, event);
	put_buyer(out, event);
	put_supplier(out, "supplier", event->supplier);
	buf_printf(out, ",\"region\":\"990101\",\"method\":\"%s\"",
		   methods[event->method]);
	put_amount(out, event);
	put_title(out, event);
	put_event_time(out, "ordered_at", event);
}

static void put_award(struct buf *out, const struct city *city,
		      const struct event *event) {
	buf_puts(out, "{\"award_no\":\"");
	event_id(out, city, event);
	put_buyer(out, event);
	put_supplier(out, "supplier", event->supplier);
	buf_printf(out, ",\"bidders\":%u", event->bidders);
	put_amount(out, event);
	put_title(out, event);
	put_event_time(out, "decided_at", event);
}

static void put_payment(struct buf *out, const struct city *city,
			const struct event *event) {
	const char *class = classes[event->item].code;

	buf_puts(out, "{\"voucher_no\":\"");
	event_id(out, city, event);
	buf_printf(out,
		   "\",\"unit\":\"U-%02u\",\"unit_name\":\"%s\","
		   "\"econ_class\":\"%s\",\"budget_line\":\"L-%02u-%s\","
		   "\"payee\":\"",
		   event->unit + 1u, unit_names[event->unit], class,
		   event->unit + 1u, class);
	supplier_name(out, event->supplier);
	buf_puts(out, "\",\"payee_account\":\"");
	supplier_account(out, event->supplier);
	buf_putc(out, '"');
	put_amount(out, event);
	if (event->invoice)
		buf_printf(out, ",\"invoice_no\":\"%08u\"", event->invoice);
	if (event->fund != NO_FUND)
		buf_printf(out, ",\"fund\":\"%s\"", funds[event->fund].code);
	buf_printf(out, ",\"memo\":\"%s%s\"",
		   event->amount < 0 ? "退回" : "支付",
		   classes[event->item].memo);
	put_event_time(out, "paid_at", event);
}

/* What the other end must survive. */
static void spoil(struct buf *out, size_t start, enum flaw flaw) {
	size_t len = out->len - start;
	char *text = out->data + start;
	char *quote;

	switch (flaw) {
	case FLAW_TRUNCATED:
		out->len = start + len * 3 / 5;
		break;
	case FLAW_NOT_JSON:
		out->len = start;
		buf_puts(out, "系统维护中，请稍后再试");
		break;
	case FLAW_BROKEN_UTF8:
	case FLAW_NUL:
		/* The first byte of the id's text. */
		quote = memchr(text, ':', len);
		if (quote)
			quote[2] = flaw == FLAW_NUL ? '\0' : '\xff';
		break;
	case FLAW_DEEP:
		out->len = start;
		for (unsigned i = 0; i < 10000; i++)
			buf_puts(out, "{\"a\":");
		buf_putc(out, '1');
		buf_repeat(out, '}', 10000);
		break;
	case FLAW_ARRAY:
		out->len = start;
		buf_puts(out, "[{\"amount\":1.00}]");
		break;
	case FLAW_NONE:
	case FLAW_AMOUNT_TEXT:
	case FLAW_AMOUNT_DECIMALS:
	case FLAW_AMOUNT_HUGE:
	case FLAW_FIELD_MISSING:
	case FLAW_YEAR_ZERO:
	case FLAW_YEAR_9999:
	case FLAW_KEY_TWICE:
	case FLAW_MAX:
	default:
		break;
	}
}

void event_json(struct buf *out, const struct city *city, uint32_t i) {
	static void (*const put[N_STREAMS])(struct buf *, const struct city *,
					    const struct event *) = {
		[BUDGETS] = put_budget,
		[ORDERS] = put_order,
		[AWARDS] = put_award,
		[PAYMENTS] = put_payment,
	};
	const struct event *event = &city->events[i];
	size_t start = out->len;

	put[event->stream](out, city, event);
	spoil(out, start, event->flaw);
}

void label_json(struct buf *out, const struct city *city,
		const struct label *label) {
	const struct event *first = &city->events[label->first];
	const struct event *last = &city->events[label->last];

	buf_printf(out, "{\"rule\":\"%s\",\"expect\":\"%s\",\"key\":%s",
		   label->rule,
		   label->expect == EXPECT_ALERT ? "alert" : "silence",
		   label->key);
	if (label->period)
		buf_printf(out, ",\"period\":\"%s\"", label->period);
	if (label->level)
		buf_printf(out, ",\"level\":\"%s\"", label->level);
	buf_puts(out, ",\"first\":\"");
	event_id(out, city, first);
	buf_puts(out, "\",\"last\":\"");
	event_id(out, city, last);
	buf_puts(out, "\",\"from\":\"");
	put_time(out, first->at);
	buf_puts(out, "\",\"time\":\"");
	put_time(out, last->at);
	buf_printf(out, "\",\"note\":\"%s\"}\n", label->note);
}

void counts_json(struct buf *out, const struct city *city) {
	struct {
		uint32_t records, copies, hostile;
	} n[N_STREAMS] = { 0 };

	for (uint32_t i = 0; i < city->n; i++) {
		const struct event *event = &city->events[i];

		n[event->stream].records++;
		n[event->stream].copies += event->copy_of != NOBODY;
		n[event->stream].hostile += event->flaw != FLAW_NONE;
	}
	buf_putc(out, '{');
	for (unsigned s = 0; s < N_STREAMS; s++) {
		buf_comma(out);
		buf_printf(out,
			   "\"%s\":{\"read\":%u,\"kept\":%u,\"refused\":%u,"
			   "\"duplicate\":%u}",
			   stream_names[s], n[s].records,
			   n[s].records - n[s].copies - n[s].hostile,
			   n[s].hostile, n[s].copies);
	}
	buf_puts(out, "}\n");
}
