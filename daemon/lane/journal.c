#include "lane/journal.h"

#include "lane/crash.h"
#include "lane/journal_internal.h"
#include "lane/segment.h"
#include "lane/varint.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What is handed over unasked, so that the buffer does not grow. */
#define HANDOVER_BYTES (256u << 10)

/* So far ahead of the records zeros are written; see zero_ahead(). */
#define AHEAD_BYTES (1u << 20)

/* Bytes for one place of one segment. */
struct chunk {
	struct chunk *next;
	uint64_t segment;
	uint64_t segment_bytes; /* its preallocated size */
	uint64_t position;      /* of the first byte */
	struct buf data;
	bool sync;
};

/*
 * The lane's thread owns what is above the line, the carrier what is below;
 * the queue between them is behind the lock.
 */
struct journal {
	char *dir;
	uint64_t segment, segment_bytes;
	uint64_t position; /* behind the last record */
	struct buf pending;
	uint64_t pending_position;
	struct buf scratch;
	struct journal_header header;
	struct journal_state state;
	struct journal_partition *partitions;
	size_t n_partitions;
	uint64_t sync_asked; /* up to here */
	/* ---- */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct chunk *head, **tail;
	bool stop;
	int event;
	_Atomic uint64_t durable, written;
	_Atomic uint64_t sync_usec;
	_Atomic int error;
	/* ---- */
	int fd;
	uint64_t fd_segment, fd_end;
	uint64_t zeroed; /* up to here the blocks have been written before */
};

void partitions_add(struct journal_partition **partitions, size_t *n,
		    const char *topic, int32_t partition, int64_t first) {
	struct journal_partition *more =
		reallocarray(*partitions, *n + 1, sizeof(*more));

	if (!more)
		abort();
	*partitions = more;
	more[*n] = (struct journal_partition){ .topic = strdup(topic),
					       .partition = partition,
					       .first = first,
					       .next = first };
	if (!more[*n].topic)
		abort();
	++*n;
}

struct journal_partition *partitions_find(struct journal_partition *partitions,
					  size_t n, const char *topic,
					  int32_t partition) {
	for (size_t i = 0; i < n; i++)
		if (partitions[i].partition == partition &&
		    strcmp(partitions[i].topic, topic) == 0)
			return &partitions[i];
	return NULL;
}

void partitions_free(struct journal_partition *partitions, size_t n) {
	for (size_t i = 0; i < n; i++)
		free(partitions[i].topic);
	free(partitions);
}

/* The carrier: from here on, until journal_new(), its thread. */

static uint64_t now_usec(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/*
 * After a failed sync nobody knows which pages were dropped, so there is no
 * second try, not even when it failed for want of room.
 */
static int sync_file(int fd) {
	if (fdatasync(fd) == 0)
		return 0;
	return is_full(-errno) ? -EIO : -errno;
}

/*
 * Preallocated, so that a sync need not also write the file's length and its
 * map of blocks. A file system that cannot is used as it is.
 */
static int preallocate(int fd, uint64_t bytes) {
	if (bytes && fallocate(fd, 0, 0, (off_t)bytes) < 0 &&
	    errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

/*
 * A block that was only preallocated is marked as written when it first is,
 * and a sync of it is a commit of the file system, behind whatever anybody
 * else has in that commit. Over a block that holds zeros a sync is a write and
 * a flush. So zeros go ahead, in steps; the price is that all is written
 * twice. Where it fails (a full disk that could not preallocate), syncs are
 * merely slower.
 */
static void zero_ahead(struct journal *journal, uint64_t from) {
	static char zeros[64 << 10];

	if (journal->zeroed > from)
		from = journal->zeroed;
	journal->zeroed = from + AHEAD_BYTES < journal->fd_end
				  ? from + AHEAD_BYTES
				  : journal->fd_end;
	while (from < journal->zeroed) {
		uint64_t n = journal->zeroed - from;

		if (n > sizeof(zeros))
			n = sizeof(zeros);
		if (write_at(journal->fd, zeros, n,
			     from - journal->fd_segment) < 0)
			return;
		from += n;
	}
}

/* Behind a sync, so that few alerts wait for it. */
static int go_ahead(struct journal *journal, uint64_t written) {
	if (journal->zeroed == journal->fd_end ||
	    journal->zeroed > written + AHEAD_BYTES / 2)
		return 0;
	zero_ahead(journal, written);
	return sync_file(journal->fd);
}

static int close_segment(struct journal *journal) {
	int r;

	if (journal->fd < 0)
		return 0;
	r = sync_file(journal->fd);
	close(journal->fd);
	journal->fd = -1;
	return r;
}

static int use_segment(struct journal *journal, uint64_t segment,
		       uint64_t bytes) {
	char *path;
	int fd, r;

	if (journal->fd >= 0 && journal->fd_segment == segment)
		return 0;
	r = close_segment(journal);
	if (r < 0)
		return r;
	path = segment_path(journal->dir, segment);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	if (fd < 0)
		return -errno;
	r = preallocate(fd, bytes);
	crash_point("segment-made");
	if (r == 0)
		r = sync_folder(journal->dir);
	if (r < 0) {
		close(fd);
		return r;
	}
	journal->fd = fd;
	journal->fd_segment = journal->zeroed = segment;
	journal->fd_end = segment + bytes;
	zero_ahead(journal, segment);
	return 0;
}

static int carry(struct journal *journal, const struct chunk *chunk) {
	uint64_t begin;
	int r;

	r = use_segment(journal, chunk->segment, chunk->segment_bytes);
	if (r < 0)
		return r;
	r = write_at(journal->fd, chunk->data.data, chunk->data.len,
		     chunk->position - chunk->segment);
	if (r < 0)
		return r;
	atomic_store(&journal->written, chunk->position + chunk->data.len);
	crash_point("journal-written");
	if (!chunk->sync)
		return 0;
	begin = now_usec();
	r = sync_file(journal->fd);
	if (r < 0)
		return r;
	crash_point("journal-synced");
	atomic_store(&journal->sync_usec, now_usec() - begin);
	atomic_store(&journal->durable, chunk->position + chunk->data.len);
	return 0;
}

static void ring_bell(struct journal *journal) {
	uint64_t one = 1;

	if (write(journal->event, &one, sizeof(one)) < 0)
		(void)0; /* full: it rings already */
}

static void set_error(struct journal *journal, int error) {
	if (atomic_exchange(&journal->error, error) != error)
		ring_bell(journal);
}

/* False: the journal is being closed. */
static bool wait_a_second(struct journal *journal) {
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&journal->lock);
	while (!journal->stop &&
	       pthread_cond_timedwait(&journal->wake, &journal->lock, &until) !=
		       ETIMEDOUT)
		;
	stop = journal->stop;
	pthread_mutex_unlock(&journal->lock);
	return !stop;
}

static void chunk_free(struct chunk *chunk) {
	buf_free(&chunk->data);
	free(chunk);
}

static void carry_or_fail(struct journal *journal, struct chunk *chunk) {
	int r;

	while (is_full(r = carry(journal, chunk))) {
		set_error(journal, r);
		if (!wait_a_second(journal))
			return;
	}
	set_error(journal, r);
	if (r < 0 || !chunk->sync)
		return;
	ring_bell(journal);
	r = go_ahead(journal, chunk->position + chunk->data.len);
	if (r < 0)
		set_error(journal, r);
}

static struct chunk *next_chunk(struct journal *journal) {
	struct chunk *chunk;

	pthread_mutex_lock(&journal->lock);
	while (!journal->head && !journal->stop)
		pthread_cond_wait(&journal->wake, &journal->lock);
	chunk = journal->head;
	if (chunk) {
		journal->head = chunk->next;
		if (!journal->head)
			journal->tail = &journal->head;
		/* One sync for all that wait behind each other. */
		for (struct chunk *c = journal->head; c; c = c->next)
			if (c->sync && c->segment == chunk->segment)
				chunk->sync = false;
	}
	pthread_mutex_unlock(&journal->lock);
	return chunk;
}

static void *carrier(void *context) {
	struct journal *journal = context;
	struct chunk *chunk;

	while ((chunk = next_chunk(journal))) {
		int error = atomic_load(&journal->error);

		if (error == 0 || is_full(error))
			carry_or_fail(journal, chunk);
		chunk_free(chunk);
	}
	return NULL;
}

/* The lane's side. */

static struct journal *journal_new(const char *dir) {
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal || !(journal->dir = strdup(dir)))
		abort();
	journal->fd = -1;
	journal->tail = &journal->head;
	pthread_mutex_init(&journal->lock, NULL);
	pthread_cond_init(&journal->wake, NULL);
	journal->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (journal->event < 0)
		abort();
	return journal;
}

static void hand_over(struct journal *journal, bool sync) {
	struct chunk *chunk;

	if (!journal->pending.len && !sync)
		return;
	chunk = calloc(1, sizeof(*chunk));
	if (!chunk)
		abort();
	*chunk = (struct chunk){ .segment = journal->segment,
				 .segment_bytes = journal->segment_bytes,
				 .position = journal->pending_position,
				 .data = journal->pending,
				 .sync = sync };
	journal->pending = (struct buf){ 0 };
	journal->pending_position = journal->position;
	pthread_mutex_lock(&journal->lock);
	*journal->tail = chunk;
	journal->tail = &chunk->next;
	pthread_cond_signal(&journal->wake);
	pthread_mutex_unlock(&journal->lock);
}

static void put(struct journal *journal, uint32_t kind,
		const struct buf *payload) {
	record_put(&journal->pending, kind, journal->position,
		   atomic_load(&journal->durable), payload->data, payload->len);
	journal->position += record_bytes(payload->len);
}

static void begin_segment(struct journal *journal, uint64_t need) {
	journal->segment = journal->position;
	journal->segment_bytes = need + RECORD_HEAD > SEGMENT_BYTES
					 ? need + RECORD_HEAD
					 : SEGMENT_BYTES;
	journal->pending_position = journal->position;
}

static void put_text(struct buf *out, const char *text, size_t len) {
	put_varint(out, len);
	buf_add(out, text, len);
}

static void put_content(struct buf *out, const char *name,
			const uint8_t sha256[32]) {
	put_text(out, name, strlen(name));
	buf_add(out, sha256, 32);
}

void journal_put_header(struct buf *out, const struct journal_header *header) {
	const char *seam = header->seam ? header->seam : "";

	put_varint(out, JOURNAL_VERSION);
	put_text(out, header->lane, strlen(header->lane));
	buf_add(out, header->rules, 32);
	put_fixed64(out, header->seed);
	put_fixed64(out, header->first_ordinal);
	put_text(out, seam, strlen(seam));
	put_varint(out, header->n_contents);
	for (size_t i = 0; i < header->n_contents; i++)
		put_content(out, header->contents[i].name,
			    header->contents[i].sha256);
}

static const char *copy(const char *text) {
	char *own = text ? strdup(text) : NULL;

	if (text && !own)
		abort();
	return own;
}

struct journal_content *
journal_copy_contents(const struct journal_content *contents, size_t n) {
	struct journal_content *own = calloc(n + 1, sizeof(*own));

	if (!own)
		abort();
	for (size_t i = 0; i < n; i++) {
		own[i] = contents[i];
		own[i].name = copy(contents[i].name);
	}
	return own;
}

void journal_free_contents(const struct journal_content *contents, size_t n) {
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)contents[i].name);
	free((struct journal_content *)(uintptr_t)contents);
}

void journal_free_header(struct journal_header *header) {
	free((char *)(uintptr_t)header->lane);
	free((char *)(uintptr_t)header->seam);
	journal_free_contents(header->contents, header->n_contents);
	*header = (struct journal_header){ 0 };
}

void journal_copy_header(struct journal_header *to,
			 const struct journal_header *from) {
	*to = *from;
	to->lane = copy(from->lane);
	to->seam = copy(from->seam);
	to->contents = journal_copy_contents(from->contents, from->n_contents);
}

/* What a reader needs to know who begins here. */
static void put_state(struct journal *journal, struct buf *out) {
	journal_put_header(out, &journal->header);
	put_varint(out, journal->state.ordinal);
	put_varint(out, journal->state.has_seam);
	put_varint(out, journal->state.seam_seq);
	put_varint(out, journal->n_partitions);
	for (size_t i = 0; i < journal->n_partitions; i++) {
		const struct journal_partition *partition =
			&journal->partitions[i];

		put_text(out, partition->topic, strlen(partition->topic));
		put_zigzag(out, partition->partition);
		put_zigzag(out, partition->first);
		put_zigzag(out, partition->next);
	}
}

static void end_segment(struct journal *journal) {
	record_put(&journal->pending, RECORD_END, journal->position,
		   atomic_load(&journal->durable), NULL, 0);
	journal->position += RECORD_HEAD;
	/* Synced, so that no later claim can hide a hole in it. */
	hand_over(journal, true);
}

/*
 * Begins a segment if a payload of up to @most bytes may not fit into this
 * one. Before anything of the entry is noted: what stands at the beginning of
 * a segment is how things were before it.
 */
static void make_room(struct journal *journal, size_t most) {
	CLEANUP(buf_free) struct buf state = { 0 };
	uint64_t need = record_bytes(most);
	uint64_t used = journal->position - journal->segment;
	bool ends = used + need + RECORD_HEAD > journal->segment_bytes;

	if (!ends && (used || !journal->segment))
		return;
	put_state(journal, &state);
	if (ends)
		end_segment(journal);
	begin_segment(journal, need + record_bytes(state.len));
	put(journal, RECORD_STATE, &state);
}

/* Writes the payload in scratch. */
static void append(struct journal *journal, uint32_t kind) {
	put(journal, kind, &journal->scratch);
	if (journal->pending.len > HANDOVER_BYTES)
		hand_over(journal, false);
}

static int start(struct journal *journal) {
	int r = pthread_create(&journal->thread, NULL, carrier, journal);

	if (r)
		return -r;
	journal->started = true;
	return 0;
}

static void journal_freep(struct journal **journal) {
	journal_close(*journal);
}

static int remove_segment(const char *dir, uint64_t start) {
	char *path = segment_path(dir, start);
	int r = unlink(path) < 0 ? -errno : 0;

	free(path);
	return r;
}

int journal_create(struct journal **ret, const char *dir,
		   const struct journal_header *header) {
	CLEANUP(journal_freep) struct journal *journal = NULL;
	struct chunk chunk;
	int r;

	if (mkdir(dir, 0700) < 0)
		return -errno;
	journal = journal_new(dir);
	begin_segment(journal, 0);
	journal_copy_header(&journal->header, header);
	journal->state.ordinal = header->first_ordinal;
	journal_put_header(&journal->scratch, header);
	put(journal, RECORD_HEADER, &journal->scratch);
	chunk = (struct chunk){ .segment = 0,
				.segment_bytes = journal->segment_bytes,
				.data = journal->pending,
				.sync = true };
	r = sync_parent(dir);
	if (r == 0)
		r = carry(journal, &chunk);
	buf_reset(&journal->pending);
	journal->pending_position = journal->position;
	if (r == 0)
		r = start(journal);
	if (r < 0) {
		remove_segment(dir, 0);
		rmdir(dir);
		return r;
	}
	*ret = TAKE(journal);
	return 0;
}

/* Cuts what lies behind the reader's end out of the files. */
static int cut_off(struct journal *journal, const struct journal_reader *reader,
		   bool *fresh) {
	uint64_t end = reader->position, size;
	struct stat st;
	int r;

	*fresh = reader->fresh_segment;
	for (size_t i = reader->segment + 1; i < reader->n_segments; i++) {
		r = remove_segment(journal->dir, reader->segments[i]);
		if (r < 0)
			return r;
	}
	journal->segment = reader->segments[reader->segment];
	r = use_segment(journal, journal->segment, 0);
	if (r < 0)
		return r;
	if (fstat(journal->fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	journal->segment_bytes = size > SEGMENT_BYTES ? size : SEGMENT_BYTES;
	if (*fresh)
		return 0;
	if (ftruncate(journal->fd, (off_t)(end - journal->segment)) < 0)
		return -errno;
	crash_point("journal-cut");
	r = preallocate(journal->fd, journal->segment_bytes);
	if (r < 0)
		return r;
	journal->fd_end = journal->segment + journal->segment_bytes;
	zero_ahead(journal, end);
	return 0;
}

int journal_append(struct journal **ret, struct journal_reader *reader) {
	CLEANUP(journal_freep) struct journal *journal = NULL;
	bool fresh;
	int r;

	assert(reader->ended);
	journal = journal_new(reader->dir);
	journal->position = journal->pending_position = reader->position;
	r = cut_off(journal, reader, &fresh);
	if (r < 0)
		return r;
	/*
	 * What was read may have been in memory only. It decides what leaves
	 * from now on, so it must be on disk first.
	 */
	r = sync_file(journal->fd);
	if (r < 0)
		return r;
	atomic_store(&journal->durable, journal->position);
	atomic_store(&journal->written, journal->position);
	journal->sync_asked = journal->position;
	if (fresh)
		begin_segment(journal, 0);
	journal_copy_header(&journal->header, &reader->header);
	journal->state = reader->state;
	journal->partitions = TAKE(reader->partitions);
	journal->n_partitions = reader->n_partitions;
	reader->n_partitions = 0;
	r = start(journal);
	if (r < 0)
		return r;
	*ret = TAKE(journal);
	return 0;
}

void journal_close(struct journal *journal) {
	if (!journal)
		return;
	if (journal->started) {
		hand_over(journal, false);
		pthread_mutex_lock(&journal->lock);
		journal->stop = true;
		pthread_cond_signal(&journal->wake);
		pthread_mutex_unlock(&journal->lock);
		pthread_join(journal->thread, NULL);
	}
	close_segment(journal);
	close(journal->event);
	pthread_mutex_destroy(&journal->lock);
	pthread_cond_destroy(&journal->wake);
	partitions_free(journal->partitions, journal->n_partitions);
	buf_free(&journal->pending);
	buf_free(&journal->scratch);
	journal_free_header(&journal->header);
	free(journal->dir);
	free(journal);
}

void journal_turn(struct journal *journal, int64_t poll_time,
		  const struct journal_run *runs, size_t n) {
	struct buf *out = &journal->scratch;

	make_room(journal, (2 + 4 * n) * VARINT_MOST);
	buf_reset(out);
	put_zigzag(out, poll_time);
	put_varint(out, n);
	for (size_t i = 0; i < n; i++) {
		const struct journal_run *run = &runs[i];
		struct journal_partition *partition;

		assert(run->partition < journal->n_partitions);
		partition = &journal->partitions[run->partition];
		put_varint(out, run->partition);
		put_zigzag(out, run->first - partition->next);
		put_varint(out, run->count);
		put_varint(out,
			   (uint64_t)(run->next - run->first) - run->count);
		partition->next = run->next;
		journal->state.ordinal += run->count;
	}
	append(journal, RECORD_TURN);
}

static void put_seam(struct buf *out, const struct decision *decision) {
	put_text(out, decision->reason, strlen(decision->reason));
	put_fixed64(out, decision->seq);
	buf_add(out, decision->hash, 32);
	put_varint(out, decision->n_open);
	for (size_t i = 0; i < decision->n_open; i++)
		put_text(out, decision->open[i], decision->open_len[i]);
}

void journal_put_decision(struct buf *out, const struct decision *decision,
			  int64_t first_offset) {
	const char *topic = decision->topic ? decision->topic : "";
	bool enters = decision->kind == DECISION_PARTITION;

	put_varint(out, decision->kind);
	put_text(out, topic, strlen(topic));
	put_zigzag(out, decision->partition);
	put_zigzag(out, enters ? first_offset : decision->at);
	if (decision->kind == DECISION_SEAM)
		put_seam(out, decision);
	if (decision->kind == DECISION_CONTENT)
		put_content(out, decision->name, decision->hash);
}

static size_t decision_most(const struct decision *decision) {
	size_t most = 10 * VARINT_MOST + 40;

	if (decision->topic)
		most += strlen(decision->topic);
	if (decision->name)
		most += strlen(decision->name);
	if (decision->reason)
		most += strlen(decision->reason);
	for (size_t i = 0; i < decision->n_open; i++)
		most += VARINT_MOST + decision->open_len[i];
	return most;
}

/* What it means for what is read next. */
static void note_decision(struct journal *journal,
			  const struct decision *decision,
			  int64_t first_offset) {
	struct journal_partition *partition;

	journal->state.ordinal++;
	if (decision->kind == DECISION_PARTITION)
		partitions_add(&journal->partitions, &journal->n_partitions,
			       decision->topic, decision->partition,
			       first_offset);
	if (decision->kind == DECISION_GAP) {
		partition = partitions_find(
			journal->partitions, journal->n_partitions,
			decision->topic, decision->partition);
		assert(partition);
		partition->next = decision->at;
	}
	if (decision->kind == DECISION_SEAM) {
		journal->state.has_seam = true;
		journal->state.seam_seq = decision->seq;
	}
}

void journal_decide(struct journal *journal, const struct decision *decision,
		    int64_t first_offset) {
	struct buf *out = &journal->scratch;

	make_room(journal, decision_most(decision));
	buf_reset(out);
	journal_put_decision(out, decision, first_offset);
	note_decision(journal, decision, first_offset);
	append(journal, RECORD_DECISION);
}

int journal_trim(const char *dir, uint64_t position, int64_t before) {
	uint64_t *starts = NULL;
	size_t n = 0;
	int r = segment_list(&starts, &n, dir);

	for (size_t i = 0; r == 0 && i + 1 < n && starts[i + 1] <= position;
	     i++) {
		char *path = segment_path(dir, starts[i]);
		struct stat st;
		bool stays = stat(path, &st) < 0 || st.st_mtime >= before;

		free(path);
		if (stays)
			break;
		/* One after the other on disk too, else a cut leaves a hole. */
		r = remove_segment(dir, starts[i]);
		if (r == 0)
			r = sync_folder(dir);
	}
	free(starts);
	return r;
}

uint64_t journal_position(const struct journal *journal) {
	return journal->position;
}

uint64_t journal_durable(const struct journal *journal) {
	return atomic_load(&journal->durable);
}

void journal_sync(struct journal *journal) {
	if (journal->sync_asked == journal->position)
		return;
	journal->sync_asked = journal->position;
	hand_over(journal, true);
}

void journal_flush(struct journal *journal) {
	hand_over(journal, false);
}

uint64_t journal_backlog(const struct journal *journal) {
	return journal->position - atomic_load(&journal->written);
}

int journal_fd(const struct journal *journal) {
	return journal->event;
}

void journal_acknowledge(struct journal *journal) {
	uint64_t count;

	if (read(journal->event, &count, sizeof(count)) < 0)
		(void)0; /* nothing rang */
}

int journal_error(const struct journal *journal) {
	return atomic_load(&journal->error);
}

uint64_t journal_sync_usec(const struct journal *journal) {
	return atomic_load(&journal->sync_usec);
}

static const char *const decision_names[DECISION_MAX] = {
	[DECISION_PARTITION] = "partition",
	[DECISION_CATCH_UP] = "catch_up",
	[DECISION_LIVE] = "live",
	[DECISION_WENT_ON] = "went_on",
	[DECISION_IDLE] = "idle",
	[DECISION_ADVANCE] = "advance",
	[DECISION_END] = "end",
	[DECISION_SEAM] = "seam",
	[DECISION_GAP] = "gap",
	[DECISION_CONTENT] = "content",
};

const char *decision_name(enum decision_kind kind) {
	return decision_names[kind];
}
