/* Time zones from TZif files (RFC 8536). */
#include "base/calendar.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"

#define ZONE_FILE_MOST (1 << 20)
#define EXPAND_TO 2100
#define SECONDS_PER_DAY 86400
/* RFC 8536 asks for less; zone_resolve() relies on it. */
#define OFFSET_MOST (26 * 3600)

/* What is collected before the arrays are cut to size. */
struct transition {
	int64_t at;
	int32_t offset; /* from then on */
};

struct zone_draft {
	struct transition *items;
	size_t n, cap;
	int32_t first; /* offset before the first transition */
	int32_t standard;
};

static void draft_add(struct zone_draft *draft, int64_t at, int32_t offset) {
	if (draft->n == draft->cap) {
		draft->cap = draft->cap ? 2 * draft->cap : 64;
		draft->items = reallocarray(draft->items, draft->cap,
					    sizeof(*draft->items));
		if (!draft->items)
			abort();
	}
	draft->items[draft->n++] = (struct transition){ at, offset };
}

static void draft_free(struct zone_draft *draft) {
	free(draft->items);
}

/* Bytes that are eaten from the front; false once they do not suffice. */
struct bytes {
	const uint8_t *at;
	size_t len;
};

static bool bytes_take(struct bytes *bytes, size_t n, const uint8_t **ret) {
	if (bytes->len < n)
		return false;
	*ret = bytes->at;
	bytes->at += n;
	bytes->len -= n;
	return true;
}

static uint32_t read_u32(const uint8_t *at) {
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_i64(const uint8_t *at) {
	return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

struct tzif_header {
	uint8_t version;
	uint32_t n_ut, n_std, n_leap, n_times, n_types, n_chars;
};

static bool read_header(struct bytes *bytes, struct tzif_header *ret) {
	const uint8_t *at;

	if (!bytes_take(bytes, 44, &at) || memcmp(at, "TZif", 4))
		return false;
	*ret = (struct tzif_header){
		.version = at[4],
		.n_ut = read_u32(at + 20),
		.n_std = read_u32(at + 24),
		.n_leap = read_u32(at + 28),
		.n_times = read_u32(at + 32),
		.n_types = read_u32(at + 36),
		.n_chars = read_u32(at + 40),
	};
	return true;
}

/* What stands behind the times and types of a block, in bytes. */
static size_t rest_bytes(const struct tzif_header *h, size_t time_bytes) {
	return (size_t)h->n_chars + (size_t)h->n_leap * (time_bytes + 4) +
	       h->n_std + h->n_ut;
}

static bool skip_block(struct bytes *bytes, const struct tzif_header *h) {
	const uint8_t *at;

	return bytes_take(bytes,
			  (size_t)h->n_times * 5 + (size_t)h->n_types * 6 +
				  rest_bytes(h, 4),
			  &at);
}

static int read_block(struct bytes *bytes, const struct tzif_header *h,
		      size_t time_bytes, struct zone_draft *draft) {
	const uint8_t *times;
	const uint8_t *indexes;
	const uint8_t *types;
	const uint8_t *rest;

	if (!h->n_types ||
	    !bytes_take(bytes, h->n_times * time_bytes, &times) ||
	    !bytes_take(bytes, h->n_times, &indexes) ||
	    !bytes_take(bytes, (size_t)h->n_types * 6, &types) ||
	    !bytes_take(bytes, rest_bytes(h, time_bytes), &rest))
		return -EBADMSG;
	/* Its seconds are not those of everybody else. */
	if (h->n_leap)
		return -EINVAL;
	draft->first = draft->standard = (int32_t)read_u32(types);
	for (uint32_t i = 0; i < h->n_times; i++) {
		const uint8_t *type = types + (size_t)indexes[i] * 6;
		const uint8_t *time = times + i * time_bytes;
		int64_t at = time_bytes == 8 ? read_i64(time)
					     : (int32_t)read_u32(time);

		if (indexes[i] >= h->n_types ||
		    (i && at <= draft->items[i - 1].at))
			return -EBADMSG;
		draft_add(draft, at, (int32_t)read_u32(type));
		if (!type[4])
			draft->standard = (int32_t)read_u32(type);
	}
	return 0;
}

/* A rule of a POSIX TZ string: when in each year clocks are changed. */
struct tz_rule {
	char form; /* 'M' month.week.day, 'J' day but 29 February, '0' day */
	uint32_t month, week, day;
	int32_t seconds; /* after local midnight; may be negative */
};

struct footer {
	const char *s;
	int32_t standard, summer;
	bool has_summer;
	struct tz_rule begin, end;
};

static bool footer_number(struct footer *f, uint32_t most, uint32_t *ret) {
	uint32_t n = 0;
	const char *from = f->s;

	while (*f->s >= '0' && *f->s <= '9' && n <= most)
		n = n * 10 + (uint32_t)(*f->s++ - '0');
	*ret = n;
	return f->s > from && n <= most;
}

static bool footer_name(struct footer *f) {
	const char *from = f->s;

	if (*f->s == '<') {
		f->s = strchr(f->s, '>');
		return f->s && f->s++;
	}
	while ((*f->s >= 'A' && *f->s <= 'Z') || (*f->s >= 'a' && *f->s <= 'z'))
		f->s++;
	return f->s > from;
}

/* [+-]hh[:mm[:ss]] */
static bool footer_time(struct footer *f, int32_t *ret) {
	bool negative = *f->s == '-';
	uint32_t hours;
	uint32_t minutes = 0;
	uint32_t seconds = 0;

	if (*f->s == '-' || *f->s == '+')
		f->s++;
	if (!footer_number(f, 167, &hours))
		return false;
	if (*f->s == ':' && (f->s++, !footer_number(f, 59, &minutes)))
		return false;
	if (*f->s == ':' && (f->s++, !footer_number(f, 59, &seconds)))
		return false;
	*ret = (int32_t)(hours * 3600 + minutes * 60 + seconds);
	if (negative)
		*ret = -*ret;
	return true;
}

static bool footer_rule(struct footer *f, struct tz_rule *rule) {
	if (*f->s++ != ',')
		return false;
	*rule = (struct tz_rule){ .form = '0', .seconds = 2 * 3600 };
	if (*f->s == 'M' || *f->s == 'J')
		rule->form = *f->s++;
	if (rule->form == 'M') {
		if (!footer_number(f, 12, &rule->month) || *f->s++ != '.' ||
		    !footer_number(f, 5, &rule->week) || *f->s++ != '.' ||
		    !footer_number(f, 6, &rule->day) || !rule->month ||
		    !rule->week)
			return false;
	} else if (!footer_number(f, 365, &rule->day) ||
		   (rule->form == 'J' && !rule->day)) {
		return false;
	}
	return *f->s != '/' || (f->s++, footer_time(f, &rule->seconds));
}

/* POSIX counts west of Greenwich. */
static bool footer_parse(struct footer *f, const char *s) {
	*f = (struct footer){ .s = s };
	if (!footer_name(f) || !footer_time(f, &f->standard))
		return false;
	f->standard = -f->standard;
	if (!*f->s)
		return true;
	f->has_summer = true;
	if (!footer_name(f))
		return false;
	f->summer = f->standard + 3600;
	if (*f->s != ',') {
		if (!footer_time(f, &f->summer))
			return false;
		f->summer = -f->summer;
	}
	return footer_rule(f, &f->begin) && footer_rule(f, &f->end) && !*f->s;
}

/* Local seconds since 1970 at which a rule strikes in a year. */
static int64_t rule_strikes(const struct tz_rule *rule, int32_t year) {
	int64_t days = days_from_civil(year, 1, 1);

	if (rule->form == 'M') {
		int64_t first = days_from_civil(year, rule->month, 1);
		uint32_t weekday = iso_weekday(first) % 7; /* 0 = Sunday */
		uint32_t day = (rule->day + 7 - weekday) % 7;

		day += (rule->week - 1) * 7;
		if (day >= days_in_month(year, rule->month))
			day -= 7;
		days = first + day;
	} else {
		bool leap = days_in_month(year, 2) == 29;

		days += rule->day;
		if (rule->form == 'J' && !(leap && rule->day >= 60))
			days--;
	}
	return days * SECONDS_PER_DAY + rule->seconds;
}

/*
 * Two a year. Where summer time never ends, its end falls on its next begin
 * and is left out.
 */
static void footer_expand(const struct footer *f, struct zone_draft *draft) {
	int64_t last = draft->n ? draft->items[draft->n - 1].at : INT64_MIN;
	int32_t year = 1900;
	unsigned month;
	unsigned day;

	if (draft->n && last > days_from_civil(1900, 1, 1) * SECONDS_PER_DAY)
		civil_from_days(last / SECONDS_PER_DAY, &year, &month, &day);
	for (; year <= EXPAND_TO; year++) {
		int64_t begin = rule_strikes(&f->begin, year) - f->standard;
		int64_t end = rule_strikes(&f->end, year) - f->summer;
		int64_t next = rule_strikes(&f->begin, year + 1) - f->standard;

		if (end < begin && end > last)
			draft_add(draft, end, f->standard);
		if (begin > last)
			draft_add(draft, begin, f->summer);
		if (end > begin && end > last && end != next)
			draft_add(draft, end, f->standard);
	}
}

static int read_footer(struct bytes bytes, struct zone_draft *draft) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct footer footer;
	const uint8_t *stop;

	if (!bytes.len || bytes.at[0] != '\n')
		return -EBADMSG;
	stop = memchr(bytes.at + 1, '\n', bytes.len - 1);
	if (!stop)
		return -EBADMSG;
	buf_add(&text, bytes.at + 1, (size_t)(stop - bytes.at) - 1);
	if (!text.len)
		return 0;
	if (!footer_parse(&footer, buf_cstr(&text)))
		return -EBADMSG;
	draft->standard = footer.standard;
	if (footer.has_summer)
		footer_expand(&footer, draft);
	else if (!draft->n)
		draft->first = footer.standard;
	return 0;
}

static int read_tzif(struct bytes bytes, struct zone_draft *draft) {
	struct tzif_header header;
	int r;

	if (!read_header(&bytes, &header))
		return -EBADMSG;
	if (header.version < '2')
		return read_block(&bytes, &header, 4, draft);
	if (!skip_block(&bytes, &header) || !read_header(&bytes, &header))
		return -EBADMSG;
	r = read_block(&bytes, &header, 8, draft);
	if (r < 0)
		return r;
	return read_footer(bytes, draft);
}

static void add_le(struct buf *out, uint64_t n) {
	for (unsigned i = 0; i < 8; i++)
		buf_putc(out, (char)(n >> 8 * i & 0xff));
}

/* Of numbers, not of memory, so it is the same on every machine. */
static void zone_seal(struct zone *zone) {
	CLEANUP(buf_free) struct buf bytes = { 0 };
	struct hash128 hash;

	add_le(&bytes, (uint64_t)zone->standard);
	for (uint32_t i = 0; i < zone->n; i++)
		add_le(&bytes, (uint64_t)zone->at[i]);
	for (uint32_t i = 0; i <= zone->n; i++)
		add_le(&bytes, (uint64_t)zone->offset[i]);
	hash = hash128(bytes.data, bytes.len, 0);
	buf_reset(&bytes);
	add_le(&bytes, hash.lo);
	add_le(&bytes, hash.hi);
	memcpy(zone->hash, bytes.data, sizeof(zone->hash));
}

/* Changes of the name alone are left out. */
static void zone_finish(struct zone *ret, const char *name,
			const struct zone_draft *draft, struct arena *arena) {
	int64_t *at = arena_array(arena, int64_t, draft->n + 1);
	int32_t *offset = arena_array(arena, int32_t, draft->n + 1);
	uint32_t n = 0;

	offset[0] = draft->first;
	for (size_t i = 0; i < draft->n; i++) {
		if (draft->items[i].offset == offset[n])
			continue;
		at[n++] = draft->items[i].at;
		offset[n] = draft->items[i].offset;
	}
	*ret = (struct zone){
		.name = arena_strdup(arena, name),
		.standard = draft->standard,
		.n = n,
		.at = at,
		.offset = offset,
	};
	zone_seal(ret);
}

/* Nothing that leads out of the folder. */
static bool zone_name_is_valid(const char *name) {
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_+-/";

	return *name && *name != '/' && strspn(name, allowed) == strlen(name);
}

static void close_file(int *fd) {
	if (*fd >= 0)
		close(*fd);
}

static int read_file(struct buf *ret, const char *path) {
	CLEANUP(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	if (st.st_size > ZONE_FILE_MOST)
		return -EBADMSG;
	buf_reserve(ret, (size_t)st.st_size + 1);
	do {
		n = read(fd, ret->data + ret->len, ret->cap - ret->len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			ret->len += (size_t)n;
	} while (n && ret->len < ret->cap);
	return 0;
}

static bool offset_is_sane(int32_t offset) {
	return offset >= -OFFSET_MOST && offset <= OFFSET_MOST;
}

static bool draft_is_sane(const struct zone_draft *draft) {
	for (size_t i = 0; i < draft->n; i++)
		if (!offset_is_sane(draft->items[i].offset))
			return false;
	return offset_is_sane(draft->first) && offset_is_sane(draft->standard);
}

int zone_load(struct zone *ret, const char *name, struct arena *arena) {
	CLEANUP(draft_free) struct zone_draft draft = { 0 };
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(buf_free) struct buf file = { 0 };
	const char *folder = getenv("TZDIR");
	int r;

	if (!zone_name_is_valid(name))
		return -EINVAL;
	if (!strcmp(name, "UTC")) {
		zone_finish(ret, name, &draft, arena);
		return 0;
	}
	buf_printf(&path, "%s/%s",
		   folder && *folder ? folder : "/usr/share/zoneinfo", name);
	r = read_file(&file, buf_cstr(&path));
	if (r < 0)
		return r;
	r = read_tzif((struct bytes){ (uint8_t *)file.data, file.len }, &draft);
	if (r < 0)
		return r;
	if (!draft_is_sane(&draft))
		return -EBADMSG;

	zone_finish(ret, name, &draft, arena);
	return 0;
}

static int64_t floor_divide(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

/* How many transitions have passed. Most instants are after the last. */
static uint32_t zone_index(const struct zone *zone, int64_t seconds) {
	uint32_t low = 0;
	uint32_t high = zone->n;

	if (high && seconds >= zone->at[high - 1])
		return high;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (zone->at[mid] <= seconds)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int32_t zone_offset(const struct zone *zone, usec_t at) {
	return zone->offset[zone_index(zone, floor_divide(at, USEC_PER_SEC))];
}

void zone_civil(const struct zone *zone, usec_t at, struct civil *ret) {
	int32_t offset = zone_offset(zone, at);
	usec_t local = at + offset * USEC_PER_SEC;
	int64_t days = floor_divide(local, USEC_PER_DAY);
	usec_t clock = local - days * USEC_PER_DAY;
	unsigned month;
	unsigned day;

	civil_from_days(days, &ret->year, &month, &day);
	ret->month = (uint8_t)month;
	ret->day = (uint8_t)day;
	ret->hour = (uint8_t)(clock / USEC_PER_HOUR);
	ret->minute = (uint8_t)(clock / USEC_PER_MIN % 60);
	ret->second = (uint8_t)(clock / USEC_PER_SEC % 60);
	ret->usec = (uint32_t)(clock % USEC_PER_SEC);
	ret->offset = offset;
}

int64_t zone_days(const struct zone *zone, usec_t at) {
	return floor_divide(at + zone_offset(zone, at) * USEC_PER_SEC,
			    USEC_PER_DAY);
}

/*
 * The first stretch between two transitions in which the local clock shows
 * @local. False if none does; then @gap is the transition that jumps over it.
 * Two days either way is more than clocks were ever moved.
 */
static bool zone_resolve(const struct zone *zone, usec_t local, usec_t *ret,
			 usec_t *gap) {
	int64_t seconds = floor_divide(local, USEC_PER_SEC);
	uint32_t i = zone_index(zone, seconds - 2 * SECONDS_PER_DAY);

	for (;; i++) {
		int64_t shown = seconds - zone->offset[i];

		*ret = local - zone->offset[i] * USEC_PER_SEC;
		if (i == zone->n || shown < zone->at[i])
			return true;
		if (seconds - zone->offset[i + 1] < zone->at[i]) {
			*gap = zone->at[i] * USEC_PER_SEC;
			return false;
		}
	}
}

usec_t zone_instant(const struct zone *zone, int64_t days, usec_t clock) {
	usec_t gap;
	usec_t ret;

	zone_resolve(zone, days * USEC_PER_DAY + clock, &ret, &gap);
	return ret;
}

usec_t zone_day_start(const struct zone *zone, int64_t days) {
	usec_t gap;
	usec_t ret;

	if (!zone_resolve(zone, days * USEC_PER_DAY, &ret, &gap))
		return gap;
	return ret;
}
