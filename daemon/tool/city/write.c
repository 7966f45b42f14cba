/* The bytes of events, as each department's system would send them. */
#include "tool/city/city.h"

#include "base/calendar.h"

#include <string.h>

static void put_clock(struct buf *out, int64_t local, const char *offset) {
	int64_t second = local % DAY;
	int32_t year;
	unsigned month, day;

	civil_from_days(local / DAY, &year, &month, &day);
	buf_printf(out, "%04d-%02u-%02uT%02d:%02d:%02d%s", year, month, day,
		   (int)(second / 3600), (int)(second / 60 % 60),
		   (int)(second % 60), offset);
}

void put_time(struct buf *out, int64_t at) {
	put_clock(out, at + 8 * 3600, "+08:00");
}

void put_fen(struct buf *out, int64_t fen) {
	if (fen < 0)
		buf_putc(out, '-');
	fen = fen < 0 ? -fen : fen;
	buf_int(out, fen / 100);
	buf_putc(out, '.');
	buf_putc(out, (char)('0' + fen / 10 % 10));
	buf_putc(out, (char)('0' + fen % 10));
}

static void put_number(struct buf *out, char letter, uint32_t number) {
	char text[16];

	text[0] = letter;
	for (unsigned i = 7; i; i--, number /= 10)
		text[i] = (char)('0' + number % 10);
	buf_add(out, text, 8);
}

unsigned event_channel(const struct event *event) {
	if (event->stream != PAYMENTS)
		return event->stream;
	switch (event->payment.unit->department) {
	case DEPARTMENT_HEALTH:
		return CHANNEL_HEALTH;
	case DEPARTMENT_EDU:
		return CHANNEL_EDU;
	case DEPARTMENT_CITY:
	default:
		return PAYMENTS;
	}
}

void event_id(struct buf *out, const struct event *event) {
	put_number(out, channels[event_channel(event)].letter, event->number);
}

void lot_id(struct buf *out, const struct lot *lot) {
	put_number(out, 'Z', lot->tender->number);
}

void contract_id(struct buf *out, const struct contract *contract) {
	put_number(out, 'H', contract->begin->number);
}

/* The first field opens the object. */
static void put_key(struct buf *out, const char *name) {
	buf_puts(out, ",\"");
	buf_puts(out, name);
	buf_puts(out, "\":");
}

/* None of the city's texts needs an escape. */
void put_text(struct buf *out, const char *name, const char *text) {
	put_key(out, name);
	buf_putc(out, '"');
	buf_puts(out, text);
	buf_putc(out, '"');
}

static void put_id(struct buf *out, const char *name,
		   const struct event *event) {
	put_key(out, name);
	buf_putc(out, '"');
	event_id(out, event);
	buf_putc(out, '"');
}

static void put_money(struct buf *out, const char *name, int64_t fen) {
	put_key(out, name);
	put_fen(out, fen);
}

static void put_instant(struct buf *out, const char *name, int64_t at) {
	put_key(out, name);
	buf_putc(out, '"');
	put_time(out, at);
	buf_putc(out, '"');
}

static void put_date(struct buf *out, const char *name, int64_t day) {
	int32_t year;
	unsigned month, mday;

	civil_from_days(day, &year, &month, &mday);
	put_key(out, name);
	buf_printf(out, "\"%04d-%02u-%02u\"", year, month, mday);
}

/* The amount without which an event is none, and what may be wrong with it. */
void put_amount(struct buf *out, const char *name, const struct event *event,
		int64_t fen) {
	switch (event->flaw) {
	case FLAW_FIELD_MISSING:
		return;
	case FLAW_AMOUNT_TEXT:
		put_text(out, name, "壹万元整");
		return;
	case FLAW_AMOUNT_DECIMALS:
		put_key(out, name);
		buf_puts(out, "1024.125");
		return;
	case FLAW_AMOUNT_HUGE:
		put_key(out, name);
		buf_puts(out, "123456789012345678901234567890.00");
		return;
	case FLAW_KEY_TWICE:
		put_money(out, name, 100);
		break;
	default:
		break;
	}
	put_money(out, name, fen);
}

/* The event's own time, its last field. */
static void put_end(struct buf *out, const char *field,
		    const struct event *event) {
	if (event->flaw == FLAW_YEAR_ZERO)
		put_text(out, field, "0000-03-01T09:00:00+08:00");
	else if (event->flaw == FLAW_YEAR_9999)
		put_text(out, field, "9999-12-31T23:59:59+08:00");
	else
		put_instant(out, field, event->at);
	buf_putc(out, '}');
}

static void put_begin(struct buf *out, const char *field,
		      const struct event *event) {
	buf_puts(out, "{\"");
	buf_puts(out, field);
	buf_puts(out, "\":\"");
	event_id(out, event);
	buf_putc(out, '"');
}

static void put_unit(struct buf *out, const struct unit *unit) {
	put_text(out, "unit", unit->code);
	put_text(out, "unit_name", unit->name);
}

static void put_buyer(struct buf *out, const struct unit *unit) {
	put_text(out, "buyer", unit->code);
	put_text(out, "buyer_name", unit->name);
}

static void put_category(struct buf *out, unsigned category,
			 const struct unit *buyer, unsigned method) {
	put_text(out, "category", categories[category].code);
	buf_printf(out, ",\"region\":\"99010%u\"", buyer->region);
	put_text(out, "method", methods[method]);
}

static void put_supplier(struct buf *out, const struct party *party) {
	put_text(out, "supplier", party->id);
	put_text(out, "supplier_name", party->name);
}

static void put_title(struct buf *out, const struct unit *buyer,
		      unsigned category) {
	put_key(out, "title");
	buf_printf(out, "\"%s%s采购\"", buyer->name, categories[category].name);
}

static void put_line(struct buf *out, const char *name,
		     const struct line *line) {
	put_key(out, name);
	buf_puts(out, "\"L-");
	buf_puts(out, line->unit->code + 2);
	buf_putc(out, '-');
	buf_puts(out, classes[line->class].code);
	buf_putc(out, '"');
}

static void put_budget(struct buf *out, const struct event *event) {
	const struct budget *budget = &event->budget;

	put_begin(out, "doc_no", event);
	put_line(out, "line_id", budget->line);
	put_unit(out, budget->line->unit);
	put_text(out, "kind", budget->adjusted ? "adjusted" : "allocated");
	put_amount(out, "amount", event, budget->amount);
	if (budget->adjusted)
		put_text(out, "reason", "预算调整");
	put_end(out, "approved_at", event);
}

void put_memo(struct buf *out, const struct event *event) {
	const struct payment *payment = &event->payment;

	if (!payment->memo)
		return;
	if (payment->amount < 0)
		buf_puts(out, "退回");
	if (payment->dated) {
		buf_int(out, month_of(day_of(event->at)) % 100);
		buf_puts(out, "月");
	}
	buf_puts(out, payment->memo);
}

const char *const party_types[] = { "org", "person", "self" };
const char *const pay_methods[] = { "transfer", "cash", "card", "cheque" };
const char *const pay_accounts[] = { "zero_balance", "real_fund", "special" };

static void put_payment(struct buf *out, const struct event *event) {
	const struct payment *payment = &event->payment;

	put_begin(out, "voucher_no", event);
	put_unit(out, payment->unit);
	put_text(out, "econ_class", classes[payment->class].code);
	if (payment->line)
		put_line(out, "budget_line", payment->line);
	put_text(out, "payee", payment->payee->name);
	if (payment->payee->id)
		put_text(out, "payee_id", payment->payee->id);
	put_text(out, "payee_type", party_types[payment->payee->type]);
	put_text(out, "payee_account", payment->payee->account);
	put_text(out, "method", pay_methods[payment->method]);
	put_text(out, "pay_mode",
		 payment->authorised ? "authorised" : "direct");
	put_text(out, "account_class", pay_accounts[payment->account]);
	put_amount(out, "amount", event, payment->amount);
	if (payment->contract) {
		buf_puts(out, ",\"contract_no\":\"");
		contract_id(out, payment->contract);
		buf_putc(out, '"');
	}
	if (payment->invoice)
		buf_printf(out, ",\"invoice_no\":\"%08u\"", payment->invoice);
	if (payment->fund != NO_FUND)
		put_text(out, "fund", funds[payment->fund].code);
	if (payment->memo) {
		put_key(out, "memo");
		buf_putc(out, '"');
		put_memo(out, event);
		buf_putc(out, '"');
	}
	put_end(out, "paid_at", event);
}

static void put_card(struct buf *out, const struct event *event) {
	const struct card_use *use = &event->card;

	put_begin(out, "txn_no", event);
	put_text(out, "card", use->card->number);
	put_text(out, "holder", use->card->holder);
	put_unit(out, use->card->unit);
	put_text(out, "merchant", use->merchant->id);
	put_text(out, "merchant_name", use->merchant->name);
	put_text(out, "mcc", use->merchant->nth % 3 ? "5812" : "7011");
	put_amount(out, "amount", event, use->amount);
	put_end(out, "spent_at", event);
}

static void put_approval(struct buf *out, const struct event *event) {
	const struct approval *approval = &event->approval;
	const struct payment *payment = &approval->payment->payment;

	put_begin(out, "approval_no", event);
	put_id(out, "voucher_no", approval->payment);
	put_text(out, "unit", payment->unit->code);
	put_text(out, "result", approval->rejected ? "rejected" : "approved");
	put_key(out, "approver");
	buf_printf(out, "\"S-%02u-%u\"", payment->unit->number,
		   payment->class % 3 + 1);
	put_amount(out, "amount", event, payment->amount);
	put_end(out, "approved_at", event);
}

static void put_order(struct buf *out, const struct event *event) {
	const struct order *order = &event->order;

	put_begin(out, "order_no", event);
	put_buyer(out, order->buyer);
	put_supplier(out, order->supplier);
	put_category(out, order->category, order->buyer, order->method);
	put_amount(out, "amount", event, order->amount);
	put_title(out, order->buyer, order->category);
	put_end(out, "ordered_at", event);
}

static void put_lot(struct buf *out, const struct lot *lot) {
	put_key(out, "tender");
	buf_putc(out, '"');
	lot_id(out, lot);
	buf_printf(out, "\",\"lot\":\"%u\"", lot->number);
}

static void put_tender(struct buf *out, const struct event *event) {
	static const char *const steps[] = { "published", "amended", "failed",
					     "cancelled", "opened" };
	const struct tender_event *tender = &event->tender;
	const struct lot *lot = tender->lot;

	put_begin(out, "event_no", event);
	put_lot(out, lot);
	put_text(out, "kind", steps[tender->step]);
	put_buyer(out, lot->buyer);
	put_category(out, lot->category, lot->buyer, lot->method);
	put_money(out, "estimate", lot->ceiling);
	put_money(out, "ceiling", lot->ceiling);
	if (tender->step == STEP_AMENDED) {
		put_key(out, "substantive");
		buf_puts(out, tender->substantive ? "true" : "false");
	}
	if (tender->deadline)
		put_instant(out, "bid_deadline", tender->deadline);
	put_title(out, lot->buyer, lot->category);
	put_end(out, "announced_at", event);
}

static void put_bid(struct buf *out, const struct event *event) {
	const struct bid *bid = &event->bid;
	const struct lot *lot = bid->lot;

	put_begin(out, "bid_no", event);
	put_lot(out, lot);
	put_buyer(out, lot->buyer);
	put_category(out, lot->category, lot->buyer, lot->method);
	put_text(out, "bidder", bid->bidder->id);
	put_text(out, "bidder_name", bid->bidder->name);
	put_amount(out, "price", event, bid->price);
	put_money(out, "ceiling", lot->ceiling);
	put_key(out, "valid");
	buf_puts(out, bid->invalid ? "false" : "true");
	put_key(out, "submitted_at");
	buf_putc(out, '"');
	if (bid->zulu)
		put_clock(out, bid->submitted, "Z");
	else
		put_time(out, bid->submitted);
	buf_putc(out, '"');
	put_end(out, "opened_at", event);
}

static void put_award(struct buf *out, const struct event *event) {
	const struct award *award = &event->award;

	put_begin(out, "award_no", event);
	if (award->lot)
		put_lot(out, award->lot);
	put_buyer(out, award->buyer);
	put_category(out, award->category, award->buyer, award->method);
	put_supplier(out, award->supplier);
	if (award->member) {
		put_key(out, "members");
		buf_printf(out, "[\"%s\",\"%s\"]", award->supplier->id,
			   award->member->id);
	}
	put_key(out, "bidders");
	buf_int(out, award->bidders);
	if (award->lot)
		put_money(out, "estimate", award->lot->ceiling);
	put_amount(out, "amount", event, award->amount);
	if (award->item != NO_ITEM) {
		put_text(out, "item", items[award->item].name);
		put_key(out, "quantity");
		buf_int(out, award->quantity);
		put_money(out, "unit_price", award->unit_price);
	}
	put_title(out, award->buyer, award->category);
	put_end(out, "decided_at", event);
}

static void put_contract(struct buf *out, const struct event *event) {
	static const char *const steps[] = { "signed", "amended", "closed" };
	const struct contract_event *step = &event->contract;
	const struct contract *contract = step->contract;

	put_begin(out, "doc_no", event);
	buf_puts(out, ",\"contract_no\":\"");
	contract_id(out, contract);
	buf_putc(out, '"');
	put_text(out, "kind", steps[step->step]);
	if (contract->award)
		put_id(out, "award_no", contract->award);
	put_buyer(out, contract->buyer);
	put_supplier(out, contract->supplier);
	put_amount(out, "amount", event, step->amount);
	if (step->step == CONTRACT_AMENDED)
		put_text(out, "reason", "工程量变更");
	put_end(out, "signed_at", event);
}

static void put_party(struct buf *out, const struct event *event) {
	const struct party_event *record = &event->party;

	put_begin(out, "record_no", event);
	put_text(out, "party", record->party->id);
	put_text(out, "name", record->party->name);
	put_date(out, "founded", record->party->founded);
	put_text(out, "legal_rep", record->party->legal_rep);
	put_text(out, "status", record->revoked ? "revoked" : "active");
	if (record->debarred_from) {
		put_date(out, "debarred_from", record->debarred_from);
		put_date(out, "debarred_until", record->debarred_until);
	}
	put_end(out, "updated_at", event);
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

void event_write(struct buf *out, const struct event *event) {
	static void (*const put[N_CHANNELS])(struct buf *,
					     const struct event *) = {
		[BUDGETS] = put_budget,     [PAYMENTS] = put_payment,
		[CARDS] = put_card,         [APPROVALS] = put_approval,
		[ORDERS] = put_order,       [TENDERS] = put_tender,
		[BIDS] = put_bid,           [AWARDS] = put_award,
		[CONTRACTS] = put_contract, [PARTIES] = put_party,
		[CHANNEL_EDU] = edu_json,
	};
	unsigned channel = event_channel(event);
	size_t start = out->len;

	if (channel == CHANNEL_HEALTH) {
		health_row(out, event);
		return;
	}
	put[channel](out, event);
	spoil(out, start, (enum flaw)event->flaw);
}

static const struct unit *unit_of(const struct event *event) {
	switch ((enum stream)event->stream) {
	case BUDGETS:
		return event->budget.line->unit;
	case PAYMENTS:
		return event->payment.unit;
	case CARDS:
		return event->card.card->unit;
	case APPROVALS:
		return event->approval.payment->payment.unit;
	case ORDERS:
		return event->order.buyer;
	case TENDERS:
		return event->tender.lot->buyer;
	case BIDS:
		return event->bid.lot->buyer;
	case AWARDS:
		return event->award.buyer;
	case CONTRACTS:
		return event->contract.contract->buyer;
	case PARTIES:
	case N_STREAMS:
	default:
		return NULL;
	}
}

void event_key(struct buf *out, const struct event *event) {
	const struct unit *unit = unit_of(event);

	buf_puts(out, unit ? unit->code : event->party.party->id);
}

void counts_json(struct buf *out, const struct city *city) {
	struct {
		uint32_t records, copies, hostile;
	} n[N_CHANNELS] = { 0 };

	for (uint32_t i = 0; i < city->n; i++) {
		const struct event *event = city->events[i];
		unsigned channel = event_channel(event);

		n[channel].records++;
		n[channel].copies += event->copy_of != NULL;
		n[channel].hostile += event->flaw != FLAW_NONE;
	}
	buf_putc(out, '{');
	for (unsigned s = 0; s < N_CHANNELS; s++) {
		buf_comma(out);
		buf_printf(out,
			   "\"%s\":{\"read\":%u,\"kept\":%u,\"refused\":%u,"
			   "\"duplicate\":%u}",
			   channels[s].name, n[s].records,
			   n[s].records - n[s].copies - n[s].hostile,
			   n[s].hostile, n[s].copies);
	}
	buf_puts(out, "}\n");
}
