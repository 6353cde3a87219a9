/*
 * Writing XML as libvirt does: two blanks of indent, single quotes, an element or its
 * ends on each line. A writer keeps its first failure; xml_written tells it and takes
 * back what was added.
 */
#pragma once

#include <stdint.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

struct xml_writer {
	struct buf *out;
	size_t start; /* out->len before */
	unsigned depth;
	int failed; /* -errno */
};

#define XML_WRITER(buffer) { .out = (buffer), .start = (buffer)->len }

/* Attributes follow as pairs of name and value, ended by NULL; those with a NULL value
 * are left out. */
void xml_begin(struct xml_writer *w, const char *name, ...) __attribute__((sentinel));
void xml_end(struct xml_writer *w, const char *name);
void xml_empty(struct xml_writer *w, const char *name, ...) __attribute__((sentinel));
/* <name>text</name>; nothing for NULL. */
void xml_text(struct xml_writer *w, const char *name, const char *text);
/* <name unit='…'>number</name>; unit may be NULL. */
void xml_number(struct xml_writer *w, const char *name, const char *unit,
		uint64_t number);

/* 0, -ENOMEM or -EILSEQ: then out is as it was before. what names the object for the
 * sentence. */
int xml_written(struct xml_writer *w, const char *what, struct error *err);
