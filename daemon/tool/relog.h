/*
 * Relog: the inputs of a journal that has no archive, in their order. The
 * order is in the run journal, the records are in Kafka while it keeps them.
 *
 * Nothing is written, neither to the journal, which may be a running daemon's,
 * nor to Kafka: no offset is committed.
 */
#pragma once

#include "base/buf.h"
#include "config.h"
#include "lane/journal.h"

struct archive_entry;
struct relog;

/*
 * Journal @number of the state that @config names, as far as it goes now.
 * -ENODATA: its order or records of it are gone, @why says which; -ENOENT:
 * there is no such journal; -ETIMEDOUT: Kafka does not say.
 */
int relog_open(struct relog **ret, const struct config *config, uint32_t number,
	       struct buf *why);
const struct journal_header *relog_header(const struct relog *relog);
/* As archive_read(). */
int relog_read(struct relog *relog, struct archive_entry *entry,
	       struct buf *why);
void relog_close(struct relog *relog);
