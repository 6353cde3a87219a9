/*
 * XML in and out: libxml2's push parser with our own limits around it, and escaping.
 *
 * Everything is parsed through struct xml_feed, whole documents too, so that the limits
 * hold everywhere: the text goes in in slices, and no tag or comment may be longer than
 * XML_MARKUP, which keeps what libxml2 does in quadratic time (attributes, namespaces of
 * one element) small. DTDs are refused at their first byte, so there are no entities, and
 * nothing outside the text is ever read.
 */
#include "backends/model/xml.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>

#include "backends/model/doc_xml.h"
#include "backends/support/cleanup.h"

#define XML_DEPTH  256
#define XML_SLICE  4096
#define XML_MARKUP (64 << 10)

#if LIBXML_VERSION >= 21200
#define CONST_ERROR const
#else
#define CONST_ERROR
#endif

struct xml_feed {
	xmlParserCtxt *parser;
	struct buf text;
	enum xml_state state;
	bool build;  /* a tree, too */
	bool closed; /* the root element has */
	size_t depth;
	const xmlChar *open[XML_DEPTH]; /* names, owned by the parser's dictionary */
	struct error why;               /* of a refused document */
};

/* -- characters -- */

/* The length of the character at s; 0: not UTF-8, or a character that XML cannot hold. */
static size_t character(const unsigned char *s)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (*s < 0x80)
		return *s >= 0x20 || *s == '\t' || *s == '\n' || *s == '\r';

	size_t len = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	uint32_t c = *s & (0x7f >> len);

	if (*s < 0xc2 || *s > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ||
	    (c | 1) == 0xffff)
		return 0;
	return len;
}

/* -- the parser's callbacks -- */

static struct xml_feed *feed_of(void *parser)
{
	return ((xmlParserCtxt *)parser)->_private;
}

static const char *innermost(const struct xml_feed *f)
{
	return f->depth ? (const char *)f->open[f->depth - 1] : NULL;
}

/* The first reason stands; what libxml2 says later only follows from it. */
static void refuse(struct xml_feed *f, int code, const char *reason)
{
	const char *element = innermost(f);
	int line = xmlSAX2GetLineNumber(f->parser);

	if (f->why.code)
		return;
	f->state = XML_REFUSED;
	if (line < 1)
		line = 1;
	if (element)
		error_set(&f->why, code, "line %d: <%s>: %s", line, element, reason);
	else
		error_set(&f->why, code, "line %d: %s", line, reason);
}

static void stop(struct xml_feed *f, int code, const char *reason)
{
	refuse(f, code, reason);
	xmlStopParser(f->parser);
}

static void on_doctype(void *parser, const xmlChar *name, const xmlChar *public_id,
		       const xmlChar *system_id)
{
	stop(feed_of(parser), EINVAL, "a DOCTYPE is not allowed here");
}

static void on_start(void *parser, const xmlChar *name, const xmlChar *prefix,
		     const xmlChar *uri, int n_namespaces, const xmlChar **namespaces,
		     int n_attributes, int n_defaulted, const xmlChar **attributes)
{
	struct xml_feed *f = feed_of(parser);

	if (f->depth == XML_DEPTH) {
		stop(f, EINVAL, "elements are nested more than 256 deep");
		return;
	}
	f->open[f->depth++] = name;
	if (f->build)
		xmlSAX2StartElementNs(parser, name, prefix, uri, n_namespaces, namespaces,
				      n_attributes, n_defaulted, attributes);
}

static void on_end(void *parser, const xmlChar *name, const xmlChar *prefix,
		   const xmlChar *uri)
{
	struct xml_feed *f = feed_of(parser);

	if (f->build)
		xmlSAX2EndElementNs(parser, name, prefix, uri);
	if (f->depth && --f->depth == 0)
		f->closed = true;
}

/* A character that the last write has cut, and nothing else. */
static bool cut_short(const unsigned char *s, size_t left)
{
	size_t wants = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : *s >= 0xc2 ? 2 : 1, n = 1;

	while (n < left && (s[n] & 0xc0) == 0x80)
		n++;
	return n == left && n < wants;
}

/* What libxml2 says of bad bytes differs with how they arrive; we say one thing. */
static bool has_bad_bytes(const struct xml_feed *f)
{
	const xmlParserInput *in = f->parser->input;
	const unsigned char *s = (const unsigned char *)f->text.data;

	if (in && in->buf && in->buf->encoder)
		return false;
	for (size_t i = 0, n; i < f->text.len; i += n) {
		n = character(s + i);
		if (!n)
			return !cut_short(s + i, f->text.len - i);
	}
	return false;
}

static bool about_bytes(int code)
{
	return code == XML_ERR_INTERNAL_ERROR || code == XML_ERR_INVALID_CHAR ||
	       code == XML_ERR_INVALID_ENCODING || code == XML_ERR_UNKNOWN_ENCODING ||
	       code == XML_I18N_CONV_FAILED;
}

static void on_error(void *parser, CONST_ERROR xmlError *e)
{
	struct xml_feed *f = feed_of(parser);
	char reason[200];

	if (e->code == XML_ERR_NO_MEMORY) {
		refuse(f, ENOMEM, "out of memory");
	} else if (e->level < XML_ERR_FATAL && e->code != XML_I18N_CONV_FAILED) {
		return; /* namespaces: an undeclared prefix is just an unknown element */
	} else if (f->closed) {
		refuse(f, EINVAL,
		       "there is text behind the root element: nothing but comments "
		       "may follow it");
	} else if (e->code == XML_ERR_UNSUPPORTED_ENCODING) {
		refuse(f, EINVAL, "the declared encoding is not known: write UTF-8");
	} else if (about_bytes(e->code) || has_bad_bytes(f)) {
		refuse(f, EINVAL,
		       "the text has a byte that is not UTF-8, or a character that XML "
		       "cannot hold: write UTF-8, or declare the encoding");
	} else {
		snprintf(reason, sizeof(reason), "%s",
			 e->message ? e->message : "not XML");
		reason[strcspn(reason, "\n")] = '\0';
		refuse(f, EINVAL, reason);
	}
}

static const xmlSAXHandler callbacks = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = on_doctype,
	.startElementNs = on_start,
	.endElementNs = on_end,
	.serror = on_error,
};

static const xmlSAXHandler building_callbacks = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = on_doctype,
	.startDocument = xmlSAX2StartDocument,
	.endDocument = xmlSAX2EndDocument,
	.startElementNs = on_start,
	.endElementNs = on_end,
	.characters = xmlSAX2Characters,
	.ignorableWhitespace = xmlSAX2Characters,
	.cdataBlock = xmlSAX2CDataBlock,
	.serror = on_error,
};

/* -- the feed -- */

static struct xml_feed *feed_new(bool build)
{
	xmlSAXHandler handler = build ? building_callbacks : callbacks; /* is copied */
	struct xml_feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->build = build;
	f->parser = xmlCreatePushParserCtxt(&handler, NULL, NULL, 0, NULL);
	if (!f->parser) {
		free(f);
		return NULL;
	}
	f->parser->_private = f;
	xmlCtxtUseOptions(f->parser,
			  XML_PARSE_NONET | XML_PARSE_BIG_LINES | XML_PARSE_NOCDATA);
	return f;
}

struct xml_feed *xml_feed_new(void)
{
	return feed_new(false);
}

void xml_feed_free(struct xml_feed *f)
{
	if (!f)
		return;
	if (f->parser->myDoc)
		xmlFreeDoc(f->parser->myDoc);
	xmlFreeParserCtxt(f->parser);
	buf_free(&f->text);
	free(f);
}

/* Bytes that the parser has got and not understood yet. */
static size_t pending(const struct xml_feed *f, const char **at)
{
	const xmlParserInput *in = f->parser->input;

	if (!in)
		return 0;
	*at = (const char *)in->cur;
	return in->end - in->cur;
}

/*
 * The root element has closed. Whether what follows is whole: the parser keeps back a
 * comment that has not ended, and a single character, of which it cannot tell yet what it
 * begins.
 */
static enum xml_state behind_root(struct xml_feed *f)
{
	const xmlParserInputBuffer *in = f->parser->input ? f->parser->input->buf : NULL;
	const char *at = NULL;
	size_t n = pending(f, &at);

	for (; n && strchr(" \t\r\n", *at) && *at; n--)
		at++;
	if (n && *at != '<') {
		on_error(f->parser, &(xmlError){ .level = XML_ERR_FATAL,
						 .code = XML_ERR_DOCUMENT_END });
		return XML_REFUSED;
	}
	/* half a character of UTF-16 */
	if (!n && in && in->encoder && in->raw && xmlBufUse(in->raw))
		return XML_INCOMPLETE;
	return n ? XML_INCOMPLETE : XML_COMPLETE;
}

/*
 * The parser waits for the ';' of "a & b" until the end; we know that none will do.
 * Inside CDATA it is a character like any other.
 */
static bool stray_ampersand(const struct xml_feed *f, const char *at, size_t n)
{
	size_t i = 1;

	if (!n || *at != '&' || f->parser->instate == XML_PARSER_CDATA_SECTION)
		return false;
	while (i < n && i < 64 && (isalnum((unsigned char)at[i]) || at[i] == '#'))
		i++;
	return i < n && at[i] != ';';
}

/* What libxml2 has no parser for at hand, it prints; what it means reaches on_error, too.
 */
static void print_nothing(void *data, CONST_ERROR xmlError *e)
{
}

static void feed_slices(struct xml_feed *f, const char *data, size_t len)
{
	const char *at = NULL;

	xmlSetStructuredErrorFunc(NULL, print_nothing); /* it is this thread's */
	while (len && !f->why.code) {
		size_t n = len < XML_SLICE ? len : XML_SLICE;
		int code = xmlParseChunk(f->parser, data, n, 0);
		size_t kept = pending(f, &at);

		if (!f->parser->wellFormed)
			refuse(f, code == XML_ERR_NO_MEMORY ? ENOMEM : EINVAL,
			       "not well-formed");
		else if (!f->why.code && kept > XML_MARKUP)
			stop(f, EINVAL, "a tag or comment is longer than 64 KiB");
		else if (!f->why.code && stray_ampersand(f, at, kept))
			stop(f, EINVAL, "a '&' stands alone: write &amp; for it");
		data += n;
		len -= n;
	}
}

enum xml_state xml_feed_add(struct xml_feed *f, const void *data, size_t len,
			    struct error *err)
{
	if (f->state == XML_REFUSED) {
		error_copy(err, &f->why);
		return XML_REFUSED;
	}
	if (!len)
		return f->state;
	if (len > XML_LIMIT - f->text.len)
		refuse(f, EFBIG, "the document is larger than 1 MiB");
	else if (buf_add(&f->text, data, len) < 0)
		refuse(f, ENOMEM, "out of memory");
	else
		feed_slices(f, data, len);

	if (!f->why.code) {
		enum xml_state now = f->closed ? behind_root(f) : XML_INCOMPLETE;

		/* what was complete stays so while a comment behind it goes on */
		if (now == XML_REFUSED || f->state != XML_COMPLETE)
			f->state = now;
	}
	if (f->why.code)
		error_copy(err, &f->why);
	return f->state;
}

enum xml_state xml_feed_state(const struct xml_feed *f)
{
	return f->state;
}

/* Of the end; the parser's own count is behind by what it keeps back. */
static int last_line(const struct xml_feed *f)
{
	int line = 1;

	for (size_t i = 0; i < f->text.len; i++)
		line += f->text.data[i] == '\n';
	return line;
}

int xml_feed_why(const struct xml_feed *f, struct error *err)
{
	int line = last_line(f);
	const char *element = innermost(f);

	if (f->state == XML_REFUSED)
		return error_copy(err, &f->why);
	if (f->state == XML_EMPTY)
		return error_set(err, EINVAL, "the document is empty");
	if (f->state == XML_COMPLETE)
		return error_set(err, EINVAL, "the document is complete");
	if (f->closed)
		return error_set(err, EINVAL,
				 "line %d: the document ends inside what follows its "
				 "root element",
				 line);
	if (!element)
		return error_set(err, EINVAL,
				 "line %d: the document ends before its root element",
				 line);
	return error_set(err, EINVAL,
			 "line %d: <%s>: the document ends inside this element", line,
			 element);
}

const struct buf *xml_feed_text(const struct xml_feed *f)
{
	return &f->text;
}

/* -- a whole document -- */

int xml_tree_parse(const char *text, size_t len, struct _xmlDoc **out, struct error *err)
{
	struct xml_feed *f = feed_new(true);
	int r = 0;

	if (!f)
		return error_set(err, ENOMEM, "out of memory");
	if (xml_feed_add(f, text, len, err) == XML_COMPLETE)
		*out = take(f->parser->myDoc);
	else
		r = xml_feed_why(f, err);
	xml_feed_free(f);
	return r;
}

/* -- printing -- */

bool xml_can_hold(const char *text)
{
	for (size_t n; *text; text += n) {
		n = character((const unsigned char *)text);
		if (!n)
			return false;
	}
	return true;
}

/* What a byte is written as; NULL: as it is. No white space but the blank survives a
 * reader. */
static const char *reference(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '\'':
		return "&apos;";
	case '"':
		return "&quot;";
	case '\t':
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

int xml_add_escaped(struct buf *out, const char *text)
{
	if (!xml_can_hold(text))
		return -EILSEQ;
	while (*text) {
		size_t plain = strcspn(text, "<>&'\"\t\n\r");

		if (buf_add(out, text, plain) < 0)
			return -ENOMEM;
		text += plain;
		if (*text && buf_puts(out, reference(*text++)) < 0)
			return -ENOMEM;
	}
	return 0;
}

void xml_init(void)
{
	xmlInitParser();
}
