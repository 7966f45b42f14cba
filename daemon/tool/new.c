/*
 * A first rule for somebody who has not written one: on a stream that is
 * there, with numbers to change and a test that passes. It is loaded before it
 * is left behind, so what this writes is never refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "tool/rules.h"
#include "tool/verb.h"

struct draft_rule {
	struct texts_given paths;
	const char *stream_name, *kind_name;
	const char *path, *folder, *name; /* of the file and of the rule */
	const struct stream *stream;
	const struct field *key;    /* NULL: the stream has none that fits */
	const struct field *amount; /* NULL: the same */
	struct arena arena;
	struct buf out;
};

/* A name of a measure that no field of the stream has. */
static const char *free_name(struct draft_rule *draft, const char *name) {
	while (stream_field(draft->stream, name))
		name = arena_printf(&draft->arena, "%s_", name);
	return name;
}

static bool is_amount(const struct field *field) {
	return field->type.kind == KIND_MONEY || field->type.kind == KIND_INT ||
	       field->type.kind == KIND_DOUBLE;
}

/* What rules are mostly about: whose, and how much. Money before numbers. */
static void choose_fields(struct draft_rule *draft) {
	const struct stream *stream = draft->stream;

	for (size_t i = 0; i < stream->n_fields; i++) {
		const struct field *field = &stream->fields[i];

		if (field->type.optional || field == stream->id ||
		    field == stream->time)
			continue;
		if (!draft->key && field->type.kind == KIND_STRING &&
		    !field->type.n_names)
			draft->key = field;
		if (is_amount(field) &&
		    (!draft->amount ||
		     (draft->amount->type.kind != KIND_MONEY &&
		      field->type.kind == KIND_MONEY)))
			draft->amount = field;
	}
}

static void put(struct draft_rule *draft, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void put(struct draft_rule *draft, const char *format, ...) {
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&draft->out, format, ap);
	va_end(ap);
}

/* What a strptime pattern reads back: of noon on that day. */
static void put_pattern(struct draft_rule *draft, const char *pattern,
			int64_t days) {
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr",
					      "May", "Jun", "Jul", "Aug",
					      "Sep", "Oct", "Nov", "Dec" };
	unsigned month, day;
	int32_t year;

	civil_from_days(days, &year, &month, &day);
	for (const char *s = pattern; *s; s++) {
		char c = *s == '%' ? *++s : '\0';

		if (c == 'Y')
			put(draft, "%04d", year);
		else if (c == 'y')
			put(draft, "%02d", year % 100);
		else if (c == 'm')
			put(draft, "%02u", month);
		else if (c == 'b')
			put(draft, "%s", months[month - 1]);
		else if (c == 'd' || c == 'e')
			put(draft, "%02u", day);
		else if (c == 'j')
			put(draft, "%03d",
			    (int)(days - days_from_civil(year, 1, 1)) + 1);
		else if (c == 'H')
			put(draft, "12");
		else if (c == 'z')
			put(draft, "+0000");
		else if (c == 'M' || c == 'S' || c == 'f')
			put(draft, "00");
		else
			put(draft, "%c", *s);
	}
}

/* Noon UTC is the same day nearly everywhere. */
static void put_time(struct draft_rule *draft, const struct field *field,
		     const char *day) {
	int64_t days = 0;
	long long noon;

	date_parse(&days, day, strlen(day));
	noon = days * 86400 + 43200;
	if (field->time_form == TIME_EPOCH_S) {
		put(draft, "%lld", noon);
	} else if (field->time_form == TIME_EPOCH_MS) {
		put(draft, "%lld000", noon);
	} else if (field->time_form == TIME_PATTERN) {
		put(draft, "'");
		put_pattern(draft, field->time_pattern, days);
		put(draft, "'");
	} else {
		put(draft, "%s", day);
	}
}

static void put_plain(struct draft_rule *draft, const struct field *field,
		      uint8_t kind, const char *day) {
	switch (kind) {
	case KIND_BOOL:
		put(draft, "true");
		break;
	case KIND_DATE:
	case KIND_TIMESTAMP:
		put_time(draft, field, day);
		break;
	case KIND_STRING:
		put(draft, "'%s'",
		    field->type.n_names ? field->type.names[0] : "A");
		break;
	default:
		put(draft, "1");
	}
}

/* An event with all that it may not lack. */
static void put_event(struct draft_rule *draft, unsigned number,
		      const char *day, unsigned amount) {
	const struct stream *stream = draft->stream;
	const char *comma = "";

	put(draft, "    - %s: {", stream->name);
	for (size_t i = 0; i < stream->n_fields; i++) {
		const struct field *field = &stream->fields[i];

		if (field->type.optional)
			continue;
		put(draft, "%s%s: ", comma, field->name);
		comma = ", ";
		if (field == draft->amount)
			put(draft, "%u", amount);
		else if (field == stream->id && field->type.kind == KIND_STRING)
			put(draft, "'%u'", number);
		else if (field == stream->id && is_amount(field))
			put(draft, "%u", number);
		else if (field->type.kind == KIND_LIST)
			put(draft, "[A]");
		else
			put_plain(draft, field, field->type.kind, day);
	}
	put(draft, "}\n");
}

static void put_test(struct draft_rule *draft, const char *name) {
	put(draft, "  - name: %s\n    given:\n", name);
}

static void put_fires(struct draft_rule *draft, const char *day,
		      const char *level) {
	put(draft, "    expect: [{rule: %s, at: %s, level: %s}]\n", draft->name,
	    day, level);
}

static void put_silence(struct draft_rule *draft) {
	put(draft, "    expect: []\n");
}

static void put_by(struct draft_rule *draft) {
	if (draft->key)
		put(draft, "  by: [%s]\n", draft->key->name);
}

/* "{unit} ", the key where there is one, for a message. */
static const char *whose(struct draft_rule *draft) {
	return draft->key
		       ? arena_printf(&draft->arena, "{%s} ", draft->key->name)
		       : "";
}

static const char *format_of(const struct draft_rule *draft) {
	return draft->amount && draft->amount->type.kind == KIND_MONEY
		       ? "|money"
		       : "";
}

static void put_event_rule(struct draft_rule *draft) {
	const char *amount = draft->amount->name;

	put(draft,
	    "  params: {floor: 100000, high: 1000000}\n"
	    "  alert_if: %s >= params.floor\n"
	    "  level:                        # from red to green, the first "
	    "that is true\n"
	    "    orange: %s >= params.high\n"
	    "    yellow: \"true\"\n"
	    "  message:\n"
	    "    zh: \"%s单笔 {%s%s}，建议核实\"\n"
	    "    en: \"%s{%s%s} at once; worth reviewing\"\n",
	    amount, amount, whose(draft), amount, format_of(draft),
	    whose(draft), amount, format_of(draft));
}

static void put_event_tests(struct draft_rule *draft) {
	put_test(draft, "at the limit");
	put_event(draft, 1, "2026-03-02", 100000);
	put_fires(draft, "2026-03-02", "yellow");
	put_test(draft, "a high one");
	put_event(draft, 1, "2026-03-02", 1000000);
	put_fires(draft, "2026-03-02", "orange");
	put_test(draft, "just below the limit is silent");
	put_event(draft, 1, "2026-03-02", 99999);
	put_silence(draft);
}

static void put_count_rule(struct draft_rule *draft) {
	const char *cnt = free_name(draft, "cnt");
	const char *total = free_name(draft, "total");

	put_by(draft);
	put(draft, "  window: 30d\n  measure: {%s: count()", cnt);
	if (draft->amount)
		put(draft, ", %s: sum(%s)", total, draft->amount->name);
	put(draft,
	    "}\n"
	    "  params: {least: 3}\n"
	    "  alert_if: %s >= params.least\n"
	    "  level:                        # from red to green, the first "
	    "that is true\n"
	    "    orange: %s >= params.least * 2\n"
	    "    yellow: \"true\"\n"
	    "  message:\n"
	    "    zh: \"%s30 天内 {%s} 次",
	    cnt, cnt, whose(draft), cnt);
	if (draft->amount)
		put(draft, "，合计 {%s%s}", total, format_of(draft));
	put(draft, "，建议核实\"\n    en: \"%s{%s} times within 30 days",
	    whose(draft), cnt);
	if (draft->amount)
		put(draft, ", {%s%s} in all", total, format_of(draft));
	put(draft, "; worth reviewing\"\n");
}

static void put_count_tests(struct draft_rule *draft) {
	/* All on one day from the third on: a day later an alert whose
	 * values moved is published again. */
	static const char *const days[] = { "2026-03-02", "2026-03-03",
					    "2026-03-04", "2026-03-04",
					    "2026-03-04", "2026-03-04" };

	put_test(draft, "three within thirty days");
	put_event(draft, 1, "2026-03-02", 100);
	put_event(draft, 2, "2026-03-10", 100);
	put_event(draft, 3, "2026-03-31", 100);
	put_fires(draft, "2026-03-31", "yellow");
	put_test(draft, "the third comes when the first has left the window");
	put_event(draft, 1, "2026-03-02", 100);
	put_event(draft, 2, "2026-03-10", 100);
	put_event(draft, 3, "2026-04-01", 100);
	put_silence(draft);
	put_test(draft, "six are twice as many");
	for (unsigned i = 0; i < 6; i++)
		put_event(draft, i + 1, days[i], 100);
	put(draft,
	    "    expect:\n    - {rule: %s, at: %s, level: yellow}\n"
	    "    - {rule: %s, at: %s, level: orange}\n",
	    draft->name, days[2], draft->name, days[5]);
}

static void put_growth_rule(struct draft_rule *draft) {
	const char *total = free_name(draft, "total");
	const char *usual = free_name(draft, "usual");
	const char *growth = free_name(draft, "growth");

	put_by(draft);
	put(draft,
	    "  window: {calendar: month}     # to date\n"
	    "  measure: {%s: sum(%s)}\n"
	    "  baseline:                     # past months, at the same "
	    "working day\n"
	    "    %s: {of: %s, over: 12, stat: median, min_samples: 3}\n"
	    "  let: {%s: \"ratio(%s, %s.mid) - 1.0\"}\n"
	    "  alert_if: %s > 0.5\n"
	    "  level:                        # from red to green, the first "
	    "that is true\n"
	    "    orange: %s > 2.0\n"
	    "    yellow: \"true\"\n"
	    "  message:\n"
	    "    zh: \"%s本月累计 {%s%s}，比往月同期高 {%s|pct}，建议核实\"\n"
	    "    en: \"%s{%s%s} this month, {%s|pct} above the usual; worth "
	    "reviewing\"\n",
	    total, draft->amount->name, usual, total, growth, total, usual,
	    growth, growth, whose(draft), total, format_of(draft), growth,
	    whose(draft), total, format_of(draft), growth);
}

static void put_months(struct draft_rule *draft, unsigned amount) {
	put_event(draft, 1, "2025-12-03", 1000);
	put_event(draft, 2, "2026-01-06", 1000);
	put_event(draft, 3, "2026-02-03", 1000);
	put_event(draft, 4, "2026-03-16", amount);
}

static void put_growth_tests(struct draft_rule *draft) {
	put_test(draft, "twice the usual");
	put_months(draft, 2000);
	put_fires(draft, "2026-03-16", "yellow");
	put_test(draft, "four times the usual");
	put_months(draft, 4000);
	put_fires(draft, "2026-03-16", "orange");
	put_test(draft, "half above the usual is silent");
	put_months(draft, 1500);
	put_silence(draft);
}

/* An alert for each event, and each is one of its own where it has an id. */
static void put_peers_rule(struct draft_rule *draft) {
	const struct field *id = draft->stream->id;
	const char *usual = free_name(draft, "usual");
	const char *amount = draft->amount->name;

	if (id)
		put(draft, "  by: [%s]\n", id->name);
	put(draft,
	    "  baseline:                     # of others with the same %s\n"
	    "    %s: {of: %s, over: 180d, peers: [%s], stat: median_mad, "
	    "min_samples: 8}\n"
	    "  params: {far: 3.5, very_far: 6.0}\n"
	    "  alert_if: %s.z(%s) > params.far\n"
	    "  level:                        # from red to green, the first "
	    "that is true\n"
	    "    orange: %s.z(%s) > params.very_far\n"
	    "    yellow: \"true\"\n"
	    "  message:\n"
	    "    zh: \"%s{%s%s}，同类中位数 {%s.mid%s}，建议核实\"\n"
	    "    en: \"%s{%s%s} where {%s.mid%s} is usual; worth reviewing\"\n",
	    draft->key->name, usual, amount, draft->key->name, usual, amount,
	    usual, amount, whose(draft), amount, format_of(draft), usual,
	    format_of(draft), whose(draft), amount, format_of(draft), usual,
	    format_of(draft));
}

static void put_others(struct draft_rule *draft, unsigned amount) {
	static const unsigned amounts[] = {
		90, 95, 98, 100, 102, 105, 110, 120
	};

	for (unsigned i = 0; i < ARRAY_SIZE(amounts); i++)
		put_event(draft, i + 1, "2026-03-02", amounts[i]);
	put_event(draft, ARRAY_SIZE(amounts) + 1, "2026-03-03", amount);
}

static void put_peers_tests(struct draft_rule *draft) {
	put_test(draft, "far above the others");
	put_others(draft, 130);
	put_fires(draft, "2026-03-03", "yellow");
	put_test(draft, "very far above them");
	put_others(draft, 200);
	put_fires(draft, "2026-03-03", "orange");
	put_test(draft, "as high as some others is silent");
	put_others(draft, 120);
	put_silence(draft);
}

static const struct template {
	const char *name;
	bool needs_amount, needs_key;
	const char *zh, *en; /* title */
	void (*rule)(struct draft_rule * draft);
	void (*tests)(struct draft_rule * draft);
}
kinds[] = {
	{ "event", true, false, "单笔金额较大", "A large amount",
	  put_event_rule, put_event_tests },
	{ "count", false, false, "短期内次数较多", "Many within a short time",
	  put_count_rule, put_count_tests },
	{ "growth", true, false, "本月明显增长", "Much more than usual",
	  put_growth_rule, put_growth_tests },
	{ "peers", true, true, "明显高于同类", "Far above others",
	  put_peers_rule, put_peers_tests },
};

static const struct template *find_kind(const char *name) {
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	return NULL;
}

static void write_rule(struct draft_rule *draft, const struct template *kind) {
	put(draft,
	    "# Say here what this rule looks for, where its numbers come from, "
	    "and what\n"
	    "# else looks like it. `tocsin check --expand` prints what it "
	    "becomes.\n"
	    "apiversion: 1\n"
	    "package: %s\n"
	    "\n"
	    "rules:\n"
	    "- rule: %s\n"
	    "  title: {zh: %s, en: %s}\n"
	    "  status: test                  # `live` publishes its alerts\n"
	    "  owner: TBD                    # who answers for it\n"
	    "  from: %s\n",
	    draft->stream->package, draft->name, kind->zh, kind->en,
	    draft->stream->name);
	kind->rule(draft);
	put(draft,
	    "  advice: {zh: 核对原始凭证, en: Look at the documents}\n"
	    "  legal_basis: TBD\n"
	    "  tests:                        # what is not expected fails\n");
	kind->tests(draft);
}

static int no_stream(const struct verb *verb, const struct draft_rule *draft,
		     const struct ruleset *set) {
	CLEANUP(buf_free) struct buf names = { 0 };

	for (size_t i = 0; i < set->n_streams; i++)
		buf_printf(&names, "%s%s", i ? ", " : "",
			   set->streams[i]->name);
	if (draft->stream_name)
		return usage_error(verb,
				   "there is no stream `%s`; there are: "
				   "%s",
				   draft->stream_name, buf_cstr(&names));
	return usage_error(verb, "which stream? --stream, one of: %s",
			   buf_cstr(&names));
}

static int choose(const struct verb *verb, struct draft_rule *draft,
		  const struct ruleset *set, const struct template *kind) {
	if (draft->stream_name)
		draft->stream = ruleset_stream(set, draft->stream_name);
	else if (set->n_streams == 1)
		draft->stream = set->streams[0];
	if (!draft->stream)
		return no_stream(verb, draft, set);
	choose_fields(draft);
	if (kind->needs_amount && !draft->amount)
		return usage_error(verb,
				   "stream `%s` has no number that every event "
				   "has; try --kind count",
				   draft->stream->name);
	if (kind->needs_key && !draft->key)
		return usage_error(verb,
				   "stream `%s` has no text that every event "
				   "has, to group others by",
				   draft->stream->name);
	return CLEAN;
}

/* Never over a file that is there. */
static int write_file(const struct draft_rule *draft) {
	int fd = open(draft->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		      0666);
	size_t done = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (done < draft->out.len && n >= 0) {
		n = write(fd, draft->out.data + done, draft->out.len - done);
		if (n > 0)
			done += (size_t)n;
	}
	if (close(fd) < 0 || n < 0)
		return -errno;
	return 0;
}

static bool has_rule(const struct ruleset *set, const char *name) {
	for (size_t i = 0; i < set->n_rules; i++) {
		if (!strcmp(set->rules[i]->name, name))
			return true;
	}
	return false;
}

/*
 * The rules with the new one: in one of the folders, or beside them. 0, or
 * negative errno after complaints.
 */
static int load_again(struct draft_rule *draft, bool *beside) {
	const struct ruleset_options options = { 0 };

	for (int i = 0; i < 2; i++) {
		CLEANUP(ruleset_freep) struct ruleset *set = NULL;
		CLEANUP(diag_free) struct diag diag = { 0 };
		int r = rules_load(&set, draft->paths.items,
				   draft->paths.n + (size_t)i, &options, &diag);

		if (r < 0)
			return r;
		*beside = i == 1;
		if (has_rule(set, draft->name))
			return 0;
	}
	return -ENOENT;
}

static void print_paths(const struct draft_rule *draft, bool beside,
			const char *before) {
	for (size_t i = 0; i < draft->paths.n + beside; i++)
		printf("%s%s", before, draft->paths.items[i]);
}

static void print_next(const struct draft_rule *draft, bool beside) {
	printf("%s: rule `%s` on stream `%s`, status: test\n\nNext:\n"
	       "  change its numbers and words, then\n  tocsin check",
	       draft->path, draft->name, draft->stream->name);
	print_paths(draft, beside, " ");
	printf("\n  tocsin test");
	print_paths(draft, beside, " ");
	printf("\n  tocsin replay");
	print_paths(draft, beside, " -r ");
	printf(" %s=FILE     # what would have rung\n", draft->stream->name);
}

static int create(struct draft_rule *draft) {
	bool beside = false;
	int r = write_file(draft);

	if (r < 0) {
		fprintf(stderr, "tocsin new: %s: %s\n", draft->path,
			r == -EEXIST ? "is there already, and stays as it is"
				     : strerror(-r));
		return FINDINGS;
	}
	/* One more than was given: the file itself, if it has to be named. */
	draft->paths.items =
		reallocarray(draft->paths.items, draft->paths.n + 1,
			     sizeof(*draft->paths.items));
	if (!draft->paths.items)
		abort();
	draft->paths.items[draft->paths.n] = draft->path;
	if (load_again(draft, &beside) < 0) {
		unlink(draft->path);
		return FINDINGS;
	}
	print_next(draft, beside);
	return CLEAN;
}

/* "rules/late" is the rule `late` in rules/late.yaml. */
static void name_file(struct draft_rule *draft, const char *arg) {
	const char *slash = strrchr(arg, '/');
	size_t len = strlen(arg);

	if (len > 5 && !strcmp(arg + len - 5, ".yaml"))
		len -= 5;
	draft->path = arena_printf(&draft->arena, "%.*s.yaml", (int)len, arg);
	draft->folder = slash ? arena_strndup(&draft->arena, arg,
					      (size_t)(slash - arg) + 1)
			      : ".";
	slash = slash ? slash + 1 : arg;
	draft->name = arena_strndup(&draft->arena, slash,
				    len - (size_t)(slash - arg));
}

static int make(const struct verb *verb, struct draft_rule *draft) {
	CLEANUP(ruleset_freep) struct ruleset *set = NULL;
	CLEANUP(diag_free) struct diag diag = { 0 };
	const struct ruleset_options options = { 0 };
	const struct template *kind = find_kind(draft->kind_name);
	int r;

	if (!kind)
		return usage_error(verb, "--kind is event, count, growth or "
					 "peers");
	if (!draft->paths.n) {
		draft->paths.items = calloc(1, sizeof(*draft->paths.items));
		if (!draft->paths.items)
			abort();
		draft->paths.items[draft->paths.n++] = draft->folder;
	}
	if (rules_load(&set, draft->paths.items, draft->paths.n, &options,
		       &diag) < 0)
		return FINDINGS;
	if (!set->n_streams)
		return usage_error(verb, "no streams there; where are they? -r "
					 "RULES");
	r = choose(verb, draft, set, kind);
	if (r)
		return r;
	write_rule(draft, kind);
	return create(draft);
}

static int new_main(const struct verb *verb, int argc, char **argv) {
	struct draft_rule draft = { .kind_name = "count" };
	const struct flag flags[] = {
		{ 'r', "rules", "PATH",
		  "where the streams are (default: beside the new file)", NULL,
		  NULL, &draft.paths },
		{ 's', "stream", "NAME", "what it watches", NULL,
		  &draft.stream_name, NULL },
		{ 'k', "kind", "event|count|growth|peers",
		  "what it looks at (default count)", NULL, &draft.kind_name,
		  NULL },
	};
	int n = flags_parse(verb, flags, ARRAY_SIZE(flags), argc, argv);
	int r;

	if (n < 0)
		return -1 - n;
	if (n == 1) {
		name_file(&draft, argv[0]);
		r = make(verb, &draft);
	} else {
		r = usage_error(verb,
				"one name of a new rule: rules/large-payment");
	}
	free(draft.paths.items);
	buf_free(&draft.out);
	arena_free(&draft.arena);
	return r;
}

const struct verb new_verb = {
	.name = "new",
	.summary = "Writes a first rule with a test, to begin from.",
	.arguments = "RULE",
	.example = "tocsin new rules/large-payment --stream payments "
		   "--kind event",
	.run = new_main,
};
