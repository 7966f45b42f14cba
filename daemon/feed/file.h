/*
 * File feed: rows of files as events, merged by event time.
 *
 * JSON lines or CSV with a header, plain, gzip or zstd. A row is a non-empty
 * line (of CSV: a record, which may hold line ends between quotes). Files are
 * read side by side as a lane reads partitions that it catches up with: the
 * least head goes first, a refused row at once, equal times by topic, file
 * number and row. So a replay of files sees what a catch-up saw.
 *
 * The feed owns all events and their bytes; they are valid until the next call
 * of file_feed_next(). Streams belong to the ruleset and must outlive it.
 */
#pragma once

#include "event/event.h"

struct file_feed;

/*
 * @seed: of ids and contents, as the engine's. @as_of: the clock by which the
 * engine refuses events from the future, INT64_MAX: none. A row that it will
 * refuse goes at once, too, or one row of the year 9999 would hold back all
 * that stands behind it until every other file has ended.
 */
int file_feed_new(struct file_feed **ret, uint64_t seed, usec_t as_of);
void file_feed_free(struct file_feed *feed);
/*
 * Rows of files that are added from now on go in order of time, those of equal
 * times as they lie there, refused ones first. An export of a database lies in
 * no order, and read as it lies nearly all of it would be late. The price is
 * the whole file in memory and decoding it twice.
 */
void file_feed_sort(struct file_feed *feed);
/*
 * Adds a file ("-" is standard input); its number counts per stream, from 0.
 * A name with .csv in it is CSV, with .json JSON lines, others are what the
 * stream's format says; names of folders do not count. 0; -EINVAL: the header
 * does not fit, see @why; other negative errno: the file cannot be read. What
 * else a header says goes to @notes, see decoder_csv_header().
 */
int file_feed_add(struct file_feed *feed, const struct stream *stream,
		  const char *path, struct buf *notes, struct buf *why);
/*
 * The next events in order, at most @n: how many, 0 at the end. Negative
 * errno: a file could not be read on; file_feed_path() says which. See
 * unpack.h for those of an archive.
 */
int file_feed_next(struct file_feed *feed, struct event **events, size_t n);
const char *file_feed_path(const struct file_feed *feed);

/* Rows handed out so far. */
uint64_t file_feed_rows(const struct file_feed *feed);
/* Share of the bytes on disk that were read, 0 to 1. */
double file_feed_progress(const struct file_feed *feed);
