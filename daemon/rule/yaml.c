#include "rule/yaml.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/map.h"
#include "base/text.h"
#include "base/util.h"

struct reader {
	yaml_parser_t parser;
	struct arena *arena;
	const struct source *source;
	struct diag *diag;
	struct map anchors;
	unsigned depth;
	size_t n_nodes;
	bool broken; /* nothing more can be read */
};

/* An anchor whose node is not complete yet. */
static struct yaml_node unfinished;

static struct place mark_place(const struct reader *reader, yaml_mark_t from,
			       yaml_mark_t to) {
	struct place place = {
		.source = reader->source,
		.line = (uint32_t)from.line + 1,
		.column = (uint32_t)from.column + 1,
	};

	if (to.line == from.line && to.column > from.column)
		place.width = (uint32_t)(to.column - from.column);
	return place;
}

/* Broken bytes are told by their offset, not by a line. */
static struct place offset_place(const struct reader *reader, size_t offset) {
	struct place place = {
		.source = reader->source,
		.line = 1,
	};
	const char *text = reader->source->text;
	size_t from = 0;

	if (offset > reader->source->len)
		offset = reader->source->len;
	for (size_t i = 0; i < offset; i++)
		if (text[i] == '\n') {
			place.line++;
			from = i + 1;
		}
	place.column = (uint32_t)utf8_length(text + from, offset - from) + 1;
	return place;
}

static void complain_broken(struct reader *reader) {
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "broken";
	const char *context = parser->context ? parser->context : "";
	struct place place;

	reader->broken = true;
	if (parser->error == YAML_READER_ERROR) {
		place = offset_place(reader, parser->problem_offset);
		diag_at(reader->diag, place, "E102", "not YAML: %s", problem);
		return;
	}
	place = mark_place(reader, parser->problem_mark, parser->problem_mark);
	if (strstr(context, "a tag")) {
		place = mark_place(reader, parser->context_mark,
				   parser->context_mark);
		diag_at(reader->diag, place, "E105",
			"YAML read this as a tag, not as an expression; quote "
			"it");
	} else if (strstr(problem, "mapping values are not allowed")) {
		diag_at(reader->diag, place, "E102",
			"YAML takes this colon for the end of a key; quote the "
			"text it stands in");
	} else if (strstr(context, "anchor") || strstr(context, "alias")) {
		place = mark_place(reader, parser->context_mark,
				   parser->context_mark);
		diag_at(reader->diag, place, "E107",
			"YAML read this as an anchor or alias, not as an "
			"expression; quote it");
	} else {
		diag_at(reader->diag, place, "E102", "not YAML: %s%s%s",
			problem, *context ? " " : "", context);
	}
}

static bool next_event(struct reader *reader, yaml_event_t *event) {
	if (reader->broken)
		return false;
	if (!yaml_parser_parse(&reader->parser, event)) {
		complain_broken(reader);
		return false;
	}
	return true;
}

static struct yaml_node *node_new(struct reader *reader, enum yaml_kind kind,
				  struct place place) {
	struct yaml_node *node = arena_new(reader->arena, struct yaml_node);

	node->kind = kind;
	node->place = place;
	node->inside = place;
	node->text = "";
	node->weight = 1;
	return node;
}

static void count_nodes(struct reader *reader, struct place place,
			size_t weight) {
	reader->n_nodes += weight;
	if (reader->broken || reader->n_nodes <= YAML_MAX_NODES)
		return;
	reader->broken = true;
	diag_at(reader->diag, place, "E109",
		"more than %d nodes with all aliases written out",
		YAML_MAX_NODES);
}

/* 1-based line @line of the source. */
static const char *line_of(const struct source *source, uint32_t line,
			   size_t *len) {
	const char *at = source->text;
	const char *end = at + source->len;
	const char *stop;

	while (--line) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return NULL;
		at++;
	}
	stop = memchr(at, '\n', (size_t)(end - at));
	*len = (size_t)((stop ? stop : end) - at);
	return at;
}

static uint32_t indent_of(const char *line, size_t len) {
	uint32_t n = 0;

	while (n < len && line[n] == ' ')
		n++;
	return n;
}

/* Where the text of a scalar begins, which is not where its node does. */
static struct place scalar_inside(const struct reader *reader,
				  const yaml_event_t *event,
				  struct place place) {
	const char *anchor = (const char *)event->data.scalar.anchor;
	const char *line;
	size_t len = 0;

	if (anchor)
		place.column += (uint32_t)strlen(anchor) + 2;
	switch (event->data.scalar.style) {
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		place.column++;
		place.width = place.width > 2 ? place.width - 2 : 0;
		break;
	case YAML_LITERAL_SCALAR_STYLE:
	case YAML_FOLDED_SCALAR_STYLE:
		line = line_of(reader->source, place.line + 1, &len);
		if (!line)
			break;
		place.line++;
		place.column = 1;
		place.width = 0;
		place.column += indent_of(line, len);
		break;
	case YAML_ANY_SCALAR_STYLE:
	case YAML_PLAIN_SCALAR_STYLE:
	default:
		break;
	}
	return place;
}

static void check_tag(const struct reader *reader, const yaml_char_t *tag,
		      struct place place) {
	const char *s = (const char *)tag;

	if (!s)
		return;
	if (!strncmp(s, "tag:yaml.org,2002:", 18))
		diag_at(reader->diag, place, "E105",
			"the tag !!%s has no meaning here; leave it out",
			s + 18);
	else
		diag_at(reader->diag, place, "E105",
			"YAML read this as a tag, not as an expression; quote "
			"it");
}

static struct yaml_node *read_scalar(struct reader *reader,
				     const yaml_event_t *event) {
	struct place place =
		mark_place(reader, event->start_mark, event->end_mark);
	struct yaml_node *node = node_new(reader, YAML_SCALAR, place);
	const char *anchor = (const char *)event->data.scalar.anchor;
	const char *text = (const char *)event->data.scalar.value;

	node->len = event->data.scalar.length;
	node->text = arena_strndup(reader->arena, text, node->len);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->inside = scalar_inside(reader, event, place);
	check_tag(reader, event->data.scalar.tag, place);
	if (memchr(text, 0, node->len))
		diag_at(reader->diag, place, "E102",
			"a text may not contain the character NUL");
	if (anchor && node->plain && !node->len)
		diag_at(reader->diag, place, "E107",
			"YAML read `&%s` as an anchor with nothing behind it; "
			"quote the expression",
			anchor);
	return node;
}

static struct yaml_node *read_alias(struct reader *reader,
				    const yaml_event_t *event) {
	const char *name = (const char *)event->data.alias.anchor;
	struct place place =
		mark_place(reader, event->start_mark, event->end_mark);
	struct yaml_node *node = map_get(&reader->anchors, name, strlen(name));

	if (node && node != &unfinished) {
		count_nodes(reader, place, node->weight);
		return node;
	}
	diag_at(reader->diag, place, "E107",
		node ? "the alias `*%s` stands inside of what it names"
		     : "YAML read `*%s` as an alias, and no anchor has that "
		       "name; quote an expression",
		name);
	return node_new(reader, YAML_SCALAR, place);
}

static struct yaml_node *read_node(struct reader *reader, yaml_event_t *event);

/* Brackets opened minus brackets closed, outside of quotes. */
static int open_brackets(const struct yaml_node *node) {
	char quote = 0;
	int n = 0;

	for (size_t i = 0; i < node->len; i++) {
		char c = node->text[i];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == '(')
			n++;
		else if (c == ')')
			n--;
	}
	return n;
}

/* True if @node is what YAML left of an expression with a comma in it. */
static bool is_cut(const struct reader *reader, const struct yaml_node *node,
		   const char *brackets) {
	if (node->kind != YAML_SCALAR || !node->plain ||
	    open_brackets(node) <= 0)
		return false;
	diag_at(reader->diag, node->place, "E106",
		"the expression was cut at a comma inside %s; quote it",
		brackets);
	return true;
}

static void list_add(struct reader *reader, struct yaml_node *list,
		     struct yaml_node *item, size_t *cap) {
	if (list->n == *cap) {
		struct yaml_node **items;

		*cap = *cap ? 2 * *cap : 4;
		items = arena_array(reader->arena, struct yaml_node *, *cap);
		if (list->n)
			memcpy(items, list->items, list->n * sizeof(*items));
		list->items = items;
	}
	list->items[list->n++] = item;
	list->weight += item->weight;
}

static struct yaml_node *read_list(struct reader *reader,
				   const yaml_event_t *start) {
	struct yaml_node *list = node_new(
		reader, YAML_LIST,
		mark_place(reader, start->start_mark, start->end_mark));
	size_t cap = 0;
	int open = 0;

	list->flow =
		start->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	check_tag(reader, start->data.sequence_start.tag, list->place);
	for (;;) {
		yaml_event_t event;
		struct yaml_node *item;

		if (!next_event(reader, &event))
			return list;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return list;
		}
		item = read_node(reader, &event);
		if (!item)
			return list;
		if (open > 0) {
			open += open_brackets(item);
			continue;
		}
		if (list->flow && is_cut(reader, item, "[ ]"))
			open = open_brackets(item);
		list_add(reader, list, item, &cap);
	}
}

static void map_add(struct reader *reader, struct yaml_node *map,
		    struct yaml_node *key, struct yaml_node *value,
		    size_t *cap) {
	if (map->n == *cap) {
		struct yaml_pair *pairs;

		*cap = *cap ? 2 * *cap : 8;
		pairs = arena_array(reader->arena, struct yaml_pair, *cap);
		if (map->n)
			memcpy(pairs, map->pairs, map->n * sizeof(*pairs));
		map->pairs = pairs;
	}
	map->pairs[map->n++] = (struct yaml_pair){ key, value };
	map->weight += value->weight + 1;
}

/* What YAML 1.1 tools do not read as the text that it is. */
static void check_key(const struct reader *reader,
		      const struct yaml_node *key) {
	static const char *const words[] = { "on", "off", "yes", "no" };

	for (size_t i = 0; key->plain && i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(key->text, words[i]))
			diag_at(reader->diag, key->place, "E108",
				"YAML 1.1 tools read the key `%s` as %s; call "
				"it otherwise",
				key->text, i % 2 ? "false" : "true");
}

/* `<<: *a` or `<<: [*a, *b]`: what the map itself does not say. */
static void merge_into(struct reader *reader, struct yaml_node *map,
		       struct map *seen, const struct yaml_node *from,
		       size_t *cap) {
	if (from->kind == YAML_LIST) {
		for (size_t i = 0; i < from->n; i++)
			if (from->items[i]->kind == YAML_MAP)
				merge_into(reader, map, seen, from->items[i],
					   cap);
		return;
	}
	if (from->kind != YAML_MAP) {
		diag_at(reader->diag, from->place, "E104",
			"`<<` takes a map or a list of maps");
		return;
	}
	for (size_t i = 0; i < from->n; i++) {
		struct yaml_pair pair = from->pairs[i];

		if (map_get(seen, pair.key->text, pair.key->len))
			continue;
		map_put(seen, reader->arena, pair.key->text, pair.key->len,
			pair.key);
		map_add(reader, map, pair.key, pair.value, cap);
	}
}

struct map_reader {
	struct yaml_node *map;
	struct map seen;
	size_t cap;
	int open; /* brackets of an expression that was cut */
	struct yaml_node *merge;
};

static void take_pair(struct reader *reader, struct map_reader *at,
		      struct yaml_node *key, struct yaml_node *value) {
	const struct yaml_node *first;

	if (at->open > 0 && key->plain && yaml_is_null(value)) {
		at->open += open_brackets(key);
		return;
	}
	at->open = 0;
	if (at->map->flow && is_cut(reader, value, "{ }"))
		at->open = open_brackets(value);
	else if (at->map->flow && yaml_is_null(value) &&
		 is_cut(reader, key, "{ }"))
		at->open = open_brackets(key);
	if (key->plain && yaml_is_text(key, "<<")) {
		at->merge = value;
		return;
	}
	check_key(reader, key);
	first = map_get(&at->seen, key->text, key->len);
	if (first) {
		diag_at(reader->diag, key->place, "E101",
			"key `%s` appears twice (first at line %u)", key->text,
			first->place.line);
		return;
	}
	map_put(&at->seen, reader->arena, key->text, key->len, key);
	map_add(reader, at->map, key, value, &at->cap);
}

static struct yaml_node *read_map(struct reader *reader,
				  const yaml_event_t *start) {
	struct map_reader at = {
		.map = node_new(
			reader, YAML_MAP,
			mark_place(reader, start->start_mark, start->end_mark)),
	};

	at.map->flow =
		start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	check_tag(reader, start->data.mapping_start.tag, at.map->place);
	for (;;) {
		yaml_event_t event;
		struct yaml_node *key;
		struct yaml_node *value;

		if (!next_event(reader, &event))
			return at.map;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			break;
		}
		key = read_node(reader, &event);
		if (!key || !next_event(reader, &event))
			return at.map;
		value = read_node(reader, &event);
		if (!value)
			return at.map;
		if (key->kind != YAML_SCALAR)
			diag_at(reader->diag, key->place, "E104",
				"a key must be a text, this is %s",
				yaml_kind_name(key));
		else
			take_pair(reader, &at, key, value);
	}
	if (at.merge)
		merge_into(reader, at.map, &at.seen, at.merge, &at.cap);
	return at.map;
}

static const char *event_anchor(const yaml_event_t *event) {
	const yaml_char_t *anchor = NULL;

	if (event->type == YAML_SCALAR_EVENT)
		anchor = event->data.scalar.anchor;
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		anchor = event->data.sequence_start.anchor;
	else if (event->type == YAML_MAPPING_START_EVENT)
		anchor = event->data.mapping_start.anchor;
	return (const char *)anchor;
}

static struct yaml_node *read_collection(struct reader *reader,
					 const yaml_event_t *event) {
	struct yaml_node *node;

	if (reader->depth == YAML_MAX_DEPTH) {
		reader->broken = true;
		diag_at(reader->diag,
			mark_place(reader, event->start_mark, event->end_mark),
			"E109", "nested more than %d deep", YAML_MAX_DEPTH);
		return NULL;
	}
	reader->depth++;
	node = event->type == YAML_MAPPING_START_EVENT
		       ? read_map(reader, event)
		       : read_list(reader, event);
	reader->depth--;
	return node;
}

/* Consumes @event; NULL if the file cannot be read on. */
static struct yaml_node *read_node(struct reader *reader, yaml_event_t *event) {
	CLEANUP(yaml_event_delete) yaml_event_t mine = *event;
	const char *anchor = event_anchor(&mine);
	struct yaml_node *node = NULL;
	size_t len = anchor ? strlen(anchor) : 0;

	if (anchor)
		map_put(&reader->anchors, reader->arena, anchor, len,
			&unfinished);
	if (mine.type == YAML_SCALAR_EVENT)
		node = read_scalar(reader, &mine);
	else if (mine.type == YAML_ALIAS_EVENT)
		return read_alias(reader, &mine);
	else
		node = read_collection(reader, &mine);
	if (!node)
		return NULL;
	count_nodes(reader, node->place, 1);
	if (anchor)
		map_put(&reader->anchors, reader->arena, anchor, len, node);
	return node;
}

static void read_stream(struct reader *reader, struct yaml_node **ret) {
	yaml_event_t event;
	bool second = false;

	while (next_event(reader, &event)) {
		yaml_event_type_t type = event.type;
		struct place place =
			mark_place(reader, event.start_mark, event.start_mark);

		switch (type) {
		case YAML_DOCUMENT_START_EVENT:
			if (second)
				diag_at(reader->diag, place, "E104",
					"a file holds one document; this is a "
					"second one");
			if (second)
				reader->broken = true;
			second = true;
			yaml_event_delete(&event);
			break;
		case YAML_SCALAR_EVENT:
		case YAML_ALIAS_EVENT:
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
			*ret = read_node(reader, &event);
			break;
		case YAML_NO_EVENT:
		case YAML_STREAM_START_EVENT:
		case YAML_STREAM_END_EVENT:
		case YAML_DOCUMENT_END_EVENT:
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
		default:
			yaml_event_delete(&event);
			if (type == YAML_STREAM_END_EVENT)
				return;
			break;
		}
	}
}

int yaml_parse(struct yaml_node **ret, struct arena *arena,
	       const struct source *source, struct diag *diag) {
	size_t before = diag->n_errors;
	struct reader reader = {
		.arena = arena,
		.source = source,
		.diag = diag,
	};

	*ret = NULL;
	if (source->len > YAML_MAX_BYTES)
		return diag_at(diag, (struct place){ .source = source }, "E109",
			       "larger than %zu MiB", YAML_MAX_BYTES >> 20);
	if (!yaml_parser_initialize(&reader.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser,
				     (const unsigned char *)source->text,
				     source->len);
	read_stream(&reader, ret);
	yaml_parser_delete(&reader.parser);
	return diag->n_errors > before ? -EINVAL : 0;
}

int yaml_read(struct yaml_node **ret, struct arena *arena, const char *path,
	      struct diag *diag) {
	const struct source *source;
	struct stat st;
	int r;

	*ret = NULL;
	/* Asked first, so that nobody reads 2 GiB to refuse them. */
	if (stat(path, &st) == 0 && (uintmax_t)st.st_size > YAML_MAX_BYTES)
		return diag_at(diag, (struct place){ 0 }, "E109",
			       "%s: larger than %zu MiB", path,
			       YAML_MAX_BYTES >> 20);
	r = diag_source(diag, path, &source);
	if (r < 0)
		return diag_at(diag, (struct place){ 0 }, "E103", "%s: %s",
			       path, strerror(-r));
	return yaml_parse(ret, arena, source, diag);
}

struct place yaml_place(const struct yaml_node *node, size_t from, size_t len) {
	struct place place = node->inside;
	size_t start = 0;

	for (size_t i = 0; i < from; i++)
		if (node->text[i] == '\n') {
			place.line++;
			start = i + 1;
		}
	if (start && place.source) {
		size_t n = 0;
		const char *line = line_of(place.source, place.line, &n);

		place.column = 1 + (line ? indent_of(line, n) : 0);
	}
	place.column += (uint32_t)utf8_length(node->text + start, from - start);
	place.width = (uint32_t)utf8_length(node->text + from, len);
	return place;
}

void yaml_unfold(struct place *place) {
	while (place->source && place->line && place->column) {
		size_t len = 0;
		const char *line = line_of(place->source, place->line, &len);
		const char *next;
		uint32_t points;

		if (!line)
			return;
		while (len && strchr(" \t\r", line[len - 1]))
			len--;
		points = (uint32_t)utf8_length(line, len);
		if (place->column <= points + 1)
			return;
		next = line_of(place->source, place->line + 1, &len);
		if (!next || !len)
			return;
		/* The line break was one blank. */
		place->column -= points + 1;
		place->column += indent_of(next, len);
		place->line++;
	}
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key) {
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (yaml_is_text(map->pairs[i].key, key))
			return map->pairs[i].value;
	return NULL;
}

bool yaml_is_text(const struct yaml_node *node, const char *text) {
	return node && node->kind == YAML_SCALAR && !strcmp(node->text, text);
}

bool yaml_is_null(const struct yaml_node *node) {
	return node->kind == YAML_SCALAR && node->plain &&
	       (!node->len || !strcmp(node->text, "~") ||
		!strcmp(node->text, "null"));
}

const char *yaml_kind_name(const struct yaml_node *node) {
	switch (node->kind) {
	case YAML_LIST:
		return "a list";
	case YAML_MAP:
		return "a map";
	case YAML_SCALAR:
	default:
		return yaml_is_null(node) ? "empty" : "a text";
	}
}

/* Plain if no tool could take it for anything but this text. */
static bool may_be_plain(const struct yaml_node *node) {
	static const char *const special = ":#{}[],&*!|>'\"%@`?~\\\n\t";

	if (!node->plain || !node->len)
		return false;
	return !strpbrk(node->text, special) && node->text[0] != ' ' &&
	       node->text[0] != '-' && node->text[node->len - 1] != ' ';
}

static void write_scalar(struct buf *out, const struct yaml_node *node) {
	if (yaml_is_null(node))
		buf_puts(out, "~");
	else if (may_be_plain(node))
		buf_add(out, node->text, node->len);
	else
		buf_json_string(out, node->text, node->len);
}

static void write_below(struct buf *out, const struct yaml_node *node,
			unsigned indent) {
	if (node->kind == YAML_SCALAR || !node->n) {
		buf_putc(out, ' ');
		yaml_write(out, node, indent);
	} else {
		buf_putc(out, '\n');
		yaml_write(out, node, indent);
	}
}

void yaml_write(struct buf *out, const struct yaml_node *node,
		unsigned indent) {
	if (node->kind == YAML_SCALAR) {
		write_scalar(out, node);
		buf_putc(out, '\n');
		return;
	}
	if (!node->n) {
		buf_puts(out, node->kind == YAML_LIST ? "[]\n" : "{}\n");
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		buf_repeat(out, ' ', indent);
		if (node->kind == YAML_LIST) {
			buf_putc(out, '-');
			write_below(out, node->items[i], indent + 2);
		} else {
			write_scalar(out, node->pairs[i].key);
			buf_putc(out, ':');
			write_below(out, node->pairs[i].value, indent + 2);
		}
	}
}
