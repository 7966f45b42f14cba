#include "event/schema.h"

#include <string.h>

struct field *stream_field(const struct stream *stream, const char *name) {
	for (size_t i = 0; i < stream->n_fields; i++) {
		if (!strcmp(stream->fields[i].name, name))
			return &stream->fields[i];
	}
	return NULL;
}
