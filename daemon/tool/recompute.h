/*
 * Recompute: a lane's transitions once more, from its archive alone: the
 * inputs of one journal in their order, with the rules, tables and limits that
 * its rules hash stands for.
 */
#pragma once

#include "alert/outbox.h"
#include "base/buf.h"

#include <stdint.h>

struct recompute {
	const char *state; /* the folder that holds archive/ */
	uint32_t journal;
	uint8_t mask_key[32];
	/* Each transition; false: it is enough. */
	bool (*item)(void *context, const struct outbox_item *item);
	void *context;
	/* What was computed with, when it is done. */
	char rules[65];
	uint64_t inputs;
};

/*
 * 0; -ENODATA: inputs are missing, what came before them was computed;
 * -EBADMSG: the archive is damaged; -ESTALE: this program computes otherwise;
 * others are of the system. @why gets a sentence.
 */
int recompute(struct recompute *what, struct buf *why);
