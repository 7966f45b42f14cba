#include "tool/completion.h"

#include <string.h>

#include "tool/verb.h"
#include "usage.h"

static bool is_file(const char *value) {
	return strstr(value, "FILE") || strstr(value, "PATH") ||
	       strstr(value, "FOLDER");
}

/* "zh|en" */
static bool is_choice(const char *value) {
	return strchr(value, '|') && *value >= 'a' && *value <= 'z';
}

static void put_words(struct buf *out, const char *choice) {
	for (; *choice; choice++)
		buf_putc(out, *choice == '|' ? ' ' : *choice);
}

/*** bash ***/

struct bash {
	struct buf *out;
	const char *verb;
	struct buf options;
};

/* What follows an option that wants a value. */
static void bash_value(struct buf *out, const char *value) {
	if (is_file(value)) {
		buf_puts(out, ") files=1 ;;\n");
		return;
	}
	buf_puts(out, ") words='");
	if (is_choice(value))
		put_words(out, value);
	buf_puts(out, "' ;;\n");
}

static void bash_flag(void *context, const struct flag *flag) {
	struct bash *bash = context;

	buf_printf(&bash->options, " --%s", flag->name);
	if (flag->letter)
		buf_printf(&bash->options, " -%c", flag->letter);
	if (!flag->value)
		return;
	buf_printf(bash->out, "\t%s:--%s", bash->verb, flag->name);
	if (flag->letter)
		buf_printf(bash->out, " | %s:-%c", bash->verb, flag->letter);
	bash_value(bash->out, flag->value);
}

static void bash_daemon(struct bash *bash) {
	for (const struct usage_option *it = daemon_options; it->name; it++) {
		buf_printf(&bash->options, " %s", it->name);
		if (!it->value)
			continue;
		buf_printf(bash->out, "\ttocsind:%s", it->name);
		bash_value(bash->out, it->value);
	}
}

void completion_bash(struct buf *out) {
	struct bash bash = { .out = out };
	struct buf cases = { 0 };

	buf_puts(out, "# Completion of tocsin and tocsind for bash.\n"
		      "_tocsin() {\n"
		      "\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n"
		      "\tlocal prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		      "\tlocal at=${1##*/} words= files=\n"
		      "\tif [ \"$at\" = tocsin ] && [ \"$COMP_CWORD\" -gt 1 ]; "
		      "then\n\t\tat=${COMP_WORDS[1]}\n\tfi\n"
		      "\tcase $at:$prev in\n");
	for (const struct verb *const *it = verbs; *it; it++) {
		bash.verb = (*it)->name;
		buf_reset(&bash.options);
		flags_each(*it, bash_flag, &bash);
		buf_printf(&cases, "\t\t%s:-*) words='--help%s' ;;\n",
			   bash.verb, buf_cstr(&bash.options));
		if (is_file((*it)->arguments))
			buf_printf(&cases, "\t\t%s:*) files=1 ;;\n", bash.verb);
	}
	buf_reset(&bash.options);
	bash_daemon(&bash);
	buf_printf(&cases, "\t\ttocsind:*) words='%s' ;;\n",
		   buf_cstr(&bash.options) + 1);
	buf_puts(out, "\t*)\n\t\tcase $at:$cur in\n\t\ttocsin:*) words='");
	for (const struct verb *const *it = verbs; *it; it++)
		buf_printf(out, "%s ", (*it)->name);
	buf_printf(out, "--help --version' ;;\n%s\t\tesac\n\t\t;;\n\tesac\n",
		   buf_cstr(&cases));
	buf_puts(out, "\tif [ -n \"$files\" ]; then\n"
		      "\t\tcompopt -o filenames 2>/dev/null\n"
		      "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		      "\telse\n"
		      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
		      "\"$cur\")\n"
		      "\tfi\n}\ncomplete -F _tocsin tocsin tocsind\n");
	buf_free(&bash.options);
	buf_free(&cases);
}

/*** zsh ***/

/* Within '…', where _arguments and _describe give [ ] : a meaning. */
static void zsh_text(struct buf *out, const char *s) {
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(out, "'\\'");
		else if (strchr("[]:\\", *s))
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

static void zsh_value(struct buf *out, const char *value) {
	buf_putc(out, ':');
	zsh_text(out, value);
	buf_putc(out, ':');
	if (is_file(value)) {
		buf_puts(out, "_files");
	} else if (is_choice(value)) {
		buf_putc(out, '(');
		put_words(out, value);
		buf_putc(out, ')');
	}
}

static void zsh_flag(void *context, const struct flag *flag) {
	struct buf *out = context;
	const char *more = flag->value ? "=" : "";

	buf_puts(out, " \\\n\t\t");
	if (flag->texts)
		buf_puts(out, "'*'");
	else if (flag->letter)
		buf_printf(out, "'(-%c --%s)'", flag->letter, flag->name);
	if (flag->letter)
		buf_printf(out, "{-%c%s,--%s%s}", flag->letter,
			   flag->value ? "+" : "", flag->name, more);
	else
		buf_printf(out, "--%s%s", flag->name, more);
	buf_puts(out, "'[");
	zsh_text(out, flag->help);
	buf_putc(out, ']');
	if (flag->value)
		zsh_value(out, flag->value);
	buf_putc(out, '\'');
}

static void zsh_daemon(struct buf *out) {
	buf_puts(out, "if [[ $service == tocsind ]]; then\n\t_arguments");
	for (const struct usage_option *it = daemon_options; it->name; it++) {
		buf_printf(out, " \\\n\t\t'%s[", it->name);
		zsh_text(out, it->help);
		buf_putc(out, ']');
		if (it->value)
			zsh_value(out, it->value);
		buf_putc(out, '\'');
	}
	buf_puts(out, "\n\treturn\nfi\n");
}

void completion_zsh(struct buf *out) {
	buf_puts(out, "#compdef tocsin tocsind\n"
		      "# Completion of tocsin and tocsind for zsh.\n");
	zsh_daemon(out);
	buf_puts(out, "local -a verbs\nif (( CURRENT == 2 )); then\n"
		      "\tverbs=(\n");
	for (const struct verb *const *it = verbs; *it; it++) {
		buf_printf(out, "\t\t'%s:", (*it)->name);
		zsh_text(out, (*it)->summary);
		buf_puts(out, "'\n");
	}
	buf_puts(out, "\t)\n\t_describe verb verbs\n\treturn\nfi\n"
		      "local verb=$words[2]\nshift words\n(( CURRENT-- ))\n"
		      "case $verb in\n");
	for (const struct verb *const *it = verbs; *it; it++) {
		buf_printf(out, "%s)\n\t_arguments '--help[print the options]'",
			   (*it)->name);
		flags_each(*it, zsh_flag, out);
		if (is_file((*it)->arguments))
			buf_puts(out, " \\\n\t\t'*:file:_files'");
		buf_puts(out, "\n\t;;\n");
	}
	buf_puts(out, "esac\n");
}
