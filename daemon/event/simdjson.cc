#include "event/simdjson.h"

#include <cerrno>
#include <memory>
#include <new>

#include <simdjson.h>

using simdjson::internal::dom_parser_implementation;

struct json_index {
	std::unique_ptr<dom_parser_implementation> stages;
	size_t max_bytes;
};

int json_index_new(struct json_index **ret, size_t max_bytes) {
	/* The library keeps offsets in 32 bits, and wants some room. */
	if (max_bytes > simdjson::SIMDJSON_MAXSIZE_BYTES - 4096)
		return -E2BIG;

	std::unique_ptr<json_index> index(new (std::nothrow) json_index);
	if (!index)
		return -ENOMEM;
	/* The parser makes the implementation that this processor runs. */
	simdjson::dom::parser parser;
	if (parser.allocate(max_bytes + simdjson::SIMDJSON_PADDING, 1))
		return -ENOMEM;
	index->stages = std::move(parser.implementation);
	index->max_bytes = max_bytes;
	*ret = index.release();
	return 0;
}

void json_index_free(struct json_index *index) {
	delete index;
}

int json_index_build(struct json_index *index, const char *text, size_t len,
		     const uint32_t **ret, size_t *n) {
	if (len == 0)
		return -EBADMSG;
	if (len > index->max_bytes)
		return -E2BIG;

	auto bytes = reinterpret_cast<const uint8_t *>(text);
	if (index->stages->stage1(bytes, len, simdjson::stage1_mode::regular))
		/*
		 * Which fault is found first differs between processors, and
		 * a reason must not.
		 */
		return json_is_utf8(text, len) ? -EBADMSG : -EILSEQ;

	*ret = index->stages->structural_indexes.get();
	*n = index->stages->n_structural_indexes;
	return 0;
}

bool json_is_utf8(const char *text, size_t len) {
	return simdjson::validate_utf8(text, len);
}
