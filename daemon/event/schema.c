#include "event/schema.h"

#include <string.h>

struct field *stream_field(const struct stream *stream, const char *name) {
	for (size_t i = 0; i < stream->n_fields; i++) {
		if (!strcmp(stream->fields[i].name, name))
			return &stream->fields[i];
	}
	return NULL;
}

const struct field *stream_slot(const struct stream *stream, int32_t slot) {
	for (size_t i = 0; slot >= 0 && i < stream->n_fields; i++)
		if (stream->fields[i].used && stream->fields[i].slot == slot)
			return &stream->fields[i];
	for (size_t i = 0; slot >= 0 && i < stream->n_elements; i++)
		if (stream->elements[i]->slot == slot)
			return stream->elements[i];
	return NULL;
}
