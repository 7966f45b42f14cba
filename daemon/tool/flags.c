#include "tool/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

int usage_error(const struct verb *verb, const char *format, ...) {
	va_list ap;

	fprintf(stderr, "tocsin %s: ", verb->name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nTry: tocsin %s --help\n", verb->name);
	return USAGE;
}

static void print_flag(const struct flag *flag) {
	struct buf left = { 0 };
	struct buf line = { 0 };

	buf_puts(&left, "  ");
	if (flag->letter)
		buf_printf(&left, "-%c, ", flag->letter);
	buf_printf(&left, "--%s", flag->name);
	if (flag->value)
		buf_printf(&left, " %s", flag->value);
	text_fit(&line, left.data, left.len, 26);
	printf("%s  %s\n", buf_cstr(&line), flag->help);
	buf_free(&left);
	buf_free(&line);
}

/* A line each. */
static void print_example(const char *text) {
	while (*text) {
		size_t len = strcspn(text, "\n");

		printf("  %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void print_help(const struct verb *verb, const struct flag *flags,
		       size_t n) {
	printf("usage: tocsin %s [OPTION]... %s\n\n%s\n", verb->name,
	       verb->arguments, verb->summary);
	if (n)
		printf("\n");
	for (size_t i = 0; i < n; i++)
		print_flag(&flags[i]);
	printf("\nFor example:\n");
	print_example(verb->example);
}

static const struct flag *find_long(const struct flag *flags, size_t n,
				    const char *name, size_t len) {
	for (size_t i = 0; i < n; i++) {
		if (strlen(flags[i].name) == len &&
		    !strncmp(flags[i].name, name, len))
			return &flags[i];
	}
	return NULL;
}

static const struct flag *find_letter(const struct flag *flags, size_t n,
				      char letter) {
	for (size_t i = 0; i < n; i++) {
		if (flags[i].letter == letter)
			return &flags[i];
	}
	return NULL;
}

static void store(const struct flag *flag, const char *value) {
	struct texts_given *texts = flag->texts;

	if (flag->given)
		*flag->given = true;
	if (flag->text)
		*flag->text = value;
	if (!texts)
		return;
	texts->items =
		realloc(texts->items, (texts->n + 1) * sizeof(const char *));
	if (!texts->items)
		abort();
	texts->items[texts->n++] = value;
}

/* "-x", "-xVALUE", "--name", "--name=VALUE"; @at is moved over a value. */
static int take(const struct verb *verb, const struct flag *flags, size_t n,
		int argc, char **argv, int *at) {
	const char *arg = argv[*at];
	const char *value = NULL;
	const struct flag *flag;

	if (arg[1] == '-') {
		size_t len = strcspn(arg + 2, "=");

		flag = find_long(flags, n, arg + 2, len);
		if (arg[2 + len])
			value = arg + 2 + len + 1;
	} else {
		flag = find_letter(flags, n, arg[1]);
		if (arg[2])
			value = arg + 2;
	}
	if (!flag)
		return usage_error(verb, "unknown option %s", arg);
	if (flag->value && !value) {
		if (*at + 1 >= argc)
			return usage_error(verb, "%s needs a value: %s", arg,
					   flag->value);
		value = argv[++*at];
	} else if (!flag->value && value) {
		return usage_error(verb, "--%s takes no value", flag->name);
	}
	store(flag, value);
	return 0;
}

static bool begins_flag(char c) {
	return c == '-' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Set while flags_each() asks. */
static struct {
	void (*each)(void *context, const struct flag *flag);
	void *context;
} asking;

void flags_each(const struct verb *verb,
		void (*each)(void *context, const struct flag *flag),
		void *context) {
	char help[] = "--help";
	char *argv[] = { help, NULL };

	asking.each = each;
	asking.context = context;
	verb->run(verb, 1, argv);
	asking.each = NULL;
}

int flags_parse(const struct verb *verb, const struct flag *flags, size_t n,
		int argc, char **argv) {
	int kept = 0;
	bool over = false;

	for (int i = 0; i < argc; i++) {
		char *arg = argv[i];

		/* "-1 + x" is an expression. */
		if (over || arg[0] != '-' || !begins_flag(arg[1])) {
			argv[kept++] = arg;
		} else if (!strcmp(arg, "--")) {
			over = true;
		} else if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
			if (!asking.each)
				print_help(verb, flags, n);
			for (size_t k = 0; asking.each && k < n; k++)
				asking.each(asking.context, &flags[k]);
			return -1 - CLEAN;
		} else if (take(verb, flags, n, argc, argv, &i)) {
			return -1 - USAGE;
		}
	}
	return kept;
}
