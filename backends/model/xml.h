/*
 * XML in and out: a push parser that knows when a document is complete, and escaping for
 * what we print. What takes values from a document is doc_xml.h. Only the *xml.c files
 * know libxml2.
 *
 * Limits: 1 MiB, depth 256, no DOCTYPE. Encodings: what libxml2 reads; text comes out as
 * UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

#define XML_LIMIT (1 << 20)

/* -- a document that arrives in pieces -- */

enum xml_state { XML_EMPTY, XML_INCOMPLETE, XML_COMPLETE, XML_REFUSED };

struct xml_feed; /* one per open document; not for two threads at once */

/* NULL: no memory. */
struct xml_feed *xml_feed_new(void);
void xml_feed_free(struct xml_feed *f);

/*
 * Takes the next bytes. XML_COMPLETE: the root element has closed and the whole text is
 * well formed. XML_REFUSED sets err (EINVAL, EFBIG), naming line and element; the feed
 * then stays refused. After XML_COMPLETE only white space, comments and processing
 * instructions are taken.
 */
enum xml_state xml_feed_add(struct xml_feed *f, const void *data, size_t len,
			    struct error *err);
enum xml_state xml_feed_state(const struct xml_feed *f);

/* The sentence for an incomplete or refused document: where it ends. Returns -EINVAL or
 * so. */
int xml_feed_why(const struct xml_feed *f, struct error *err);

/* All bytes taken so far, owned by the feed. */
const struct buf *xml_feed_text(const struct xml_feed *f);

/* -- printing -- */

/* Adds text with < > & ' " escaped; bytes that XML cannot hold make it -EILSEQ. */
int xml_add_escaped(struct buf *out, const char *text);

/* Whether text is valid UTF-8 that XML can hold. */
bool xml_can_hold(const char *text);

/* Call once before the first thread. */
void xml_init(void);
