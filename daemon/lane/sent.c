#include "lane/sent.h"

#include "lane/crash.h"
#include "lane/journal.h"
#include "lane/sent_internal.h"
#include "tocsin/log.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Bytes for one place of one file. */
struct piece {
	struct piece *next;
	char *path;
	uint64_t at;
	struct buf data;
	struct sent_point end; /* what the log comes to with it */
	bool sync;
};

/*
 * The lane's thread owns what is above the line, the writer what is below; the
 * queue between them is behind the lock.
 */
struct sent {
	char *dir, *lane;
	struct sent_segment *segments; /* oldest first; the last is written */
	size_t n;
	bool fresh; /* what is added next begins a file */
	struct sent_point end;
	uint64_t missing; /* dead letters up to here may not be in it */
	bool asked;       /* all that was added was asked to be durable */
	/* ---- */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;
	struct piece *head, **tail;
	struct piece *busy; /* that is being written; NULL: none */
	bool stop, is_void;
	_Atomic uint64_t backlog;
	_Atomic uint64_t durable_seq, durable_dead;
	_Atomic int error;
	/* ---- */
	int fd;
	char *path;
};

/* The writer: from here on, until hand_over(), its thread. */

/* After a failed sync nobody knows what was dropped: no second try. */
static int sync_file(int fd) {
	if (fd < 0 || fdatasync(fd) == 0)
		return 0;
	return is_full(-errno) ? -EIO : -errno;
}

static int close_file(struct sent *sent) {
	int r = sync_file(sent->fd);

	if (sent->fd >= 0)
		close(sent->fd);
	sent->fd = -1;
	free(TAKE(sent->path));
	return r;
}

static int use_file(struct sent *sent, const char *path, uint64_t at) {
	int fresh = at ? 0 : O_TRUNC, fd, r;

	/* One of the same name may have been removed: then it is another. */
	if (at && sent->fd >= 0 && strcmp(sent->path, path) == 0)
		return 0;
	r = close_file(sent);
	if (r < 0)
		return r;
	r = make_folder(sent->dir);
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | fresh | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	sent->fd = fd;
	sent->path = strdup(path);
	if (!sent->path)
		abort();
	crash_point("sent-opened");
	return sync_folder(sent->dir);
}

static int carry(struct sent *sent, const struct piece *piece) {
	int r = use_file(sent, piece->path, piece->at);

	if (r == 0)
		r = write_at(sent->fd, piece->data.data, piece->data.len,
			     piece->at);
	if (r == 0)
		crash_point("sent-written");
	if (r == 0 && piece->sync)
		r = sync_file(sent->fd);
	if (r == 0 && piece->sync) {
		crash_point("sent-synced");
		atomic_store(&sent->durable_seq, piece->end.seq);
		atomic_store(&sent->durable_dead, piece->end.dead);
	}
	return r;
}

static void piece_free(struct piece *piece) {
	buf_free(&piece->data);
	free(piece->path);
	free(piece);
}

/* False: it is being closed, or nobody wants the rest any more. */
static bool wait_a_second(struct sent *sent) {
	struct timespec until;
	bool goes_on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&sent->lock);
	pthread_cond_broadcast(&sent->idle);
	while (!sent->stop && !sent->is_void &&
	       pthread_cond_timedwait(&sent->wake, &sent->lock, &until) !=
		       ETIMEDOUT)
		;
	goes_on = !sent->stop && !sent->is_void;
	pthread_mutex_unlock(&sent->lock);
	return goes_on;
}

static void carry_or_fail(struct sent *sent, const struct piece *piece) {
	int r = atomic_load(&sent->error);

	if (r && !is_full(r))
		return;
	while (is_full(r = carry(sent, piece))) {
		atomic_store(&sent->error, r);
		if (!wait_a_second(sent))
			return;
	}
	atomic_store(&sent->error, r);
}

static struct piece *next_piece(struct sent *sent) {
	struct piece *piece;

	pthread_mutex_lock(&sent->lock);
	if (!sent->head)
		pthread_cond_broadcast(&sent->idle);
	while (!sent->head && !sent->stop)
		pthread_cond_wait(&sent->wake, &sent->lock);
	piece = sent->head;
	if (piece) {
		sent->busy = piece;
		sent->head = piece->next;
		if (!sent->head)
			sent->tail = &sent->head;
	}
	pthread_mutex_unlock(&sent->lock);
	return piece;
}

/* Its path is looked at under the lock while it is the one that is busy. */
static void forget_piece(struct sent *sent, struct piece *piece) {
	pthread_mutex_lock(&sent->lock);
	sent->busy = NULL;
	pthread_mutex_unlock(&sent->lock);
	atomic_fetch_sub(&sent->backlog, piece->data.len);
	piece_free(piece);
}

static void *writer(void *context) {
	struct sent *sent = context;
	struct piece *piece;

	while ((piece = next_piece(sent))) {
		carry_or_fail(sent, piece);
		forget_piece(sent, piece);
	}
	return NULL;
}

/* The lane's thread: from here on. */

static bool has_failed(const struct sent *sent) {
	int error = sent_error(sent);

	return error && !is_full(error);
}

static void start_writer(struct sent *sent) {
	int r;

	if (sent->started)
		return;
	r = pthread_create(&sent->thread, NULL, writer, sent);
	sent->started = r == 0;
	if (r)
		atomic_store(&sent->error, -r);
}

static struct piece *piece_new(struct sent *sent, char *path, uint64_t at) {
	struct piece *piece = calloc(1, sizeof(*piece));

	if (!piece)
		abort();
	piece->path = path;
	piece->at = at;
	*sent->tail = piece;
	sent->tail = &piece->next;
	return piece;
}

/* The last that waits, if these bytes come right behind it. */
static struct piece *piece_before(struct sent *sent, const char *path,
				  uint64_t at) {
	struct piece *last = sent->head;

	while (last && last->next)
		last = last->next;
	return last && strcmp(last->path, path) == 0 &&
			       last->at + last->data.len == at
		       ? last
		       : NULL;
}

static struct sent_segment *current(struct sent *sent) {
	return &sent->segments[sent->n - 1];
}

static void hand_over(struct sent *sent, const struct buf *data, bool sync) {
	char *path = sent_path(sent->dir, current(sent));
	uint64_t at = current(sent)->bytes;
	struct piece *piece;

	start_writer(sent);
	pthread_mutex_lock(&sent->lock);
	piece = piece_before(sent, path, at);
	if (piece)
		free(path);
	else
		piece = piece_new(sent, path, at);
	if (data)
		buf_add(&piece->data, data->data, data->len);
	piece->end = sent->end;
	piece->sync |= sync;
	atomic_fetch_add(&sent->backlog, data ? data->len : 0);
	pthread_cond_signal(&sent->wake);
	pthread_mutex_unlock(&sent->lock);
	if (data)
		current(sent)->bytes += data->len;
	sent->asked = sync;
}

static int64_t now_usec(void) {
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static void add_segment(struct sent *sent, const struct sent_segment *segment) {
	struct sent_segment *more =
		reallocarray(sent->segments, sent->n + 1, sizeof(*more));

	if (!more)
		abort();
	sent->segments = more;
	more[sent->n++] = *segment;
}

static void begin_segment(struct sent *sent) {
	struct sent_segment segment = { .seq = sent->end.seq,
					.has_hash = sent->end.has_hash,
					.missing = sent->missing,
					.dead = sent->end.dead };
	CLEANUP(buf_free) struct buf header = { 0 };

	memcpy(segment.hash, sent->end.hash, 32);
	if (sent->n)
		current(sent)->closed = now_usec();
	add_segment(sent, &segment);
	sent_put_header(&header, sent->lane, &segment);
	hand_over(sent, &header, false);
	sent->fresh = false;
}

/* Bytes that still wait would make the file anew. */
static bool is_awaited(struct sent *sent, const char *path) {
	bool found;

	pthread_mutex_lock(&sent->lock);
	found = sent->busy && strcmp(sent->busy->path, path) == 0;
	for (struct piece *at = sent->head; at && !found; at = at->next)
		found = strcmp(at->path, path) == 0;
	pthread_mutex_unlock(&sent->lock);
	return found;
}

/* What waits, and what is tried again for want of room, is not written. */
static void drop_pieces(struct sent *sent) {
	pthread_mutex_lock(&sent->lock);
	while (sent->head) {
		struct piece *piece = sent->head;

		sent->head = piece->next;
		atomic_fetch_sub(&sent->backlog, piece->data.len);
		piece_free(piece);
	}
	sent->tail = &sent->head;
	sent->is_void = true;
	pthread_cond_broadcast(&sent->wake);
	while (sent->started && sent->busy)
		pthread_cond_wait(&sent->idle, &sent->lock);
	sent->is_void = false;
	if (is_full(atomic_load(&sent->error)))
		atomic_store(&sent->error, 0);
	pthread_mutex_unlock(&sent->lock);
}

static int remove_first(struct sent *sent) {
	char *path = sent_path(sent->dir, &sent->segments[0]);
	int r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;

	if (r < 0)
		log_warn("lane: %s: %s", path, strerror(-r));
	free(path);
	sent->n--;
	memmove(sent->segments, sent->segments + 1,
		sent->n * sizeof(*sent->segments));
	return r;
}

/* Whatever it held: what comes next has no part in it. */
static int begin_anew(struct sent *sent, const struct sent_point *point) {
	bool is_any = sent_is_any(sent);
	int r = 0, synced;

	if (is_any)
		log_info("lane: the log of what was sent begins anew at seq "
			 "%llu",
			 (unsigned long long)point->seq);
	drop_pieces(sent);
	while (sent->n) {
		int removed = remove_first(sent);

		r = r < 0 ? r : removed;
	}
	/* What comes next must not meet them again. */
	synced = is_any ? sync_folder(sent->dir) : 0;
	r = r < 0 ? r : synced;
	sent->end = *point;
	sent->end.dead = 0;
	sent->missing = point->dead;
	sent->fresh = true;
	atomic_store(&sent->durable_seq, point->seq);
	atomic_store(&sent->durable_dead, 0);
	return r == -ENOENT ? 0 : r;
}

bool sent_reaches(const struct sent *sent, uint64_t seq, uint64_t dead) {
	return sent->end.seq >= seq &&
	       (sent->end.dead >= dead || sent->missing >= dead);
}

void sent_begin(struct sent *sent, const struct sent_point *point) {
	const struct sent_point *end = &sent->end;
	bool reaches = sent_reaches(sent, point->seq, point->dead);

	if (reaches && end->seq == point->seq && end->has_hash &&
	    point->has_hash)
		reaches = memcmp(end->hash, point->hash, 32) == 0;
	if (!has_failed(sent) && !reaches)
		begin_anew(sent, point);
}

int sent_seam(struct sent *sent, const struct sent_point *point) {
	if (has_failed(sent) || sent->end.seq > point->seq)
		return begin_anew(sent, point);
	sent_begin(sent, point);
	return 0;
}

static void prepare(struct sent *sent) {
	if (sent->fresh || current(sent)->bytes >= SENT_SEGMENT_BYTES)
		begin_segment(sent);
}

void sent_add(struct sent *sent, const struct outbox_item *item) {
	CLEANUP(buf_free) struct buf record = { 0 };

	if (has_failed(sent) || item->seq <= sent->end.seq)
		return;
	/* Refused events before it may never have come here. */
	if (item->seq > sent->end.seq + 1)
		begin_anew(sent, &(struct sent_point){ .seq = item->seq - 1,
						       .dead = item->ordinal });
	prepare(sent);
	sent->end.seq = item->seq;
	sent->end.has_hash = true;
	memcpy(sent->end.hash, item->hash, 32);
	sent_put_item(&record, current(sent)->bytes, item);
	hand_over(sent, &record, false);
}

void sent_add_dead(struct sent *sent, const struct dead_letter *dead) {
	CLEANUP(buf_free) struct buf record = { 0 };

	if (has_failed(sent) || dead->ordinal <= sent->end.dead ||
	    dead->ordinal <= sent->missing)
		return;
	prepare(sent);
	sent->end.dead = dead->ordinal;
	sent_put_dead(&record, current(sent)->bytes, dead);
	hand_over(sent, &record, false);
}

struct sent_point sent_end(const struct sent *sent) {
	return has_failed(sent) ? (struct sent_point){ 0 } : sent->end;
}

bool sent_is_any(const struct sent *sent) {
	return sent->n > 0;
}

bool sent_is_durable(const struct sent *sent, uint64_t seq, uint64_t dead) {
	return has_failed(sent) || (atomic_load(&sent->durable_seq) >= seq &&
				    (atomic_load(&sent->durable_dead) >= dead ||
				     sent->missing >= dead));
}

void sent_sync(struct sent *sent) {
	if (sent->n && !sent->asked && !sent->fresh && !has_failed(sent))
		hand_over(sent, NULL, true);
}

uint64_t sent_backlog(const struct sent *sent) {
	return atomic_load(&sent->backlog);
}

uint64_t sent_bytes(const struct sent *sent) {
	uint64_t bytes = 0;

	for (size_t i = 0; i < sent->n; i++)
		bytes += sent->segments[i].bytes;
	return bytes;
}

int sent_error(const struct sent *sent) {
	return atomic_load(&sent->error);
}

void sent_trim(struct sent *sent, uint64_t seq, uint64_t dead, int64_t before,
	       uint64_t most) {
	uint64_t bytes = sent_bytes(sent);

	while (sent->n > 1) {
		const struct sent_segment *first = &sent->segments[0];
		const struct sent_segment *second = &sent->segments[1];
		bool old = second->seq <= seq && second->dead <= dead &&
			   first->closed < before;
		char *path;
		bool stays;

		if (!old && bytes <= most)
			break;
		path = sent_path(sent->dir, first);
		stays = is_awaited(sent, path);
		free(path);
		if (stays)
			break;
		bytes -= first->bytes;
		remove_first(sent);
	}
}

int sent_flush(struct sent *sent) {
	int error;

	pthread_mutex_lock(&sent->lock);
	while (sent->started && (sent->head || sent->busy) &&
	       !atomic_load(&sent->error))
		pthread_cond_wait(&sent->idle, &sent->lock);
	error = atomic_load(&sent->error);
	pthread_mutex_unlock(&sent->lock);
	return error;
}

const struct sent_segment *sent_segments(const struct sent *sent, size_t *n) {
	*n = sent->n;
	return sent->segments;
}

const char *sent_dir(const struct sent *sent) {
	return sent->dir;
}

const char *sent_lane(const struct sent *sent) {
	return sent->lane;
}

/* Opening. */

/* Bytes of a header: a lane's name is short. */
#define HEADER_MOST (64u << 10)

/* Its header. */
static int look_at(struct sent *sent, const char *path, struct buf *bytes,
		   struct sent_segment *segment) {
	struct record record;
	struct stat st;
	int r;

	r = file_read(path, HEADER_MOST, bytes);
	if (r < 0)
		return r;
	if (!record_get(&record, (const uint8_t *)bytes->data, bytes->len, 0))
		return -EBADMSG;
	r = sent_get_header(&record, sent->lane, segment);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return -errno;
	segment->bytes = (uint64_t)st.st_size;
	segment->closed = (int64_t)st.st_mtim.tv_sec * USEC_PER_SEC;
	return 0;
}

static int cut_off(const char *path, uint64_t bytes) {
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 || fdatasync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* To its last whole record. */
static int go_to_the_end(struct sent *sent, const char *path,
			 const struct buf *bytes) {
	struct sent_segment *last = current(sent);
	const uint8_t *data = (const uint8_t *)bytes->data;
	struct record record;
	uint64_t at = 0;

	sent->missing = last->missing;
	sent->end = (struct sent_point){ .seq = last->seq,
					 .dead = last->dead,
					 .has_hash = last->has_hash };
	memcpy(sent->end.hash, last->hash, 32);
	while (at < bytes->len &&
	       record_get(&record, data + at, bytes->len - at, at) &&
	       record_bytes(record.len) <= bytes->len - at &&
	       (at == 0 || sent_get_point(&record, &sent->end)))
		at += record_bytes(record.len);
	last->bytes = at;
	last->closed = 0;
	return at < bytes->len ? cut_off(path, at) : 0;
}

static int compare_names(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(char ***ret, size_t *n, const char *dir) {
	struct dirent *entry;
	char **names = NULL;
	size_t count = 0;
	DIR *d = opendir(dir);

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		if (len != 37 || strcmp(entry->d_name + 33, ".log") != 0)
			continue;
		names = reallocarray(names, count + 1, sizeof(*names));
		if (!names ||
		    asprintf(&names[count++], "%s/%s", dir, entry->d_name) < 0)
			abort();
	}
	closedir(d);
	if (count)
		qsort(names, count, sizeof(*names), compare_names);
	*ret = names;
	*n = count;
	return 0;
}

/* What cannot be used goes, and with it what is older. */
static int take_in(struct sent *sent, const char *path, struct buf *bytes,
		   bool last) {
	struct sent_segment segment;
	int r = look_at(sent, path, bytes, &segment);

	if (r == 0) {
		add_segment(sent, &segment);
		return 0;
	}
	if (r != -EBADMSG && r != -EPROTO)
		return r;
	log_warn("lane: %s is not used: %s", path,
		 r == -EPROTO ? "it is of another version" : "it is damaged");
	/* A file that a crash has just begun says nothing of those before. */
	for (size_t n = last ? 0 : sent->n; n; n--)
		remove_first(sent);
	return unlink(path) < 0 ? -errno : 0;
}

static int look_around(struct sent *sent) {
	CLEANUP(buf_free) struct buf bytes = { 0 };
	char **names = NULL;
	size_t n = 0;
	int r = list(&names, &n, sent->dir);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_in(sent, names[i], &bytes, i + 1 == n);
	if (r == 0 && sent->n) {
		char *path = sent_path(sent->dir, current(sent));

		r = file_read(path, SIZE_MAX, &bytes);
		if (r == 0)
			r = go_to_the_end(sent, path, &bytes);
		free(path);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	sent->fresh = sent->n == 0;
	return r;
}

int sent_open(struct sent **ret, const char *state, const char *lane) {
	struct sent *sent = calloc(1, sizeof(*sent));
	int r;

	if (!sent)
		abort();
	sent->dir = sent_folder(state);
	sent->lane = strdup(lane);
	sent->fd = -1;
	sent->tail = &sent->head;
	if (!sent->lane || pthread_mutex_init(&sent->lock, NULL) ||
	    pthread_cond_init(&sent->wake, NULL) ||
	    pthread_cond_init(&sent->idle, NULL))
		abort();
	r = look_around(sent);
	if (r < 0) {
		sent_close(sent);
		return r;
	}
	*ret = sent;
	return 0;
}

void sent_close(struct sent *sent) {
	if (!sent)
		return;
	pthread_mutex_lock(&sent->lock);
	sent->stop = true;
	pthread_cond_broadcast(&sent->wake);
	pthread_mutex_unlock(&sent->lock);
	if (sent->started)
		pthread_join(sent->thread, NULL);
	while (sent->head) {
		struct piece *piece = sent->head;

		sent->head = piece->next;
		piece_free(piece);
	}
	if (sent->fd >= 0)
		close(sent->fd);
	pthread_cond_destroy(&sent->wake);
	pthread_cond_destroy(&sent->idle);
	pthread_mutex_destroy(&sent->lock);
	free(sent->segments);
	free(sent->path);
	free(sent->dir);
	free(sent->lane);
	free(sent);
}
