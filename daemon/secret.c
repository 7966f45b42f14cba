#include "secret.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SECRET_MAX (64u << 10)

bool secret_is_property(const char *name) {
	return strstr(name, "password") || strstr(name, "secret") ||
	       strcmp(name, "ssl.key.pem") == 0 ||
	       strcmp(name, "sasl.oauthbearer.config") == 0;
}

/* Bytes of the file, at most @cap; negative errno. A pipe will do as well. */
static ssize_t read_file(const char *path, char *text, size_t cap) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (len < cap && n > 0) {
		n = read(fd, text + len, cap - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			break;
		else
			len += (size_t)n;
	}
	n = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	return n;
}

/* Room for one byte more than may be there, and for the end of a line. */
struct content {
	char text[SECRET_MAX + 3];
};

static int from_file(const char **ret, struct arena *arena, const char *path,
		     struct place place, struct diag *diag) {
	struct content *content = malloc(sizeof(*content));
	char *text = content->text;
	ssize_t n;
	int r = 0;

	if (!content)
		abort();
	n = read_file(path, text, sizeof(content->text));
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0 && text[n - 1] == '\r')
		n--;
	if (n < 0)
		r = diag_at(diag, place, "E103", "%s cannot be read: %s", path,
			    strerror((int)-n));
	else if (n == 0)
		r = diag_at(diag, place, "E301", "%s is empty", path);
	else if (n > (ssize_t)SECRET_MAX)
		r = diag_at(diag, place, "E301",
			    "%s: a secret has at most %u bytes", path,
			    SECRET_MAX);
	else if (memchr(text, 0, (size_t)n))
		r = diag_at(diag, place, "E301",
			    "%s: there is a null byte in it", path);
	else
		*ret = arena_strndup(arena, text, (size_t)n);
	explicit_bzero(content, sizeof(*content));
	free(content);
	return r;
}

static int from_environment(const char **ret, struct arena *arena,
			    const struct yaml_node *env, struct diag *diag) {
	const char *value = getenv(env->text);

	if (!value)
		return diag_at(diag, env->place, "E103",
			       "there is no environment variable %s",
			       env->text);
	if (!*value)
		return diag_at(diag, env->place, "E301",
			       "the environment variable %s is empty",
			       env->text);
	*ret = arena_strdup(arena, value);
	return 0;
}

int secret_read(const char **ret, struct arena *arena, const char *folder,
		const char *name, const struct yaml_node *node,
		struct diag *diag) {
	const struct yaml_node *file = yaml_get(node, "file");
	const struct yaml_node *env = yaml_get(node, "env");
	const char *path;

	if (node->kind != YAML_MAP || node->n != 1 ||
	    (file && file->kind != YAML_SCALAR) ||
	    (env && env->kind != YAML_SCALAR) || (!file && !env))
		return diag_at(diag, node->place, "E104",
			       "`%s` must be {file: PATH} or {env: NAME}: a "
			       "secret does not stand here",
			       name);
	if (env)
		return from_environment(ret, arena, env, diag);
	path = file->text;
	if (*path != '/' && *folder)
		path = arena_printf(arena, "%s/%s", folder, path);
	return from_file(ret, arena, path, file->place, diag);
}

/* What a quote must not show. */

#define NONE SIZE_MAX

static bool sounds_secret(const char *name, size_t len) {
	static const char *const marks[] = { "pass", "pasw", "pw",   "secr",
					     "tok",  "cred", "jaas", "oauth",
					     ".pem", "key.", "_key" };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		size_t mark = strlen(marks[i]);

		for (size_t at = 0; at + mark <= len; at++)
			if (strncasecmp(name + at, marks[i], mark) == 0)
				return true;
	}
	return false;
}

/* Where the first secret of a line begins. */
static size_t secret_in(const char *line, size_t len) {
	const char *url = memmem(line, len, "://", 3);
	size_t from = 0;

	if (url && memchr(url, '@', len - (size_t)(url - line)))
		return (size_t)(url + 3 - line);
	for (size_t i = 0; i < len; i++)
		if (line[i] == ' ' || line[i] == '{' || line[i] == ',')
			from = i + 1;
		else if (line[i] == ':' && sounds_secret(line + from, i - from))
			return i + 1;
	return NONE;
}

void secret_hide(struct diag *diag, const struct source *source) {
	const char *at = source->text, *end = at + source->len;
	size_t above = NONE; /* the blanks before the name of the last one */

	for (uint32_t number = 1; at < end; number++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);
		size_t blanks = strspn(at, " \n"), hide;

		/* What stands deeper belongs to the name above. */
		hide = blanks > above ? 0 : secret_in(at, len);
		if (hide != NONE)
			diag_hide(diag, source, number, hide);
		if (blanks <= above)
			above = hide == NONE ? NONE : blanks;
		at += len + 1;
	}
}
