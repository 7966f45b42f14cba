#include "lane/archive_internal.h"

#include "base/hash.h"
#include "base/util.h"
#include "lane/crash.h"
#include "lane/journal_internal.h"
#include "lane/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#ifndef SEGMENT_RAW              /* a simulation has smaller ones */
#define FRAME_BYTES (256u << 10) /* raw, when it is handed over unasked */
#define SEGMENT_RAW (512u << 20) /* before it is compressed */
#endif
#define LEVEL 3

/* One frame, still raw. */
struct block {
	struct block *next;
	struct buf raw;
	uint64_t first, end;
	uint64_t position; /* of the journal, behind its last input */
	bool begins;       /* a segment */
	bool sync;
};

struct archive {
	char *dir;
	struct journal_header header;
	struct archive_state state;
	int64_t keep_s;
	/* The lane's. */
	uint64_t at;   /* ordinal of the next input */
	uint64_t have; /* inputs before this one are in the archive */
	struct block *pending;
	struct block *waiting, **waiting_tail; /* for the journal */
	uint64_t position;
	uint64_t handed_bytes; /* raw */
	uint64_t segment_raw;  /* raw bytes since a segment began */
	bool has_segment;
	/* ---- behind the lock */
	pthread_t thread;
	bool started, stop;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct block *head, **tail;
	_Atomic uint64_t durable, written_raw, written;
	_Atomic int error;
	/* ---- the thread's */
	int fd;
	struct buf packed;
};

/* --- names --- */

static char *join(const char *dir, const char *name) {
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

char *archive_dir(const char *state, uint32_t journal) {
	char *path;

	if (asprintf(&path, "%s/archive/journal-%08u", state, journal) < 0)
		abort();
	return path;
}

char *archive_segment(const char *dir, uint64_t first) {
	char *path;

	if (asprintf(&path, "%s/%016llx.tar1", dir, (unsigned long long)first) <
	    0)
		abort();
	return path;
}

static int ascending(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int descending(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x > y ? -1 : x < y;
}

int archive_segments(const char *dir, uint64_t **ret, size_t *n) {
	struct dirent *entry;
	uint64_t *found = NULL;
	size_t count = 0;
	DIR *d = opendir(dir);

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		char *end;
		uint64_t first = strtoull(entry->d_name, &end, 16);

		if (strcmp(end, ".tar1") != 0 || end != entry->d_name + 16)
			continue;
		found = reallocarray(found, count + 1, sizeof(*found));
		if (!found)
			abort();
		found[count++] = first;
	}
	closedir(d);
	if (count)
		qsort(found, count, sizeof(*found), ascending);
	*ret = found;
	*n = count;
	return 0;
}

int archive_list(const char *state, uint32_t **ret, size_t *n) {
	char *dir = join(state, "archive");
	struct dirent *entry;
	uint32_t *found = NULL;
	size_t count = 0;
	DIR *d = opendir(dir);

	free(dir);
	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		char *end;
		unsigned long number;

		if (strncmp(entry->d_name, "journal-", 8) != 0)
			continue;
		number = strtoul(entry->d_name + 8, &end, 10);
		if (*end)
			continue;
		found = reallocarray(found, count + 1, sizeof(*found));
		if (!found)
			abort();
		found[count++] = (uint32_t)number;
	}
	closedir(d);
	if (count)
		qsort(found, count, sizeof(*found), descending);
	*ret = found;
	*n = count;
	return 0;
}

/* --- what stands in a frame --- */

void archive_state_add(struct archive_state *state, const char *topic,
		       int32_t partition, int64_t next) {
	state->partitions = reallocarray(state->partitions, state->n + 1,
					 sizeof(*state->partitions));
	if (!state->partitions)
		abort();
	state->partitions[state->n] = (struct archive_partition){
		.topic = strdup(topic), .partition = partition, .next = next
	};
	if (!state->partitions[state->n++].topic)
		abort();
}

void archive_state_free(struct archive_state *state) {
	for (size_t i = 0; i < state->n; i++)
		free(state->partitions[i].topic);
	free(state->partitions);
	*state = (struct archive_state){ 0 };
}

void archive_state_decide(struct archive_state *state,
			  const struct decision *decision,
			  int64_t first_offset) {
	if (decision->kind == DECISION_PARTITION)
		archive_state_add(state, decision->topic, decision->partition,
				  first_offset);
	for (size_t i = 0; decision->kind == DECISION_GAP && i < state->n; i++)
		if (state->partitions[i].partition == decision->partition &&
		    !strcmp(state->partitions[i].topic, decision->topic))
			state->partitions[i].next = decision->at;
}

void archive_put_start(struct buf *out, const struct journal_header *header,
		       uint64_t ordinal, const struct archive_state *state) {
	put_varint(out, ARCHIVE_VERSION);
	journal_put_header(out, header);
	put_varint(out, ordinal);
	put_zigzag(out, state->timestamp);
	put_zigzag(out, state->poll_time);
	put_varint(out, state->n);
	for (size_t i = 0; i < state->n; i++) {
		const struct archive_partition *of = &state->partitions[i];
		size_t len = strlen(of->topic);

		put_varint(out, len);
		buf_add(out, of->topic, len);
		put_zigzag(out, of->partition);
		put_zigzag(out, of->next);
	}
}

void archive_put_record(struct buf *out, struct archive_state *state,
			uint32_t partition, int64_t offset, int64_t timestamp,
			int64_t poll_time, const char *payload, size_t len) {
	put_varint(out, (uint64_t)partition << 1);
	put_zigzag(out, offset - state->partitions[partition].next);
	put_zigzag(out, timestamp - state->timestamp);
	put_zigzag(out, poll_time - state->poll_time);
	put_varint(out, payload ? len + 1 : 0);
	if (payload && len)
		buf_add(out, payload, len);
	state->partitions[partition].next = offset + 1;
	state->timestamp = timestamp;
	state->poll_time = poll_time;
}

void archive_put_decision(struct buf *out, struct archive_state *state,
			  const struct decision *decision,
			  int64_t first_offset) {
	put_varint(out, 1);
	journal_put_decision(out, decision, first_offset);
	archive_state_decide(state, decision, first_offset);
}

/* --- the thread --- */

static int write_all(int fd, const void *bytes, size_t len) {
	const uint8_t *from = bytes;

	while (len) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A frame is whole, or it is not there. */
static int write_frame(int fd, const struct frame *frame,
		       const struct buf *packed) {
	off_t begin = lseek(fd, 0, SEEK_END);
	int r;

	if (begin < 0)
		return -errno;
	r = write_all(fd, frame, sizeof(*frame));
	if (r == 0)
		r = write_all(fd, packed->data, packed->len);
	/* Else a second try would come behind half a frame. */
	if (r < 0 && ftruncate(fd, begin) < 0)
		return -EIO;
	return r;
}

static int pack(struct buf *packed, struct frame *frame, const struct buf *raw,
		uint64_t first, uint64_t end) {
	size_t n;

	buf_reset(packed);
	buf_reserve(packed, ZSTD_compressBound(raw->len));
	n = ZSTD_compress(packed->data, ZSTD_compressBound(raw->len), raw->data,
			  raw->len, LEVEL);
	if (ZSTD_isError(n))
		return -EIO;
	packed->len = n;
	*frame = (struct frame){ .magic = FRAME_MAGIC,
				 .raw_len = (uint32_t)raw->len,
				 .len = (uint32_t)n,
				 .first = first,
				 .end = end };
	frame->crc = frame_crc(frame, packed->data);
	return 0;
}

/* Segments in @dir that nobody has to keep any more; @all: the last one too. */
static void forget_old_in(const char *dir, int64_t before, bool all) {
	uint64_t *segments = NULL;
	size_t n = 0;
	struct stat st;

	if (archive_segments(dir, &segments, &n) < 0)
		return;
	for (size_t i = 0; i + !all < n; i++) {
		char *path = archive_segment(dir, segments[i]);
		bool stays = stat(path, &st) < 0 || st.st_mtime >= before ||
			     unlink(path) < 0;

		free(path);
		if (stays)
			break;
	}
	free(segments);
}

/* Of this journal, of those before it and of what was put aside. */
static void forget_old(const struct archive *archive) {
	char *above =
		strndup(archive->dir,
			(size_t)(strrchr(archive->dir, '/') - archive->dir));
	const char *own = strrchr(archive->dir, '/') + 1;
	struct dirent *entry;
	struct timespec now;
	DIR *d;

	if (!above)
		abort();
	clock_gettime(CLOCK_REALTIME, &now);
	d = opendir(above);
	while (d && (entry = readdir(d))) {
		bool is_own = strcmp(entry->d_name, own) == 0;
		char *dir;

		if (strncmp(entry->d_name, "journal-", 8) != 0)
			continue;
		dir = join(above, entry->d_name);
		forget_old_in(dir, now.tv_sec - archive->keep_s, !is_own);
		/* Only if it is empty. */
		if (!is_own)
			rmdir(dir);
		free(dir);
	}
	if (d)
		closedir(d);
	free(above);
}

static int begin_file(struct archive *archive, uint64_t first) {
	char *path = archive_segment(archive->dir, first);
	int r = 0;

	if (archive->fd >= 0) {
		if (fdatasync(archive->fd) < 0)
			r = -errno;
		close(archive->fd);
		archive->fd = -1;
	}
	if (r == 0)
		archive->fd = open(
			path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r == 0 && archive->fd < 0)
		r = -errno;
	free(path);
	if (r == 0)
		r = sync_folder(archive->dir);
	forget_old(archive);
	return r;
}

static int write_block(struct archive *archive, struct block *block) {
	struct frame frame;
	int r = 0;

	if (block->begins)
		r = begin_file(archive, block->first);
	if (r == 0 && block->raw.len) {
		r = pack(&archive->packed, &frame, &block->raw, block->first,
			 block->end);
		if (r == 0)
			r = write_frame(archive->fd, &frame, &archive->packed);
		if (r == 0)
			atomic_fetch_add(&archive->written,
					 sizeof(frame) + archive->packed.len);
	}
	if (r < 0)
		return r;
	/* Written once, if the sync has to be tried again. */
	block->begins = false;
	atomic_fetch_add(&archive->written_raw, block->raw.len);
	buf_reset(&block->raw);
	crash_point("archive-written");
	if (block->sync && archive->fd >= 0 && fdatasync(archive->fd) < 0)
		return is_full(-errno) ? -EIO : -errno;
	crash_point("archive-synced");
	if (block->sync)
		atomic_store(&archive->durable, block->end - 1);
	return 0;
}

static struct block *take_block(struct archive *archive) {
	struct block *block;

	pthread_mutex_lock(&archive->lock);
	while (!archive->head && !archive->stop)
		pthread_cond_wait(&archive->wake, &archive->lock);
	block = archive->head;
	if (block) {
		archive->head = block->next;
		if (!archive->head)
			archive->tail = &archive->head;
	}
	pthread_mutex_unlock(&archive->lock);
	return block;
}

/* False: the archive is being closed. */
static bool wait_a_second(struct archive *archive) {
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&archive->lock);
	while (!archive->stop &&
	       pthread_cond_timedwait(&archive->wake, &archive->lock, &until) !=
		       ETIMEDOUT)
		;
	stop = archive->stop;
	pthread_mutex_unlock(&archive->lock);
	return !stop;
}

static void block_free(struct block *block) {
	if (block)
		buf_free(&block->raw);
	free(block);
}

static void *writer(void *context) {
	struct archive *archive = context;
	struct block *block;
	bool gave_up = false;
	int r;

	while ((block = take_block(archive))) {
		r = atomic_load(&archive->error);
		/* What comes behind one that found no room would leave a hole.
		 */
		if (gave_up)
			r = -ECANCELED;
		while ((r == 0 || is_full(r)) &&
		       is_full(r = write_block(archive, block))) {
			atomic_store(&archive->error, r);
			gave_up = !wait_a_second(archive);
			if (gave_up)
				break;
		}
		atomic_store(&archive->error, r);
		block_free(block);
	}
	return NULL;
}

/* --- the lane --- */

static int make_folders(const char *state, const char *dir) {
	char *folder = join(state, "archive");
	int r = make_folder(folder);

	free(folder);
	return r < 0 ? r : make_folder(dir);
}

/* What is there of this journal's inputs. */
static int survey(struct archive *archive, uint64_t end) {
	CLEANUP(buf_free) struct buf why = { 0 };
	struct archive_reader *reader;
	struct archive_entry entry;
	int r = archive_read_open_last(&reader, archive->dir, &why);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (archive_read_header(reader)->seed != archive->header.seed)
		r = -ESTALE;
	/* What is missing stays so, and whoever needs it is told. */
	while (r == 0 && (r = archive_read(reader, &entry, &why)) != 0) {
		if (r == -ENODATA)
			r = 0;
		if (r <= 0)
			continue;
		r = entry.ordinal > end ? -ESTALE : 0;
		archive->have = entry.ordinal + 1;
	}
	/* Behind the last whole frame is what a kill has torn. */
	if (r == 0 || r == -EBADMSG) {
		archive_read_take_state(reader, &archive->state);
		r = archive_read_cut(reader);
	}
	archive_read_close(reader);
	return r;
}

uint64_t archive_next(const char *state, uint32_t journal) {
	CLEANUP(buf_free) struct buf why = { 0 };
	char *dir = archive_dir(state, journal);
	struct archive_reader *reader;
	struct archive_entry entry;
	uint64_t next = 0;
	int r;

	if (access(dir, F_OK) < 0) {
		free(dir);
		return UINT64_MAX;
	}
	r = archive_read_open_last(&reader, dir, &why);
	free(dir);
	if (r < 0)
		return 0;
	while (archive_read(reader, &entry, &why) > 0)
		next = entry.ordinal + 1;
	archive_read_close(reader);
	return next;
}

/* It does not go with this journal, so it is put aside, not lost. */
static int put_aside(const char *dir) {
	struct timespec now;
	char *aside;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	if (asprintf(&aside, "%s-aside-%lld", dir, (long long)now.tv_sec) < 0)
		abort();
	if (rename(dir, aside) < 0)
		r = -errno;
	free(aside);
	return r == 0 ? make_folder(dir) : r;
}

/* It begins at the journal's next input, and may lack what was before. */
static void begin_here(struct archive *archive,
		       const struct archive_place *place) {
	archive->have = place->next;
	archive_state_free(&archive->state);
	for (size_t i = 0; i < place->n_partitions; i++)
		archive_state_add(&archive->state, place->partitions[i].topic,
				  place->partitions[i].partition,
				  place->partitions[i].next);
}

int archive_open(struct archive **ret, const char *state,
		 const struct archive_place *place, int64_t keep_s) {
	struct archive *archive = calloc(1, sizeof(*archive));
	int r;

	if (!archive)
		abort();
	archive->dir = archive_dir(state, place->journal);
	archive->keep_s = keep_s;
	archive->fd = -1;
	archive->tail = &archive->head;
	archive->waiting_tail = &archive->waiting;
	pthread_mutex_init(&archive->lock, NULL);
	pthread_cond_init(&archive->wake, NULL);
	journal_copy_header(&archive->header, place->header);
	archive->at = place->next;
	r = make_folders(state, archive->dir);
	if (r == 0)
		r = survey(archive, place->end);
	if (r == -ESTALE) {
		archive->have = 0;
		r = put_aside(archive->dir);
	}
	/* If inputs are missing, that is told. */
	if (archive->have < place->next)
		begin_here(archive, place);
	atomic_store(&archive->durable, archive->have - 1);
	if (r == 0)
		r = -pthread_create(&archive->thread, NULL, writer, archive);
	archive->started = r == 0;
	if (r < 0) {
		archive_close(archive);
		return r;
	}
	*ret = archive;
	return 0;
}

void archive_close(struct archive *archive) {
	if (!archive)
		return;
	if (archive->started) {
		pthread_mutex_lock(&archive->lock);
		archive->stop = true;
		pthread_cond_signal(&archive->wake);
		pthread_mutex_unlock(&archive->lock);
		pthread_join(archive->thread, NULL);
	}
	if (archive->fd >= 0)
		close(archive->fd);
	while (archive->waiting) {
		struct block *block = archive->waiting;

		archive->waiting = block->next;
		block_free(block);
	}
	block_free(archive->pending);
	journal_free_header(&archive->header);
	archive_state_free(&archive->state);
	buf_free(&archive->packed);
	pthread_mutex_destroy(&archive->lock);
	pthread_cond_destroy(&archive->wake);
	free(archive->dir);
	free(archive);
}

/* False: the archive has this input already. */
static bool is_new(struct archive *archive) {
	return archive->at++ >= archive->have;
}

static struct buf *block_for(struct archive *archive) {
	struct block *block = archive->pending;
	uint64_t ordinal = archive->at - 1;

	if (!block) {
		block = calloc(1, sizeof(*block));
		if (!block)
			abort();
		block->first = ordinal;
		block->begins = !archive->has_segment ||
				archive->segment_raw > SEGMENT_RAW;
		if (block->begins) {
			archive_put_start(&block->raw, &archive->header,
					  ordinal, &archive->state);
			archive->segment_raw = 0;
		}
		archive->has_segment = true;
		archive->pending = block;
	}
	block->end = ordinal + 1;
	return &block->raw;
}

/* No more goes into the pending block; it leaves once the journal is there. */
static void end_block(struct archive *archive) {
	struct block *block = TAKE(archive->pending);

	if (!block)
		return;
	block->position = archive->position;
	archive->segment_raw += block->raw.len;
	archive->handed_bytes += block->raw.len;
	*archive->waiting_tail = block;
	archive->waiting_tail = &block->next;
}

void archive_record(struct archive *archive, uint32_t partition, int64_t offset,
		    int64_t timestamp, int64_t poll_time, const char *payload,
		    size_t len) {
	if (is_new(archive))
		archive_put_record(block_for(archive), &archive->state,
				   partition, offset, timestamp, poll_time,
				   payload, len);
}

void archive_decide(struct archive *archive, const struct decision *decision,
		    int64_t first_offset) {
	if (is_new(archive))
		archive_put_decision(block_for(archive), &archive->state,
				     decision, first_offset);
}

void archive_note(struct archive *archive, uint64_t position) {
	archive->position = position;
	if (archive->pending && archive->pending->raw.len > FRAME_BYTES)
		end_block(archive);
}

void archive_sync(struct archive *archive) {
	struct block *block;

	end_block(archive);
	for (block = archive->waiting; block && block->next;)
		block = block->next;
	if (!block && atomic_load(&archive->durable) + 1 < archive->at &&
	    archive->at > archive->have) {
		/* All has been handed over: a block of nothing syncs it. */
		block = calloc(1, sizeof(*block));
		if (!block)
			abort();
		block->first = block->end = archive->at;
		block->position = archive->position;
		*archive->waiting_tail = block;
		archive->waiting_tail = &block->next;
	}
	if (block)
		block->sync = true;
}

void archive_pump(struct archive *archive, uint64_t durable) {
	struct block *block;
	bool any = false;

	while ((block = archive->waiting) && block->position <= durable) {
		archive->waiting = block->next;
		if (!archive->waiting)
			archive->waiting_tail = &archive->waiting;
		block->next = NULL;
		pthread_mutex_lock(&archive->lock);
		*archive->tail = block;
		archive->tail = &block->next;
		pthread_mutex_unlock(&archive->lock);
		any = true;
	}
	if (any) {
		pthread_mutex_lock(&archive->lock);
		pthread_cond_signal(&archive->wake);
		pthread_mutex_unlock(&archive->lock);
	}
}

uint64_t archive_durable(const struct archive *archive) {
	return atomic_load(&archive->durable);
}

uint64_t archive_backlog(const struct archive *archive) {
	return archive->handed_bytes - atomic_load(&archive->written_raw);
}

int archive_error(const struct archive *archive) {
	return atomic_load(&archive->error);
}

struct archive_counters archive_counters(const struct archive *archive) {
	return (struct archive_counters){
		.raw_bytes = atomic_load(&archive->written_raw),
		.bytes = atomic_load(&archive->written),
	};
}
