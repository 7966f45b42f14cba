#include "lane/journal.h"

#include "lane/journal_internal.h"
#include "lane/segment.h"
#include "lane/varint.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, uint8_t *bytes, size_t *len, uint64_t from) {
	size_t at = 0;

	while (at < *len) {
		ssize_t n =
			pread(fd, bytes + at, *len - at, (off_t)(from + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	*len = at;
	return 0;
}

/*
 * Reads segment @i. Not mapped, because whoever looks at the journal of a
 * daemon that just starts may see its end cut off.
 */
static int load_segment(struct journal_reader *reader, size_t i) {
	char *path = segment_path(reader->dir, reader->segments[i]);
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct stat st;

	free(path);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0) {
		reader->len = (size_t)st.st_size;
		free(reader->bytes);
		reader->bytes = malloc(reader->len + 1);
		if (!reader->bytes)
			abort();
		r = read_all(fd, reader->bytes, &reader->len, 0);
	}
	close(fd);
	if (r == 0)
		reader->segment = i;
	return r;
}

static uint64_t segment_of(const struct journal_reader *reader) {
	return reader->segments[reader->segment];
}

/* The greatest claim of what was durable in the segment at hand from @off. */
static uint64_t claims_from(const struct journal_reader *reader, uint64_t off) {
	uint64_t greatest = 0;
	struct record record;

	for (; off + RECORD_HEAD <= reader->len; off += 8)
		if (record_get(&record, reader->bytes + off, reader->len - off,
			       segment_of(reader) + off) &&
		    record.durable > greatest)
			greatest = record.durable;
	return greatest;
}

/*
 * A record at the reader's position does not check. It is the end of the
 * journal only if nobody, before or behind, says that it was durable.
 */
static int judge_bad_record(struct journal_reader *reader, struct buf *why) {
	uint64_t durable = reader->durable, claim;
	size_t here = reader->segment;

	claim = claims_from(reader, reader->position - segment_of(reader));
	if (claim > durable)
		durable = claim;
	for (size_t i = here + 1; i < reader->n_segments; i++) {
		int r = load_segment(reader, i);

		if (r < 0)
			return r;
		claim = claims_from(reader, 0);
		if (claim > durable)
			durable = claim;
	}
	reader->ended = true;
	reader->segment = here;
	if (durable <= reader->position)
		return 0;
	buf_printf(why,
		   "%s: the record at position %llu is damaged, but the "
		   "journal was durable up to %llu",
		   reader->dir, (unsigned long long)reader->position,
		   (unsigned long long)durable);
	return -EBADMSG;
}

/* 1: a record; 0: the end; negative errno. */
static int next_record(struct journal_reader *reader, struct record *ret,
		       struct buf *why) {
	for (;;) {
		uint64_t off = reader->position - segment_of(reader);

		if (reader->ended)
			return 0;
		if (off > reader->len ||
		    !record_get(ret, reader->bytes + off, reader->len - off,
				reader->position))
			return judge_bad_record(reader, why);
		if (ret->durable > reader->durable)
			reader->durable = ret->durable;
		reader->position += record_bytes(ret->len);
		if (ret->kind != RECORD_END)
			return 1;
		if (reader->segment + 1 == reader->n_segments ||
		    reader->segments[reader->segment + 1] != reader->position) {
			/* Closed, and the next was never begun. */
			reader->fresh_segment = true;
			reader->ended = true;
			if (reader->segment + 1 < reader->n_segments ||
			    reader->durable > reader->position) {
				buf_printf(
					why,
					"%s: the segment at position %llu "
					"is missing",
					reader->dir,
					(unsigned long long)reader->position);
				return -EBADMSG;
			}
			return 0;
		}
		int r = load_segment(reader, reader->segment + 1);
		if (r < 0)
			return r;
	}
}

static char *get_text(struct span_reader *in) {
	size_t len = get_varint(in);
	const uint8_t *at = get_bytes(in, len);

	return at ? strndup((const char *)at, len) : NULL;
}

static bool get_content(struct span_reader *in, char **name, uint8_t hash[32]) {
	const uint8_t *bytes;

	*name = get_text(in);
	bytes = get_bytes(in, 32);
	if (!*name || !bytes)
		return false;
	memcpy(hash, bytes, 32);
	return true;
}

static void get_contents(struct span_reader *in, struct journal_header *header,
			 size_t n) {
	struct journal_content *contents;
	char *name;

	in->bad |= n > (size_t)(in->end - in->next);
	if (in->bad)
		return;
	header->contents = contents = calloc(n + 1, sizeof(*contents));
	if (!contents)
		abort();
	for (size_t i = 0; i < n && !in->bad; i++) {
		get_content(in, &name, contents[i].sha256);
		contents[i].name = name;
		header->n_contents += name != NULL;
	}
}

int journal_get_header(struct span_reader *in, struct journal_header *header) {
	uint64_t version = get_varint(in);
	const uint8_t *fixed;
	char *seam;
	size_t n = 0;

	*header = (struct journal_header){ 0 };
	if (!in->bad && (version < 1 || version > JOURNAL_VERSION))
		return -EPROTO;
	header->lane = get_text(in);
	fixed = get_bytes(in, 48);
	seam = get_text(in);
	if (version > 2)
		n = get_varint(in);
	if (!in->bad && fixed && header->lane && seam) {
		memcpy(header->rules, fixed, 32);
		header->seed = get_fixed64(fixed + 32);
		header->first_ordinal = get_fixed64(fixed + 40);
		get_contents(in, header, n);
	}
	if (seam && *seam)
		header->seam = seam;
	else
		free(seam);
	if (!in->bad && header->lane && seam)
		return 0;
	journal_free_header(header);
	return -EBADMSG;
}

static int parse_header(struct journal_reader *reader, struct span_reader *in,
			struct buf *why) {
	int r = journal_get_header(in, &reader->header);

	if (r == -EPROTO)
		buf_printf(why,
			   "%s: a journal of another release, this program "
			   "reads up to format %d",
			   reader->dir, JOURNAL_VERSION);
	else if (r < 0)
		buf_printf(why, "%s: not a journal", reader->dir);
	reader->state.ordinal = reader->header.first_ordinal;
	return r;
}

/* What journal_put_state() wrote at the beginning of a segment. */
static int parse_state(struct journal_reader *reader, struct span_reader *in,
		       struct buf *why) {
	int r = parse_header(reader, in, why);
	size_t n;

	if (r < 0)
		return r;
	reader->state = (struct journal_state){ .ordinal = get_varint(in),
						.has_seam = get_varint(in) != 0,
						.seam_seq = get_varint(in) };
	n = get_varint(in);
	for (size_t i = 0; i < n && !in->bad; i++) {
		char *topic = get_text(in);
		int32_t partition = (int32_t)get_zigzag(in);
		int64_t first = get_zigzag(in), next = get_zigzag(in);

		if (!in->bad && topic) {
			partitions_add(&reader->partitions,
				       &reader->n_partitions, topic, partition,
				       first);
			reader->partitions[i].next = next;
		}
		free(topic);
	}
	if (!in->bad)
		return 0;
	buf_printf(why, "%s: the beginning of segment %016llx makes no sense",
		   reader->dir, (unsigned long long)segment_of(reader));
	return -EBADMSG;
}

/* Reads what segment @i begins with. */
static int begin_at(struct journal_reader *reader, size_t i, struct buf *why) {
	struct span_reader in;
	struct record record;
	int r;

	r = load_segment(reader, i);
	if (r < 0)
		return r;
	reader->position = segment_of(reader);
	r = next_record(reader, &record, why);
	if (r < 0)
		return r;
	if (r == 0) {
		buf_printf(why, "%s: no header", reader->dir);
		return -ENOENT;
	}
	if (record.kind !=
	    (reader->segments[i] ? RECORD_STATE : RECORD_HEADER)) {
		buf_printf(why, "%s: not a journal", reader->dir);
		return -EBADMSG;
	}
	in = (struct span_reader){ record.payload, record.payload + record.len,
				   false };
	return record.kind == RECORD_STATE ? parse_state(reader, &in, why)
					   : parse_header(reader, &in, why);
}

static int reader_new(struct journal_reader **ret, const char *dir,
		      struct buf *why) {
	CLEANUP(journal_read_closep) struct journal_reader *reader = NULL;
	int r;

	reader = calloc(1, sizeof(*reader));
	if (!reader || !(reader->dir = strdup(dir)))
		abort();
	r = segment_list(&reader->segments, &reader->n_segments, dir);
	if (r < 0) {
		buf_printf(why, "%s: %s", dir, strerror(-r));
		return r;
	}
	if (!reader->n_segments) {
		buf_printf(why, "%s: no journal", dir);
		return -ENOENT;
	}
	reader->trimmed = reader->segments[0] != 0;
	*ret = TAKE(reader);
	return 0;
}

int journal_read_open(struct journal_reader **ret, const char *dir,
		      struct buf *why) {
	CLEANUP(journal_read_closep) struct journal_reader *reader = NULL;
	int r;

	r = reader_new(&reader, dir, why);
	if (r == 0)
		r = begin_at(reader, 0, why);
	if (r < 0)
		return r;
	*ret = TAKE(reader);
	return 0;
}

int journal_read_open_at(struct journal_reader **ret, const char *dir,
			 uint64_t position, struct buf *why) {
	CLEANUP(journal_read_closep) struct journal_reader *reader = NULL;
	struct journal_entry entry;
	size_t i = 0;
	int r;

	r = reader_new(&reader, dir, why);
	if (r < 0)
		return r;
	while (i + 1 < reader->n_segments &&
	       reader->segments[i + 1] <= position)
		i++;
	if (reader->segments[i] > position)
		return -ENODATA;
	r = begin_at(reader, i, why);
	while (r >= 0 && reader->position < position) {
		r = journal_read(reader, &entry, why);
		if (r == 0)
			return -ENODATA;
	}
	if (r < 0)
		return r;
	if (reader->position != position)
		return -ENODATA;
	*ret = TAKE(reader);
	return 0;
}

bool journal_read_is_trimmed(const struct journal_reader *reader) {
	return reader->trimmed;
}

const struct journal_state *
journal_read_state(const struct journal_reader *reader) {
	return &reader->state;
}

const struct journal_header *
journal_read_header(const struct journal_reader *reader) {
	return &reader->header;
}

static bool parse_turn(struct journal_reader *reader,
		       const struct record *record,
		       struct journal_entry *entry) {
	struct span_reader in = { record->payload,
				  record->payload + record->len, false };
	size_t n;

	entry->kind = JOURNAL_TURN;
	entry->poll_time = get_zigzag(&in);
	n = get_varint(&in);
	if (in.bad || n > record->len)
		return false;
	if (n > reader->runs_cap) {
		reader->runs =
			reallocarray(reader->runs, n, sizeof(*reader->runs));
		if (!reader->runs)
			abort();
		reader->runs_cap = n;
	}
	for (size_t i = 0; i < n; i++) {
		struct journal_run *run = &reader->runs[i];
		uint64_t which = get_varint(&in);
		struct journal_partition *partition;

		if (in.bad || which >= reader->n_partitions)
			return false;
		partition = &reader->partitions[which];
		run->partition = (uint32_t)which;
		run->first = get_from(&in, partition->next);
		run->count = get_varint(&in);
		if (__builtin_add_overflow(run->first, run->count,
					   &run->next) ||
		    __builtin_add_overflow(run->next, get_varint(&in),
					   &run->next))
			return false;
		partition->next = run->next;
		reader->state.ordinal += run->count;
	}
	entry->runs = reader->runs;
	entry->n_runs = n;
	return !in.bad && in.next == in.end;
}

void decision_texts_free(struct decision_texts *texts) {
	free(texts->topic);
	free(texts->name);
	free(texts->reason);
	free(texts->open);
	free(texts->open_len);
	*texts = (struct decision_texts){ 0 };
}

static bool get_seam(struct span_reader *in, struct decision *decision,
		     struct decision_texts *texts) {
	const uint8_t *fixed;
	size_t n;

	decision->reason = texts->reason = get_text(in);
	fixed = get_bytes(in, 40);
	n = get_varint(in);
	if (in->bad || !fixed || !decision->reason ||
	    n > (size_t)(in->end - in->next))
		return false;
	decision->seq = get_fixed64(fixed);
	memcpy(decision->hash, fixed + 8, 32);
	texts->open = calloc(n + 1, sizeof(*texts->open));
	texts->open_len = calloc(n + 1, sizeof(*texts->open_len));
	if (!texts->open || !texts->open_len)
		abort();
	for (size_t i = 0; i < n; i++) {
		size_t len = get_varint(in);

		texts->open[i] = (const char *)get_bytes(in, len);
		texts->open_len[i] = len;
	}
	decision->open = texts->open;
	decision->open_len = texts->open_len;
	decision->n_open = n;
	return !in->bad;
}

bool journal_get_decision(struct span_reader *in, struct decision *decision,
			  int64_t *first_offset, struct decision_texts *texts) {
	uint64_t kind = get_varint(in);
	int64_t number;

	decision_texts_free(texts);
	decision->topic = texts->topic = get_text(in);
	decision->partition = (int32_t)get_zigzag(in);
	number = get_zigzag(in);
	if (in->bad || kind >= DECISION_MAX || !decision->topic)
		return false;
	decision->kind = (enum decision_kind)kind;
	if (kind == DECISION_PARTITION)
		*first_offset = number;
	else
		decision->at = number;
	if (kind == DECISION_CONTENT) {
		bool good = get_content(in, &texts->name, decision->hash);

		decision->name = texts->name;
		return good;
	}
	return kind != DECISION_SEAM || get_seam(in, decision, texts);
}

/* Records that are gone are not read any more. */
static bool skip_to(struct journal_reader *reader,
		    const struct decision *decision) {
	struct journal_partition *partition =
		partitions_find(reader->partitions, reader->n_partitions,
				decision->topic, decision->partition);

	if (partition)
		partition->next = decision->at;
	return partition != NULL;
}

static bool parse_decision(struct journal_reader *reader,
			   const struct record *record,
			   struct journal_entry *entry) {
	struct span_reader in = { record->payload,
				  record->payload + record->len, false };
	struct decision *decision = &entry->decision;

	entry->kind = JOURNAL_DECISION;
	if (!journal_get_decision(&in, decision, &entry->first_offset,
				  &reader->texts))
		return false;
	if (decision->kind == DECISION_PARTITION)
		partitions_add(&reader->partitions, &reader->n_partitions,
			       decision->topic, decision->partition,
			       entry->first_offset);
	if (decision->kind == DECISION_GAP && !skip_to(reader, decision))
		return false;
	if (decision->kind == DECISION_SEAM) {
		reader->state.has_seam = true;
		reader->state.seam_seq = decision->seq;
	}
	reader->state.ordinal++;
	return !in.bad && in.next == in.end;
}

int journal_read(struct journal_reader *reader, struct journal_entry *entry,
		 struct buf *why) {
	struct record record;
	bool good = false;
	int r;

	do
		r = next_record(reader, &record, why);
	while (r > 0 && record.kind == RECORD_STATE);
	if (r <= 0)
		return r;
	*entry = (struct journal_entry){ .ordinal = reader->state.ordinal };
	if (record.kind == RECORD_TURN)
		good = parse_turn(reader, &record, entry);
	else if (record.kind == RECORD_DECISION)
		good = parse_decision(reader, &record, entry);
	if (good)
		return 1;
	buf_printf(why, "%s: the record at position %llu makes no sense",
		   reader->dir, (unsigned long long)record.position);
	return -EBADMSG;
}

/* Bytes of a file written over themselves, so that a sync writes them. */
static int write_again(int fd, uint64_t from, size_t len) {
	uint8_t *bytes = malloc(len + 1);
	int r;

	if (!bytes)
		abort();
	r = read_all(fd, bytes, &len, from);
	if (r == 0)
		r = write_at(fd, bytes, len, from);
	free(bytes);
	return r;
}

/*
 * A segment is synced when it is closed, so only the last may not be. Of what
 * nobody says that it is durable a sync may have failed, and then the system
 * takes for written what is only in memory: it is written again.
 */
int journal_read_sync(const struct journal_reader *reader) {
	uint64_t start = segment_of(reader), from = reader->durable;
	char *path = segment_path(reader->dir, start);
	int fd = open(path, O_RDWR | O_CLOEXEC), r = 0;

	assert(reader->ended);
	free(path);
	if (fd < 0)
		return -errno;
	if (from < start)
		from = start;
	if (from < reader->position)
		r = write_again(fd, from - start, reader->position - from);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

uint64_t journal_read_position(const struct journal_reader *reader) {
	return reader->position;
}

uint64_t journal_read_ordinal(const struct journal_reader *reader) {
	return reader->state.ordinal - 1;
}

const struct journal_partition *
journal_read_partitions(const struct journal_reader *reader, size_t *n) {
	*n = reader->n_partitions;
	return reader->partitions;
}

void journal_read_close(struct journal_reader *reader) {
	if (!reader)
		return;
	free(reader->bytes);
	decision_texts_free(&reader->texts);
	partitions_free(reader->partitions, reader->n_partitions);
	free(reader->runs);
	free(reader->segments);
	journal_free_header(&reader->header);
	free(reader->dir);
	free(reader);
}

void journal_read_closep(struct journal_reader **reader) {
	journal_read_close(*reader);
}
