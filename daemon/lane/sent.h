/*
 * Sent: what the sink has acknowledged, kept to be sent again if it loses it.
 *
 * SENT.md describes the files. The lane adds what was acknowledged; a thread of
 * its own writes it. Alerts stand in it in the order of seq without a gap, dead
 * letters in the order of their ordinals. Where something is missing the log
 * begins anew behind it: what it holds is whole, or it is not there.
 */
#pragma once

#include "alert/outbox.h"
#include "base/buf.h"
#include "base/util.h"

#include <stdbool.h>
#include <stdint.h>

#define SENT_VERSION 1u

/* So far: the last alert and its hash, and the last dead letter. */
struct sent_point {
	uint64_t seq, dead;
	bool has_hash;
	uint8_t hash[32];
};

struct sent;

/*
 * The log of @lane below @state; it is made when something is added. What a
 * crash has torn off is cut off. What is of another version, or is
 * damaged, is not used. Texts are copied. -EXDEV: it is of another lane.
 */
int sent_open(struct sent **ret, const char *state, const char *lane);
/* Waits for what was added, without a last sync. */
void sent_close(struct sent *sent);

/*
 * What comes next comes behind @point, of which the sink has everything. A log
 * that does not reach there, or knows another history, begins anew with it.
 */
void sent_begin(struct sent *sent, const struct sent_point *point);
/*
 * The same, and what comes next is another history than stands behind it, also
 * of a log that has failed. Negative errno: what must not be met again may
 * still be there.
 */
int sent_seam(struct sent *sent, const struct sent_point *point);
/* What is there already is not added again. */
void sent_add(struct sent *sent, const struct outbox_item *item);
void sent_add_dead(struct sent *sent, const struct dead_letter *dead);

/* The last ones; zeros: it holds nothing, or has failed. */
struct sent_point sent_end(const struct sent *sent);
/* It knows of something. */
bool sent_is_any(const struct sent *sent);
/* It has, or needs not have, what was acknowledged up to here. */
bool sent_reaches(const struct sent *sent, uint64_t seq, uint64_t dead);
/* Up to where the disk has it; if it has failed, as far as anybody asks. */
bool sent_is_durable(const struct sent *sent, uint64_t seq, uint64_t dead);
/* Asks for all that was added to become durable. */
void sent_sync(struct sent *sent);
/* Bytes that wait for the disk, and of all the files. */
uint64_t sent_backlog(const struct sent *sent);
uint64_t sent_bytes(const struct sent *sent);
/*
 * 0; is_full(): it is tried again each second; any other: nothing more is
 * written, and what would be sent again is made again instead.
 */
int sent_error(const struct sent *sent);
/*
 * Removes, oldest first, files that hold nothing behind @seq and @dead and were
 * closed before @before (microseconds since 1970), or that together with the
 * newer ones have more than @most bytes.
 */
void sent_trim(struct sent *sent, uint64_t seq, uint64_t dead, int64_t before,
	       uint64_t most);

/* --- reading --- */

struct sent_reader;

/*
 * All that stands behind @from. -ENODATA: it does not reach back that far;
 * -ESTALE: another hash stands at that seq.
 */
int sent_read_open(struct sent_reader **ret, struct sent *sent,
		   const struct sent_point *from);
/*
 * Adds some to @outbox, which has room for @most of each kind; their texts
 * live as long as the reader. 1; 0: that was all; -EBADMSG: it is damaged.
 */
int sent_read(struct sent_reader *reader, struct outbox *outbox, size_t most);
void sent_read_close(struct sent_reader *reader);
