/*
 * Documents in pieces: the first byte says how long they are. What is complete in one
 * piece is complete in several. (Not the other way: a comment begun behind the root
 * cannot undo what was committed.)
 */
#include "backends/model/xml.h"
#include "backends/support/cleanup.h"
#include "tests/fuzz/fuzz.h"

DEFINE_CLEANUP(cleanup_feed, struct xml_feed *, xml_feed_free)

static enum xml_state feed(const uint8_t *data, size_t size, size_t piece)
{
	CLEANUP(cleanup_feed) struct xml_feed *f = xml_feed_new();
	enum xml_state state = XML_EMPTY;
	struct error err = { 0 };

	HOLDS(f);
	for (size_t at = 0; at < size && state != XML_REFUSED; at += piece)
		state = xml_feed_add(f, data + at, piece < size - at ? piece : size - at,
				     &err);
	HOLDS(state != XML_REFUSED || (err.code && err.text[0]));
	HOLDS(state == XML_COMPLETE || size == 0 || xml_feed_why(f, &err) < 0);
	HOLDS(state != XML_COMPLETE || xml_feed_text(f)->len == size);
	return state;
}

/* libxml2 2.9's push parser takes the start of such a comment for its end when it comes
 * in pieces. */
static bool odd_comment(const uint8_t *data, size_t size)
{
	return memmem(data, size, "<!-->", 5) || memmem(data, size, "<!--->", 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;

	size_t piece = *data++ % 32 + 1;

	size--;
	HOLDS(odd_comment(data, size) || feed(data, size, size + 1) != XML_COMPLETE ||
	      feed(data, size, piece) == XML_COMPLETE);
	return 0;
}
