/* Writing XML as libvirt does. */
#include "backends/model/write_xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/xml.h"

static void add(struct xml_writer *w, const char *text)
{
	if (!w->failed)
		w->failed = buf_puts(w->out, text);
}

static void add_escaped(struct xml_writer *w, const char *text)
{
	if (!w->failed)
		w->failed = xml_add_escaped(w->out, text);
}

/* "<name a='b'" with the indent before it. */
static void open_tag(struct xml_writer *w, const char *name, va_list attributes)
{
	const char *attribute;

	for (unsigned i = 0; i < w->depth; i++)
		add(w, "  ");
	add(w, "<");
	add(w, name);
	while ((attribute = va_arg(attributes, const char *))) {
		const char *value = va_arg(attributes, const char *);

		if (!value)
			continue;
		add(w, " ");
		add(w, attribute);
		add(w, "='");
		add_escaped(w, value);
		add(w, "'");
	}
}

void xml_begin(struct xml_writer *w, const char *name, ...)
{
	va_list attributes;

	va_start(attributes, name);
	open_tag(w, name, attributes);
	va_end(attributes);
	add(w, ">\n");
	w->depth++;
}

void xml_end(struct xml_writer *w, const char *name)
{
	w->depth--;
	for (unsigned i = 0; i < w->depth; i++)
		add(w, "  ");
	add(w, "</");
	add(w, name);
	add(w, ">\n");
}

void xml_empty(struct xml_writer *w, const char *name, ...)
{
	va_list attributes;

	va_start(attributes, name);
	open_tag(w, name, attributes);
	va_end(attributes);
	add(w, "/>\n");
}

static void leaf(struct xml_writer *w, const char *name, const char *text, ...)
{
	va_list attributes;

	va_start(attributes, text);
	open_tag(w, name, attributes);
	va_end(attributes);
	add(w, ">");
	add_escaped(w, text);
	add(w, "</");
	add(w, name);
	add(w, ">\n");
}

void xml_text(struct xml_writer *w, const char *name, const char *text)
{
	if (text)
		leaf(w, name, text, NULL);
}

void xml_number(struct xml_writer *w, const char *name, const char *unit, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	leaf(w, name, text, "unit", unit, NULL);
}

int xml_written(struct xml_writer *w, const char *what, struct error *err)
{
	if (!w->failed)
		return 0;
	w->out->len = w->start;
	if (w->out->data)
		w->out->data[w->start] = '\0';
	if (w->failed == -EILSEQ)
		return error_set(
			err, EILSEQ,
			"%s cannot be described in XML: a name or path of it is not "
			"UTF-8 or has control characters",
			what);
	return error_set(err, -w->failed, "cannot describe %s: out of memory", what);
}
