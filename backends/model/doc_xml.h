/*
 * Reading values out of an XML document, by libvirt's rules: what a path names is XPath's
 * string() of it (the first one wins, text is verbatim), and an empty one counts as
 * missing. Elements are looked up without a namespace, unless one is given. For the
 * *xml.c files of the model.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backends/support/cleanup.h"
#include "backends/support/error.h"
#include "backends/support/spec.h"

/* xml.c for doc_xml.c: the tree of a whole document, libxml2's. */
struct _xmlDoc;
int xml_tree_parse(const char *text, size_t len, struct _xmlDoc **out, struct error *err);

struct xml_document;
struct xml_element; /* lives as long as its document */

/*
 * Parses a whole document under the limits of xml.h, and checks the name of its root
 * element. -EINVAL, -EFBIG, -ENOMEM; the sentence names line and element.
 */
int xml_document_parse(const char *text, size_t len, const char *root,
		       struct xml_document **out, struct error *err);
void xml_document_free(struct xml_document *d);
DEFINE_CLEANUP(cleanup_document, struct xml_document *, xml_document_free)
#define AUTO_DOCUMENT CLEANUP(cleanup_document)

const struct xml_element *xml_root(const struct xml_document *d);
const char *xml_name(const struct xml_element *e);

/* The first element that the path names, such as "source/name"; NULL: none. */
const struct xml_element *xml_first(const struct xml_element *from, const char *path);
/* As above for one child of a namespace. */
const struct xml_element *xml_first_ns(const struct xml_element *from, const char *uri,
				       const char *name);
/* The next sibling of the same name and namespace; NULL: that was the last. */
const struct xml_element *xml_next(const struct xml_element *e);
size_t xml_count(const struct xml_element *first);
/* Child elements of any name without a namespace, in order. */
const struct xml_element *xml_child(const struct xml_element *from);
const struct xml_element *xml_sibling(const struct xml_element *e);

/*
 * The string of a path that may end in an attribute: "source/name",
 * "source/format/@type". *out is the caller's to free, NULL when missing or empty.
 * Returns 0 or -ENOMEM.
 */
int xml_string(const struct xml_element *from, const char *path, char **out,
	       struct error *err);

/* Several of them into members of a struct, which are NULL before. */
struct xml_string_row {
	const char *path;
	size_t at; /* offset of a char * in base */
};
int xml_strings(const struct xml_element *from, const struct xml_string_row *rows,
		size_t n, void *base, struct error *err);

/* An attribute as it is: "" is a value, NULL missing. Returns 0 or -ENOMEM. */
int xml_attribute(const struct xml_element *e, const char *name, char **out,
		  struct error *err);
/* A yes/no attribute; left as it is where missing. -EINVAL. */
int xml_choice(const struct xml_element *e, const char *name, enum choice *out,
	       struct error *err);
/* An attribute that is a number, base 10 or, with 0, C's (0x1f); left as it is where
 * missing. -EINVAL for what is outside min and max, too. */
int xml_integer(const struct xml_element *e, const char *name, int base, long long min,
		long long max, long long *out, struct error *err);

/* "line N: <element>: " before the sentence. Returns -EINVAL. */
int xml_refuse(const struct xml_element *e, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same before a sentence that is there already. Returns -err->code. */
int xml_refuse_prefix(const struct xml_element *e, struct error *err);
