#include "lane/checkpoint.h"

#include "base/hash.h"
#include "base/util.h"
#include "lane/checkpoint_internal.h"
#include "lane/journal_internal.h"
#include "lane/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC                                                                  \
	UINT64_C(0x314b434e4953434f) /* eight letters, and unlike other files  \
				      */

struct checkpoint {
	char *dir;
	struct checkpoint_head head;
	struct buf manifest;
	const uint8_t *saved;
	size_t saved_len;
	struct checkpoint_file *files;
	size_t n_files;
	const struct checkpoint_slot *slots;
	uint32_t n_pages;
	int *fds; /* of the files; -1: not open yet */
	uint64_t size;
};

char *checkpoint_path(const char *dir, const char *what, uint64_t number) {
	char *path;

	if (asprintf(&path, "%s/%s-%08llu", dir, what,
		     (unsigned long long)number) < 0)
		abort();
	return path;
}

/* --- the manifest --- */

static void put(struct buf *out, const void *bytes, size_t len) {
	if (len)
		buf_add(out, bytes, len);
}

static void put_number(struct buf *out, uint64_t n) {
	put(out, &n, sizeof(n));
}

static void put_partition(struct buf *out,
			  const struct checkpoint_partition *partition) {
	size_t len = strlen(partition->topic);

	put_number(out, len);
	put(out, partition->topic, len);
	put_number(out, (uint64_t)(int64_t)partition->partition);
	put_number(out, partition->idle);
	put_number(out, (uint64_t)partition->next);
	put_number(out, (uint64_t)partition->greatest);
	put_number(out, (uint64_t)partition->last_offset);
	put_number(out, (uint64_t)partition->last_timestamp);
	put_number(out, partition->last_crc);
}

static void put_content(struct buf *out,
			const struct journal_content *content) {
	size_t len = strlen(content->name);

	put_number(out, len);
	put(out, content->name, len);
	put(out, content->sha256, sizeof(content->sha256));
}

void checkpoint_write(struct buf *out, const struct checkpoint_head *head,
		      const struct buf *saved,
		      const struct checkpoint_file *files, size_t n_files,
		      const struct checkpoint_slot *slots, uint32_t n_pages) {
	uint32_t crc;

	put_number(out, MAGIC);
	put_number(out, CHECKPOINT_VERSION);
	put_number(out, head->number);
	put_number(out, (uint64_t)head->taken);
	put(out, head->rules, sizeof(head->rules));
	put_number(out, head->seed);
	put_number(out, head->position);
	put_number(out, head->ordinal);
	put_number(out, head->seq);
	put(out, head->hash, sizeof(head->hash));
	put_number(out, head->dead);
	put_number(out, head->catching_up);
	put_number(out, head->n_partitions);
	for (size_t i = 0; i < head->n_partitions; i++)
		put_partition(out, &head->partitions[i]);
	put_number(out, head->n_contents);
	for (size_t i = 0; i < head->n_contents; i++)
		put_content(out, &head->contents[i]);
	put_number(out, saved->len);
	put(out, saved->data, saved->len);
	put_number(out, n_files);
	put(out, files, n_files * sizeof(*files));
	put_number(out, n_pages);
	put(out, slots, n_pages * sizeof(*slots));
	crc = crc32c(0, out->data, out->len);
	put(out, &crc, sizeof(crc));
}

static char *take_text(struct saved *from) {
	size_t len = saved_count(from, 1);
	char *text = calloc(len + 1, 1);

	if (!text)
		abort();
	saved_take(from, text, len);
	return text;
}

static void take_partition(struct saved *from,
			   struct checkpoint_partition *partition) {
	partition->topic = take_text(from);
	partition->partition = (int32_t)saved_number(from);
	partition->idle = saved_number(from) != 0;
	partition->next = (int64_t)saved_number(from);
	partition->greatest = (usec_t)saved_number(from);
	partition->last_offset = (int64_t)saved_number(from);
	partition->last_timestamp = (int64_t)saved_number(from);
	partition->last_crc = (uint32_t)saved_number(from);
}

static void take_head(struct saved *from, struct checkpoint_head *head) {
	size_t n;

	head->number = saved_number(from);
	head->taken = (int64_t)saved_number(from);
	saved_take(from, head->rules, sizeof(head->rules));
	head->seed = saved_number(from);
	head->position = saved_number(from);
	head->ordinal = saved_number(from);
	head->seq = saved_number(from);
	saved_take(from, head->hash, sizeof(head->hash));
	head->dead = saved_number(from);
	head->catching_up = saved_number(from) != 0;
	n = saved_count(from, 8 * sizeof(uint64_t));
	head->partitions = calloc(n + 1, sizeof(*head->partitions));
	if (!head->partitions)
		abort();
	head->n_partitions = n;
	for (size_t i = 0; i < n; i++)
		take_partition(from, &head->partitions[i]);
	n = saved_count(from, sizeof(uint64_t) + 32);
	head->contents = calloc(n + 1, sizeof(*head->contents));
	if (!head->contents)
		abort();
	head->n_contents = n;
	for (size_t i = 0; i < n; i++) {
		head->contents[i].name = take_text(from);
		saved_take(from, head->contents[i].sha256,
			   sizeof(head->contents[i].sha256));
	}
}

void checkpoint_head_free(struct checkpoint_head *head) {
	for (size_t i = 0; i < head->n_partitions; i++)
		free(head->partitions[i].topic);
	free(head->partitions);
	journal_free_contents(head->contents, head->n_contents);
	*head = (struct checkpoint_head){ 0 };
}

static const uint8_t *take_piece(struct saved *from, size_t n, size_t size) {
	const uint8_t *at = from->at;

	from->at += n * size;
	from->left -= n * size;
	return at;
}

static void take_pages(struct saved *from, struct checkpoint *checkpoint) {
	checkpoint->n_files = saved_count(from, sizeof(*checkpoint->files));
	checkpoint->files =
		calloc(checkpoint->n_files + 1, sizeof(*checkpoint->files));
	checkpoint->fds =
		calloc(checkpoint->n_files + 1, sizeof(*checkpoint->fds));
	if (!checkpoint->files || !checkpoint->fds)
		abort();
	saved_take(from, checkpoint->files,
		   checkpoint->n_files * sizeof(*checkpoint->files));
	for (size_t i = 0; i < checkpoint->n_files; i++) {
		checkpoint->fds[i] = -1;
		checkpoint->size += checkpoint->files[i].slots * PAGE_BYTES;
	}
	checkpoint->n_pages =
		(uint32_t)saved_count(from, sizeof(*checkpoint->slots));
	if (!from->is_bad)
		checkpoint->slots = (const void *)take_piece(
			from, checkpoint->n_pages, sizeof(*checkpoint->slots));
}

static int parse(struct checkpoint *checkpoint) {
	const char *bytes = checkpoint->manifest.data;
	size_t len = checkpoint->manifest.len;
	struct saved from = { .at = (const uint8_t *)bytes, .left = len };
	uint32_t crc;

	if (len < 16 + sizeof(crc) || saved_number(&from) != MAGIC)
		return -EBADMSG;
	if (saved_number(&from) != CHECKPOINT_VERSION)
		return -EPROTO;
	memcpy(&crc, bytes + len - sizeof(crc), sizeof(crc));
	if (crc != crc32c(0, bytes, len - sizeof(crc)))
		return -EBADMSG;
	from.left -= sizeof(crc);
	take_head(&from, &checkpoint->head);
	checkpoint->saved_len = saved_count(&from, 1);
	if (!from.is_bad)
		checkpoint->saved = take_piece(&from, checkpoint->saved_len, 1);
	take_pages(&from, checkpoint);
	return from.is_bad || from.left ? -EBADMSG : 0;
}

static void checkpoint_closep(struct checkpoint **checkpoint) {
	checkpoint_close(*checkpoint);
}

int checkpoint_open(struct checkpoint **ret, const char *dir, uint64_t number,
		    struct buf *why) {
	CLEANUP(checkpoint_closep) struct checkpoint *checkpoint = NULL;
	char *path = checkpoint_path(dir, "manifest", number);
	int r;

	checkpoint = calloc(1, sizeof(*checkpoint));
	if (!checkpoint || !(checkpoint->dir = strdup(dir)))
		abort();
	r = file_read(path, SIZE_MAX, &checkpoint->manifest);
	if (r == 0)
		r = parse(checkpoint);
	if (r == 0 && checkpoint->head.number != number)
		r = -EBADMSG;
	if (r == -EPROTO)
		buf_printf(why, "%s: written by another release", path);
	else if (r == -EBADMSG)
		buf_printf(why, "%s: damaged", path);
	else if (r < 0)
		buf_printf(why, "%s: %s", path, strerror(-r));
	free(path);
	if (r == 0)
		*ret = TAKE(checkpoint);
	return r;
}

const struct checkpoint_head *
checkpoint_head(const struct checkpoint *checkpoint) {
	return &checkpoint->head;
}

const void *checkpoint_saved(const struct checkpoint *checkpoint, size_t *len) {
	*len = checkpoint->saved_len;
	return checkpoint->saved;
}

uint32_t checkpoint_pages(const struct checkpoint *checkpoint) {
	return checkpoint->n_pages;
}

struct checkpoint_slot checkpoint_slot(const struct checkpoint *checkpoint,
				       uint32_t page) {
	struct checkpoint_slot slot;

	/* It may stand at any byte of the manifest. */
	memcpy(&slot, (const uint8_t *)checkpoint->slots + page * sizeof(slot),
	       sizeof(slot));
	return slot;
}

const struct checkpoint_file *
checkpoint_files(const struct checkpoint *checkpoint, size_t *n) {
	*n = checkpoint->n_files;
	return checkpoint->files;
}

size_t checkpoint_n_files(const struct checkpoint *checkpoint) {
	return checkpoint->n_files;
}

char *checkpoint_file_path(const struct checkpoint *checkpoint, size_t file,
			   uint64_t *pages) {
	*pages = checkpoint->files[file].slots;
	return checkpoint_path(checkpoint->dir, "pages",
			       checkpoint->files[file].number);
}

size_t checkpoint_file_of(const struct checkpoint *checkpoint, uint32_t page) {
	return checkpoint_slot(checkpoint, page).file;
}

bool checkpoint_has_page(const struct checkpoint *checkpoint, uint32_t page) {
	return page < checkpoint->n_pages &&
	       checkpoint_slot(checkpoint, page).file < checkpoint->n_files;
}

uint64_t checkpoint_bytes(const struct checkpoint *checkpoint) {
	return checkpoint->size;
}

static int file_of(struct checkpoint *checkpoint, uint32_t file) {
	char *path;

	if (checkpoint->fds[file] >= 0)
		return checkpoint->fds[file];
	path = checkpoint_path(checkpoint->dir, "pages",
			       checkpoint->files[file].number);
	checkpoint->fds[file] = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	return checkpoint->fds[file] < 0 ? -errno : checkpoint->fds[file];
}

int checkpoint_page(void *context, uint32_t page, uint8_t *bytes) {
	struct checkpoint *checkpoint = context;
	struct checkpoint_slot slot;
	size_t at = 0;
	int fd;

	if (!checkpoint_has_page(checkpoint, page))
		return -EBADMSG;
	slot = checkpoint_slot(checkpoint, page);
	fd = file_of(checkpoint, slot.file);
	if (fd < 0)
		return fd;
	while (at < PAGE_BYTES) {
		ssize_t n = pread(fd, bytes + at, PAGE_BYTES - at,
				  (off_t)slot.slot * PAGE_BYTES + (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		at += n > 0 ? (size_t)n : 0;
	}
	return crc32c(0, bytes, PAGE_BYTES) == slot.crc ? 0 : -EBADMSG;
}

void checkpoint_close(struct checkpoint *checkpoint) {
	if (!checkpoint)
		return;
	for (size_t i = 0; i < checkpoint->n_files; i++)
		if (checkpoint->fds[i] >= 0)
			close(checkpoint->fds[i]);
	checkpoint_head_free(&checkpoint->head);
	free(checkpoint->files);
	free(checkpoint->fds);
	buf_free(&checkpoint->manifest);
	free(checkpoint->dir);
	free(checkpoint);
}

/* --- the folder --- */

static int greatest_first(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/* The number in "WHAT-NNNNNNNN"; 0: it is called otherwise. */
static uint64_t number_in(const char *name, const char *what) {
	size_t len = strlen(what);
	uint64_t number;
	char *end;

	if (strncmp(name, what, len) != 0 || name[len] != '-')
		return 0;
	number = strtoull(name + len + 1, &end, 10);
	return *end ? 0 : number;
}

int checkpoint_numbers(const char *dir, const char *what, uint64_t **ret,
		       size_t *n) {
	struct dirent *entry;
	uint64_t *numbers = NULL, number;
	size_t count = 0;
	DIR *d = opendir(dir);

	if (!d && errno != ENOENT)
		return -errno;
	while (d && (entry = readdir(d))) {
		number = number_in(entry->d_name, what);
		if (!number)
			continue;
		numbers = reallocarray(numbers, count + 1, sizeof(*numbers));
		if (!numbers)
			abort();
		numbers[count++] = number;
	}
	if (d)
		closedir(d);
	if (count)
		qsort(numbers, count, sizeof(*numbers), greatest_first);
	*ret = numbers;
	*n = count;
	return 0;
}

int checkpoint_list(const char *dir, uint64_t **ret, size_t *n) {
	return checkpoint_numbers(dir, "manifest", ret, n);
}

int checkpoint_unlink(const char *dir, const char *what, uint64_t number) {
	char *path = checkpoint_path(dir, what, number);
	int r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;

	free(path);
	return r;
}

/*
 * Strikes those of @files that the manifest names out. One that is damaged
 * can name none; one that cannot be read, or only by another release, may.
 */
static int strike_out(const char *dir, uint64_t manifest, uint64_t *files,
		      size_t n) {
	CLEANUP(buf_free) struct buf why = { 0 };
	struct checkpoint *checkpoint;
	int r = checkpoint_open(&checkpoint, dir, manifest, &why);

	if (r < 0)
		return r == -EBADMSG || r == -ENOENT ? 0 : r;
	for (size_t k = 0; k < checkpoint->n_files; k++)
		for (size_t i = 0; i < n; i++)
			if (files[i] == checkpoint->files[k].number)
				files[i] = 0;
	checkpoint_close(checkpoint);
	return 0;
}

int checkpoint_sweep(const char *dir) {
	uint64_t *manifests = NULL, *files = NULL;
	size_t n = 0, n_files = 0;
	int r = checkpoint_list(dir, &manifests, &n);

	if (r == 0)
		r = checkpoint_numbers(dir, "pages", &files, &n_files);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = strike_out(dir, manifests[i], files, n_files);
	for (size_t i = 0; r == 0 && i < n_files; i++)
		if (files[i])
			r = checkpoint_unlink(dir, "pages", files[i]);
	free(manifests);
	free(files);
	return r;
}

int checkpoint_remove(const char *dir, uint64_t number) {
	int r = checkpoint_unlink(dir, "manifest", number);

	if (r == 0)
		r = checkpoint_sweep(dir);
	return r == 0 ? sync_folder(dir) : r;
}
