/*
 * Sink: where alerts go, and what makes each arrive exactly once.
 *
 * A sink keeps a fence beside the alerts: who may write (epoch), how far they
 * reach (mark, hash) and which refused events it has seen (dead). It moves the
 * fence in the same step in which it takes alerts, so a batch that is sent
 * twice has its effect once. The lane compares fences and decides; the sink
 * only obeys.
 *
 * A sink never blocks: serve() does what can be done now. What was sent and
 * not acknowledged when the connection broke is simply sent again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outbox;

struct sink_fence {
	bool exists;
	uint64_t epoch;
	uint64_t mark; /* the last seq that it holds */
	uint64_t dead; /* the last refused ordinal that it holds */
	bool has_hash;
	uint8_t hash[32]; /* of the record at the mark */
};

enum sink_state {
	SINK_AWAY,  /* nobody answers, or not yet everything */
	SINK_MET,   /* fence() holds; waits for claim() */
	SINK_OPEN,  /* takes batches */
	SINK_FENCED /* another daemon has claimed the lane: the end */
};

struct sink_counters {
	uint64_t alerts, dead_letters, batches; /* acknowledged */
	uint64_t connections, failures;
	uint64_t partial;   /* alerts of which a publication or index failed */
	uint64_t last_usec; /* from send to acknowledgement, the last batch */
};

struct sink_class {
	const char *name;
	/* What to wait for; -1: nothing but the time. */
	int (*fd)(const void *self);
	unsigned (*events)(const void *self); /* EPOLLIN, EPOLLOUT */
	/* When serve() wants to be called though nothing happened. */
	int64_t (*wake)(const void *self);
	void (*serve)(void *self, int64_t now);
	enum sink_state (*state)(const void *self);
	const struct sink_fence *(*fence)(const void *self);
	/*
	 * Claims the lane: SINK_OPEN, or SINK_FENCED if the fence holds a
	 * greater epoch, or this one of another owner.
	 */
	void (*claim)(void *self, uint64_t epoch, const uint8_t rules[32]);
	/*
	 * Asks for the records of all open alerts and, as far as there are
	 * any, of those with these ids (16 bytes each); records() is true when
	 * they are there, sorted by id, until forget_records().
	 */
	void (*ask_records)(void *self, const uint8_t *ids, size_t n);
	bool (*records)(const void *self, const char *const **records,
			const size_t **lens, size_t *n);
	void (*forget_records)(void *self);
	/*
	 * Sends of @outbox what is among the first @items and @dead and not
	 * yet under way. The same outbox in each call; what was acknowledged
	 * must have been dropped from it.
	 */
	void (*send)(void *self, const struct outbox *outbox, size_t items,
		     size_t dead, int64_t now);
	/* How many from its head were acknowledged since the last call. */
	void (*acknowledged)(void *self, size_t *items, size_t *dead);
	/* Forgets the connection and all that is under way. */
	void (*drop)(void *self);
	/* Says how the instance fares (n pairs of name and value), and looks
	 * whether the fence is still ours. */
	void (*status)(void *self, const char *const *pairs, size_t n);
	const struct sink_counters *(*counters)(const void *self);
	void (*free)(void *self);
};

struct sink {
	const struct sink_class *class;
	void *self;
};
