/* What was planted, so that what rings can be held against it. */
#include "tool/city/city.h"

#include <assert.h>

struct label *label_add(struct city *city, const char *rule, enum grade grade,
			const char *note, const struct event *first,
			const struct event *last) {
	struct label *label = arena_new(&city->arena, struct label);

	city->labels =
		city_grow(city->labels, city->n_labels, &city->cap_labels);
	*label = (struct label){
		.rule = rule,
		.grade = grade,
		.note = note,
		.first = first,
		.last = last,
	};
	city->labels[city->n_labels++] = label;
	return label;
}

static unsigned next_key(struct label *label, const char *name) {
	assert(label->n_keys < 4);
	label->keys[label->n_keys].name = name;
	return label->n_keys++;
}

void label_text(struct label *label, const char *name, const char *text) {
	unsigned i = next_key(label, name);

	label->keys[i].text = text;
}

void label_id(struct label *label, const char *name,
	      const struct event *event) {
	unsigned i = next_key(label, name);

	label->keys[i].event = event;
}

void label_lot(struct label *label, const struct lot *lot) {
	unsigned i = next_key(label, "tender");

	label->keys[i].lot = lot;
}

void label_contract(struct label *label, const struct contract *contract) {
	unsigned i = next_key(label, "contract_no");

	label->keys[i].contract = contract;
}

static void put_key(struct buf *out, const struct label *label) {
	buf_puts(out, ",\"key\":{");
	for (unsigned i = 0; i < label->n_keys; i++) {
		buf_comma(out);
		buf_json_key(out, label->keys[i].name);
		buf_putc(out, '"');
		if (label->keys[i].text)
			buf_puts(out, label->keys[i].text);
		else if (label->keys[i].event)
			event_id(out, label->keys[i].event);
		else if (label->keys[i].contract)
			contract_id(out, label->keys[i].contract);
		else
			lot_id(out, label->keys[i].lot);
		buf_putc(out, '"');
		if (label->keys[i].lot)
			buf_printf(out, ",\"lot\":\"%u\"",
				   label->keys[i].lot->number);
	}
	buf_putc(out, '}');
}

static void put_instant(struct buf *out, const char *name, int64_t at) {
	buf_comma(out);
	buf_json_key(out, name);
	buf_putc(out, '"');
	put_time(out, at);
	buf_putc(out, '"');
}

void label_json(struct buf *out, const struct label *label) {
	static const char *const grades[] = { "plain", "near", "hidden" };

	buf_printf(out, "{\"rule\":\"%s\",\"expect\":\"%s\"", label->rule,
		   label->grade == SILENT ? "silence" : "alert");
	if (label->grade != SILENT)
		buf_printf(out, ",\"grade\":\"%s\"", grades[label->grade]);
	put_key(out, label);
	if (label->period)
		buf_printf(out, ",\"period\":\"%s\"", label->period);
	if (label->level)
		buf_printf(out, ",\"level\":\"%s\"", label->level);
	buf_puts(out, ",\"first\":\"");
	event_id(out, label->first);
	buf_puts(out, "\",\"last\":\"");
	event_id(out, label->last);
	buf_putc(out, '"');
	put_instant(out, "from", label->from ? label->from : label->first->at);
	put_instant(out, "time", label->last->at);
	if (label->until)
		put_instant(out, "until", label->until);
	buf_printf(out, ",\"note\":\"%s\"}\n", label->note);
}
