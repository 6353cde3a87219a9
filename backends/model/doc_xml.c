/* Reading values out of a parsed document. An element is libxml2's node under our own
 * name. */
#include "backends/model/doc_xml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/tree.h>

static const xmlNode *node_of(const struct xml_element *e)
{
	return (const xmlNode *)e;
}

static const struct xml_element *element_of(const xmlNode *n)
{
	return (const struct xml_element *)n;
}

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

int xml_document_parse(const char *text, size_t len, const char *root,
		       struct xml_document **out, struct error *err)
{
	xmlDoc *doc = NULL;
	int r = xml_tree_parse(text, len, &doc, err);

	if (r < 0)
		return r;

	AUTO_DOCUMENT struct xml_document *d = (struct xml_document *)doc;
	const struct xml_element *top = d ? xml_root(d) : NULL;

	if (!top)
		return no_memory(err);
	if (strcmp(xml_name(top), root))
		return xml_refuse(top, err, "expecting root element of '%s', not '%s'",
				  root, xml_name(top));
	*out = take(d);
	return 0;
}

void xml_document_free(struct xml_document *d)
{
	xmlFreeDoc((xmlDoc *)d);
}

const struct xml_element *xml_root(const struct xml_document *d)
{
	return element_of(xmlDocGetRootElement((const xmlDoc *)d));
}

const char *xml_name(const struct xml_element *e)
{
	return (const char *)node_of(e)->name;
}

/* -- finding -- */

static bool is_element(const xmlNode *n, const char *uri, const char *name, size_t len)
{
	if (n->type != XML_ELEMENT_NODE)
		return false;
	if (uri ? !n->ns || !n->ns->href || strcmp((const char *)n->ns->href, uri)
		: !!n->ns)
		return false;
	return !strncmp((const char *)n->name, name, len) && !n->name[len];
}

/* The first of all that match, as XPath has it: a/b may be in the second a. */
static const xmlNode *find(const xmlNode *from, const char *path)
{
	size_t len = strcspn(path, "/");

	for (const xmlNode *n = from->children; n; n = n->next) {
		const xmlNode *found;

		if (!is_element(n, NULL, path, len))
			continue;
		if (!path[len] || path[len + 1] == '@')
			return n;
		found = find(n, path + len + 1);
		if (found)
			return found;
	}
	return NULL;
}

const struct xml_element *xml_first(const struct xml_element *from, const char *path)
{
	return element_of(find(node_of(from), path));
}

const struct xml_element *xml_first_ns(const struct xml_element *from, const char *uri,
				       const char *name)
{
	const xmlNode *n = node_of(from)->children;

	while (n && !is_element(n, uri, name, strlen(name)))
		n = n->next;
	return element_of(n);
}

const struct xml_element *xml_next(const struct xml_element *e)
{
	const xmlNode *n = node_of(e);
	const char *uri = n->ns ? (const char *)n->ns->href : NULL;
	const char *name = (const char *)n->name;

	do
		n = n->next;
	while (n && !is_element(n, uri, name, strlen(name)));
	return element_of(n);
}

size_t xml_count(const struct xml_element *first)
{
	size_t n = 0;

	for (; first; first = xml_next(first))
		n++;
	return n;
}

static const struct xml_element *plain_element(const xmlNode *n)
{
	while (n && (n->type != XML_ELEMENT_NODE || n->ns))
		n = n->next;
	return element_of(n);
}

const struct xml_element *xml_child(const struct xml_element *from)
{
	return plain_element(node_of(from)->children);
}

const struct xml_element *xml_sibling(const struct xml_element *e)
{
	return plain_element(node_of(e)->next);
}

/* -- values -- */

/* The text below a node; nearly always it is one piece. */
static int text_below(const xmlNode *n, const xmlNode *children, char **out,
		      struct error *err)
{
	if (!children)
		*out = strdup("");
	else if (children->type == XML_TEXT_NODE && !children->next)
		*out = strdup(children->content ? (const char *)children->content : "");
	else {
		xmlChar *text = xmlNodeGetContent(n);

		*out = text ? strdup((const char *)text) : NULL;
		xmlFree(text);
	}
	return *out ? 0 : no_memory(err);
}

int xml_attribute(const struct xml_element *e, const char *name, char **out,
		  struct error *err)
{
	for (const xmlAttr *a = node_of(e)->properties; a; a = a->next)
		if (!a->ns && !strcmp((const char *)a->name, name))
			return text_below((const xmlNode *)a, a->children, out, err);
	*out = NULL;
	return 0;
}

/* The first element of the path that has the attribute. */
static int attribute_of_path(const xmlNode *from, const char *path, const char *name,
			     char **out, struct error *err)
{
	size_t len = strcspn(path, "/");
	int r = 0;

	if (path + len + 1 > name) /* the path is "@name" */
		return xml_attribute(element_of(from), name, out, err);
	for (const xmlNode *n = from->children; n && !*out && !r; n = n->next)
		if (is_element(n, NULL, path, len))
			r = attribute_of_path(n, path + len + 1, name, out, err);
	return r;
}

int xml_string(const struct xml_element *from, const char *path, char **out,
	       struct error *err)
{
	const char *at = strchr(path, '@');
	const xmlNode *n;
	int r = 0;

	*out = NULL;
	if (at)
		r = attribute_of_path(node_of(from), path, at + 1, out, err);
	else if ((n = find(node_of(from), path)))
		r = text_below(n, n->children, out, err);
	if (*out && !**out) {
		free(*out);
		*out = NULL;
	}
	return r;
}

int xml_strings(const struct xml_element *from, const struct xml_string_row *rows,
		size_t n, void *base, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		char **out = (char **)((char *)base + rows[i].at);
		int r = xml_string(from, rows[i].path, out, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int xml_choice(const struct xml_element *e, const char *name, enum choice *out,
	       struct error *err)
{
	AUTO_FREE char *value = NULL;
	int r = xml_attribute(e, name, &value, err);

	if (r < 0 || !value)
		return r;
	if (!strcmp(value, "yes"))
		*out = CHOICE_YES;
	else if (!strcmp(value, "no"))
		*out = CHOICE_NO;
	else
		return xml_refuse(
			e, err,
			"invalid value for attribute '%s': '%s' is neither yes nor no",
			name, value);
	return 0;
}

int xml_integer(const struct xml_element *e, const char *name, int base, long long min,
		long long max, long long *out, struct error *err)
{
	AUTO_FREE char *value = NULL;
	int r = xml_attribute(e, name, &value, err);
	char *end;

	if (r < 0 || !value)
		return r;
	errno = 0;

	long long number = strtoll(value, &end, base);

	if (errno || end == value || *end || number < min || number > max)
		return xml_refuse(
			e, err,
			"invalid value for attribute '%s': '%s' is not an integer from "
			"%lld to %lld",
			name, value, min, max);
	*out = number;
	return 0;
}

/* -- refusals -- */

static int prefix(const struct xml_element *e, struct error *err)
{
	return error_prefix(err, "line %ld: <%s>", xmlGetLineNo((xmlNode *)node_of(e)),
			    xml_name(e));
}

int xml_refuse(const struct xml_element *e, struct error *err, const char *fmt, ...)
{
	char reason[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	error_set(err, EINVAL, "%s", reason);
	prefix(e, err);
	return -EINVAL;
}

int xml_refuse_prefix(const struct xml_element *e, struct error *err)
{
	prefix(e, err);
	return err ? -err->code : -EINVAL;
}
