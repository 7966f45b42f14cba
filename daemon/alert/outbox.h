/*
 * Outbox: transitions and dead letters on their way out.
 *
 * Bounded: when it is full the engine pauses, wherever it stands. Items leave
 * when the sink has acknowledged them. It is not state: a replay makes it
 * again.
 */
#pragma once

#include "base/buf.h"
#include "event/event.h"
#include "rule/rule.h"
#include "tocsin/alert.h"

struct outbox_item {
	uint64_t seq;     /* 0: of a shadow rule (status: test) */
	uint64_t ordinal; /* the input it came from */
	uint8_t id[16];
	uint64_t rev;
	enum alert_state state;
	enum alert_change change;
	enum alert_why why;
	enum level level, was;
	bool open;
	usec_t fired;     /* event time of the firing: the score in `open` */
	usec_t at;        /* event time or due time of this transition */
	const char *rule; /* package/rule; lives as long as the ruleset */
	const struct rule *of; /* NULL: a rule that is no longer there */
	char *key;             /* record_key() */
	char *json;            /* owned */
	size_t json_len;
	uint8_t hash[32];
};

struct dead_letter {
	uint64_t ordinal;
	struct coordinates at;
	enum refusal refusal;
	const char *detail; /* a field's name or NULL; of the ruleset */
};

struct outbox {
	struct outbox_item *items; /* ring */
	size_t head, n;
	size_t cap;  /* with so many waiting there is no room */
	size_t size; /* of the ring: one step may overshoot, and it grows */
	struct dead_letter *dead;
	size_t dead_head, dead_n, dead_cap;
	size_t bytes;
};

int outbox_init(struct outbox *outbox, size_t cap, size_t dead_cap);
void outbox_free(struct outbox *outbox);
/* Asked between steps: one step may add more than one transition. */
bool outbox_has_room(const struct outbox *outbox);
/* The item's json and key become the outbox's. */
void outbox_add(struct outbox *outbox, const struct outbox_item *item);
void outbox_add_dead(struct outbox *outbox, const struct dead_letter *dead);
struct outbox_item *outbox_at(const struct outbox *outbox, size_t i);
const struct dead_letter *outbox_dead_at(const struct outbox *outbox, size_t i);
void outbox_drop(struct outbox *outbox, size_t n);
void outbox_drop_dead(struct outbox *outbox, size_t n);
