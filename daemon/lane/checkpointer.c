/*
 * Checkpointer: writes checkpoints while the lane goes on.
 *
 * Each page that is to be written has a mark. Its own thread (the writer)
 * copies marked pages in their order; when the lane is about to change one
 * that is still marked, it copies it first and hands the copy over. Whoever
 * takes a mark copies, the other waits for the few microseconds that takes.
 */
#include "lane/checkpoint.h"

#include "base/hash.h"
#include "base/util.h"
#include "engine/engine.h"
#include "lane/checkpoint_internal.h"
#include "lane/crash.h"
#include "lane/journal.h"
#include "lane/journal_internal.h"
#include "lane/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_PAGES 16u
#define FLUSH_PAGES 128u /* so that the last sync finds little to do */
#define FILES_MOST 32u

enum mark { MARK_NONE, MARK_TO_WRITE, MARK_BEING_COPIED };

struct copy {
	struct copy *next;
	uint32_t page;
	uint8_t bytes[PAGE_BYTES];
};

/* What is written now; made by the lane, then the writer's. */
struct job {
	struct checkpoint_head head;
	struct buf saved;
	uint32_t n_pages;
	uint32_t *list; /* pages to write */
	uint32_t n_list;
	struct checkpoint_slot *slots; /* of all pages */
	struct checkpoint_file *files;
	uint32_t n_files;
	uint32_t generation;
};

struct forget {
	uint64_t number; /* 0: nothing */
	char *journal;
	uint64_t position;
	int64_t before;
};

struct checkpointer {
	char *dir;
	size_t copies_most;
	uint64_t next_number;
	/* The lane's. */
	struct pages *pages;
	bool busy;
	struct checkpointer_counters counters;
	/* What the last one that was written holds. */
	struct checkpoint_slot *slots;
	uint32_t n_slots;
	struct checkpoint_file *files;
	uint32_t n_files;
	uint32_t generation; /* that it ended */
	/* Both threads'. */
	_Atomic uint8_t *marks;
	uint32_t n_marks;
	_Atomic bool failed; /* nobody needs copies any more */
	/* ---- behind the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the writer */
	pthread_cond_t room; /* the lane, for copies */
	struct copy *head, **tail, *spare;
	size_t n_copies; /* waiting */
	struct job *job;
	bool done, stop;
	int error;
	uint64_t usec;
	struct forget forget;
	/* ---- the writer's */
	pthread_t thread;
	bool started;
	int fd;
	uint8_t *buffer;
	uint32_t in_buffer, written;
};

static int64_t now_usec(clockid_t clock) {
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *allocate(size_t n, size_t size) {
	void *array = calloc(n + 1, size);

	if (!array)
		abort();
	return array;
}

static void job_free(struct job *job) {
	if (!job)
		return;
	checkpoint_head_free(&job->head);
	buf_free(&job->saved);
	free(job->list);
	free(job->slots);
	free(job->files);
	free(job);
}

/* --- the writer --- */

static int flush_buffer(struct checkpointer *c) {
	uint64_t at = (uint64_t)(c->written - c->in_buffer) * PAGE_BYTES;
	int r;

	if (!c->in_buffer)
		return 0;
	r = write_at(c->fd, c->buffer, (size_t)c->in_buffer * PAGE_BYTES, at);
	c->in_buffer = 0;
	if (r == 0 && c->written % FLUSH_PAGES == 0)
		sync_file_range(c->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return r;
}

/* The page in the buffer's next place is @page's. */
static int note_page(struct checkpointer *c, struct job *job, uint32_t page) {
	const uint8_t *bytes = c->buffer + (size_t)c->in_buffer * PAGE_BYTES;

	job->slots[page] = (struct checkpoint_slot){
		.file = job->n_files - 1,
		.slot = c->written++,
		.crc = crc32c(0, bytes, PAGE_BYTES),
	};
	return ++c->in_buffer == BUFFER_PAGES ? flush_buffer(c) : 0;
}

static uint8_t *next_place(struct checkpointer *c) {
	return c->buffer + (size_t)c->in_buffer * PAGE_BYTES;
}

static struct copy *take_copy(struct checkpointer *c, bool wait) {
	struct copy *copy;

	pthread_mutex_lock(&c->lock);
	while (wait && !c->head && !c->stop)
		pthread_cond_wait(&c->wake, &c->lock);
	copy = c->head;
	if (copy) {
		c->head = copy->next;
		if (!c->head)
			c->tail = &c->head;
	}
	pthread_mutex_unlock(&c->lock);
	return copy;
}

static void give_back(struct checkpointer *c, struct copy *copy) {
	pthread_mutex_lock(&c->lock);
	copy->next = c->spare;
	c->spare = copy;
	c->n_copies--;
	pthread_cond_signal(&c->room);
	pthread_mutex_unlock(&c->lock);
}

/* What the lane has copied; with @wait at least one. */
static int write_copies(struct checkpointer *c, struct job *job, bool wait) {
	struct copy *copy;
	int r = 0;

	while (r == 0 && (copy = take_copy(c, wait))) {
		memcpy(next_place(c), copy->bytes, PAGE_BYTES);
		r = note_page(c, job, copy->page);
		give_back(c, copy);
		wait = false;
	}
	return r;
}

static bool is_stopped(struct checkpointer *c) {
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop;
}

static int write_pages(struct checkpointer *c, struct job *job) {
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < job->n_list; i++) {
		uint32_t page = job->list[i];
		uint8_t mark = MARK_TO_WRITE;

		r = write_copies(c, job, false);
		if (r == 0 && i % BUFFER_PAGES == 0 && is_stopped(c))
			r = -ECANCELED;
		if (r < 0 || !atomic_compare_exchange_strong(
				     &c->marks[page], &mark, MARK_BEING_COPIED))
			continue;
		memcpy(next_place(c), pages_at(c->pages, page), PAGE_BYTES);
		atomic_store(&c->marks[page], MARK_NONE);
		crash_point("page-copied");
		r = note_page(c, job, page);
	}
	while (r == 0 && c->written < job->n_list)
		r = is_stopped(c) ? -ECANCELED : write_copies(c, job, true);
	return r == 0 ? flush_buffer(c) : r;
}

static int write_pages_file(struct checkpointer *c, struct job *job) {
	char *path;
	int r;

	c->written = c->in_buffer = 0;
	if (!job->n_list)
		return 0;
	path = checkpoint_path(c->dir, "pages", job->head.number);
	c->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	free(path);
	if (c->fd < 0)
		return -errno;
	r = write_pages(c, job);
	crash_point("pages-written");
	if (r == 0 && fdatasync(c->fd) < 0)
		r = -errno;
	crash_point("pages-synced");
	close(c->fd);
	return r;
}

static int write_manifest(struct checkpointer *c, struct job *job) {
	CLEANUP(buf_free) struct buf bytes = { 0 }, fresh = { 0 };
	char *path = checkpoint_path(c->dir, "manifest", job->head.number);
	int r;

	checkpoint_write(&bytes, &job->head, &job->saved, job->files,
			 job->n_files, job->slots, job->n_pages);
	buf_printf(&fresh, "%s/manifest.new", c->dir);
	r = file_write(buf_cstr(&fresh), bytes.data, bytes.len);
	crash_point("manifest-written");
	if (r == 0 && rename(buf_cstr(&fresh), path) < 0)
		r = -errno;
	crash_point("manifest-renamed");
	if (r == 0)
		r = sync_folder(c->dir);
	crash_point("checkpoint-written");
	free(path);
	return r;
}

static void drop_copies(struct checkpointer *c) {
	struct copy *copy;

	while ((copy = take_copy(c, false)))
		give_back(c, copy);
}

static void do_job(struct checkpointer *c, struct job *job) {
	int64_t begin = now_usec(CLOCK_MONOTONIC);
	int r;

	r = write_pages_file(c, job);
	if (r == 0)
		r = write_manifest(c, job);
	if (r < 0) {
		atomic_store(&c->failed, true);
		drop_copies(c);
		/* It may have its name, but nobody knows whether on disk. */
		checkpoint_unlink(c->dir, "manifest", job->head.number);
		checkpoint_unlink(c->dir, "pages", job->head.number);
	}
	pthread_mutex_lock(&c->lock);
	c->error = r;
	c->usec = (uint64_t)(now_usec(CLOCK_MONOTONIC) - begin);
	c->done = true;
	pthread_cond_signal(&c->room);
	pthread_mutex_unlock(&c->lock);
}

static int do_forget(struct checkpointer *c, const struct forget *forget) {
	uint64_t *numbers = NULL;
	size_t n = 0;
	int r = checkpoint_list(c->dir, &numbers, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (numbers[i] < forget->number)
			r = checkpoint_unlink(c->dir, "manifest", numbers[i]);
	free(numbers);
	crash_point("manifests-forgotten");
	if (r == 0)
		r = checkpoint_sweep(c->dir);
	crash_point("pages-swept");
	if (r == 0 && forget->journal)
		r = journal_trim(forget->journal, forget->position,
				 forget->before);
	return r;
}

static void *writer(void *context) {
	struct checkpointer *c = context;

	for (;;) {
		struct forget forget;
		struct job *job;

		pthread_mutex_lock(&c->lock);
		while (!c->stop && (!c->job || c->done) && !c->forget.number)
			pthread_cond_wait(&c->wake, &c->lock);
		if (c->stop) {
			pthread_mutex_unlock(&c->lock);
			return NULL;
		}
		forget = c->forget;
		c->forget = (struct forget){ 0 };
		job = c->done ? NULL : c->job;
		pthread_mutex_unlock(&c->lock);
		if (job)
			do_job(c, job);
		/* What cannot be removed now is found the next time. */
		if (forget.number)
			do_forget(c, &forget);
		free(forget.journal);
	}
}

/* --- the lane --- */

static int first_number(struct checkpointer *c) {
	static const char *const kinds[] = { "manifest", "pages" };

	c->next_number = 1;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint64_t *numbers = NULL;
		size_t n = 0;
		int r = checkpoint_numbers(c->dir, kinds[i], &numbers, &n);

		if (r < 0)
			return r;
		if (n && numbers[0] >= c->next_number)
			c->next_number = numbers[0] + 1;
		free(numbers);
	}
	return 0;
}

static void take_base(struct checkpointer *c, const struct checkpoint *base) {
	const struct checkpoint_file *files;
	size_t n;

	files = checkpoint_files(base, &n);
	c->n_files = (uint32_t)n;
	c->files = allocate(n, sizeof(*c->files));
	memcpy(c->files, files, n * sizeof(*files));
	c->n_slots = checkpoint_pages(base);
	c->slots = allocate(c->n_slots, sizeof(*c->slots));
	for (uint32_t i = 0; i < c->n_slots; i++)
		c->slots[i] = checkpoint_slot(base, i);
	c->counters.last_taken = checkpoint_head(base)->taken;
}

int checkpointer_new(struct checkpointer **ret, const char *dir, size_t memory,
		     const struct checkpoint *base) {
	struct checkpointer *c = allocate(1, sizeof(*c));
	int r;

	c->dir = strdup(dir);
	c->buffer = malloc((size_t)BUFFER_PAGES * PAGE_BYTES);
	if (!c->dir || !c->buffer)
		abort();
	c->copies_most = memory / PAGE_BYTES + 1;
	c->tail = &c->head;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	pthread_cond_init(&c->room, NULL);
	r = make_folder(dir);
	if (r == 0)
		r = first_number(c);
	if (r == 0 && base)
		take_base(c, base);
	if (r == 0)
		r = -pthread_create(&c->thread, NULL, writer, c);
	c->started = r == 0;
	if (r < 0) {
		checkpointer_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static void stop(struct checkpointer *c) {
	if (!c->started)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
}

void checkpointer_free(struct checkpointer *c) {
	if (!c)
		return;
	stop(c);
	if (c->pages)
		c->pages->touched = NULL;
	drop_copies(c);
	while (c->spare) {
		struct copy *copy = c->spare;

		c->spare = copy->next;
		free(copy);
	}
	job_free(c->job);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	pthread_cond_destroy(&c->room);
	free((void *)(uintptr_t)c->marks);
	free(c->forget.journal);
	free(c->slots);
	free(c->files);
	free(c->buffer);
	free(c->dir);
	free(c);
}

bool checkpointer_is_busy(const struct checkpointer *c) {
	return c->busy;
}

/* A copy to fill; the lane waits here if the disk does not keep up. */
static struct copy *new_copy(struct checkpointer *c) {
	struct copy *copy;

	pthread_mutex_lock(&c->lock);
	while (c->n_copies >= c->copies_most && !c->done)
		pthread_cond_wait(&c->room, &c->lock);
	c->n_copies++;
	copy = c->spare;
	if (copy)
		c->spare = copy->next;
	pthread_mutex_unlock(&c->lock);
	if (!copy)
		copy = malloc(sizeof(*copy));
	if (!copy)
		abort();
	return copy;
}

static void hand_over(struct checkpointer *c, struct copy *copy) {
	pthread_mutex_lock(&c->lock);
	copy->next = NULL;
	*c->tail = copy;
	c->tail = &copy->next;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

static void before_it_changes(void *context, uint32_t page) {
	struct checkpointer *c = context;
	uint8_t mark = MARK_TO_WRITE;
	struct copy *copy;

	if (page >= c->n_marks || atomic_load(&c->failed))
		return;
	if (atomic_load(&c->marks[page]) == MARK_NONE)
		return;
	if (!atomic_compare_exchange_strong(&c->marks[page], &mark,
					    MARK_BEING_COPIED)) {
		while (atomic_load(&c->marks[page]) == MARK_BEING_COPIED)
			sched_yield();
		return;
	}
	copy = new_copy(c);
	copy->page = page;
	memcpy(copy->bytes, pages_at(c->pages, page), PAGE_BYTES);
	hand_over(c, copy);
	atomic_store(&c->marks[page], MARK_NONE);
	c->counters.copied++;
}

static void copy_head(struct checkpoint_head *to,
		      const struct checkpoint_head *from) {
	*to = *from;
	to->partitions = allocate(from->n_partitions, sizeof(*to->partitions));
	for (size_t i = 0; i < from->n_partitions; i++) {
		to->partitions[i] = from->partitions[i];
		to->partitions[i].topic = strdup(from->partitions[i].topic);
		if (!to->partitions[i].topic)
			abort();
	}
	to->contents = journal_copy_contents(from->contents, from->n_contents);
}

/* It has not changed since it was written. */
static bool is_written(const struct checkpointer *c, uint32_t page) {
	return page < c->n_slots && c->slots[page].file != SLOT_NONE &&
	       c->pages->generation[page] <= c->generation;
}

static bool is_empty(const struct checkpointer *c, uint32_t page) {
	return c->pages->class_of[page] == PAGES_EMPTY;
}

/*
 * Files whose pages are taken along: those more than half dead, and when there
 * are many those with the fewest pages. @live counts what is needed of each,
 * and is zero for these afterwards.
 */
static void choose_files(const struct checkpointer *c, uint32_t *live) {
	uint32_t n = 0, least;

	for (uint32_t i = 0; i < c->n_files; i++) {
		if ((uint64_t)live[i] * 2 < c->files[i].slots)
			live[i] = 0;
		n += live[i] != 0;
	}
	for (; n >= FILES_MOST; n--) {
		least = UINT32_MAX;
		for (uint32_t i = 0; i < c->n_files; i++)
			if (live[i] &&
			    (least == UINT32_MAX || live[i] < live[least]))
				least = i;
		live[least] = 0;
	}
}

/* Which files stay; @place gets their places among the job's. */
static void keep_files(const struct checkpointer *c, struct job *job,
		       uint32_t *place) {
	uint32_t *live = place;

	for (uint32_t i = 0; i < job->n_pages; i++)
		if (!is_empty(c, i) && is_written(c, i))
			live[c->slots[i].file]++;
	choose_files(c, live);
	for (uint32_t i = 0; i < c->n_files; i++) {
		bool stays = live[i] != 0;

		place[i] = stays ? job->n_files : SLOT_NONE;
		if (stays)
			job->files[job->n_files++] = c->files[i];
	}
}

static void list_pages(struct checkpointer *c, struct job *job) {
	uint32_t *place = allocate(c->n_files, sizeof(*place));

	job->files = allocate(c->n_files + 1, sizeof(*job->files));
	job->slots = allocate(job->n_pages, sizeof(*job->slots));
	job->list = allocate(job->n_pages, sizeof(*job->list));
	keep_files(c, job, place);
	for (uint32_t i = 0; i < job->n_pages; i++) {
		job->slots[i].file = SLOT_NONE;
		if (is_empty(c, i))
			continue;
		c->counters.state_bytes += PAGE_BYTES;
		if (is_written(c, i) && place[c->slots[i].file] != SLOT_NONE) {
			job->slots[i] = c->slots[i];
			job->slots[i].file = place[c->slots[i].file];
		} else {
			atomic_store_explicit(&c->marks[i], MARK_TO_WRITE,
					      memory_order_relaxed);
			job->list[job->n_list++] = i;
		}
	}
	if (job->n_list)
		job->files[job->n_files++] =
			(struct checkpoint_file){ job->head.number,
						  job->n_list };
	free(place);
}

void checkpointer_begin(struct checkpointer *c, struct engine *engine,
			const struct checkpoint_head *head) {
	int64_t begin = now_usec(CLOCK_MONOTONIC);
	struct job *job = allocate(1, sizeof(*job));

	c->pages = engine_pages(engine);
	copy_head(&job->head, head);
	job->head.number = c->next_number++;
	engine_save(engine, &job->saved);
	job->n_pages = c->pages->n;
	/*
	 * When one fails, the lane may be in the middle of a copy for it, and
	 * hands it over when nobody takes any. Written into this one it would
	 * stand for a page as it was before.
	 */
	drop_copies(c);
	free((void *)(uintptr_t)c->marks);
	c->marks = allocate(job->n_pages, sizeof(*c->marks));
	c->n_marks = job->n_pages;
	c->counters.state_bytes = 0;
	list_pages(c, job);
	job->generation = pages_flip(c->pages);
	atomic_store(&c->failed, false);
	c->pages->touched = before_it_changes;
	c->pages->context = c;
	c->busy = true;
	pthread_mutex_lock(&c->lock);
	c->job = job;
	c->done = false;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	c->counters.pause_usec = (uint64_t)(now_usec(CLOCK_MONOTONIC) - begin);
	if (c->counters.pause_usec > c->counters.pause_most)
		c->counters.pause_most = c->counters.pause_usec;
}

static void keep_table(struct checkpointer *c, struct job *job) {
	free(c->slots);
	free(c->files);
	c->slots = TAKE(job->slots);
	c->n_slots = job->n_pages;
	c->files = TAKE(job->files);
	c->n_files = job->n_files;
	c->generation = job->generation;
	c->counters.taken++;
	c->counters.last_taken = job->head.taken;
	c->counters.pages = job->n_list;
	c->counters.usec = c->usec;
}

int checkpointer_collect(struct checkpointer *c, uint64_t *number) {
	struct job *job;
	bool done;

	if (!c->busy)
		return 0;
	pthread_mutex_lock(&c->lock);
	done = c->done;
	pthread_mutex_unlock(&c->lock);
	if (!done)
		return 0;
	job = TAKE(c->job);
	c->busy = false;
	c->pages->touched = NULL;
	*number = job->head.number;
	c->counters.error = c->error;
	if (c->error == 0)
		keep_table(c, job);
	else
		c->counters.failed++;
	job_free(job);
	return c->error == 0 ? 1 : c->error;
}

void checkpointer_forget(struct checkpointer *c, uint64_t number,
			 const char *journal, uint64_t position,
			 int64_t before) {
	pthread_mutex_lock(&c->lock);
	free(c->forget.journal);
	c->forget =
		(struct forget){ .number = number,
				 .journal = journal ? strdup(journal) : NULL,
				 .position = position,
				 .before = before };
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

const struct checkpointer_counters *
checkpointer_counters(const struct checkpointer *c) {
	return &c->counters;
}
