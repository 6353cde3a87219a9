/* Backends as text, and discovery: asking one what could become a pool. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/job.h"
#include "backends/model/pool_types.h"
#include "backends/model/pool_xml.h"
#include "backends/model/pools.h"
#include "backends/model/registry.h"
#include "backends/model/secrets.h"
#include "backends/support/run.h"

/* -- backends/TYPE -- */

static int add_list(struct buf *out, const char *what, const char *const *names)
{
	int r = buf_printf(out, "%s:", what);

	if (!names || !*names)
		return r ? r : buf_puts(out, " -\n");
	for (; *names && !r; names++)
		r = buf_printf(out, " %s", *names);
	return r ? r : buf_putc(out, '\n');
}

#define OPERATION(word, member)                        \
	{                                              \
		word, offsetof(struct backend, member) \
	}

static const struct {
	const char *word;
	size_t member;
} operations[] = {
	OPERATION("start", start),	     OPERATION("stop", stop),
	OPERATION("build", build),	     OPERATION("delete", remove),
	OPERATION("refresh", refresh),	     OPERATION("sources", discover),
	OPERATION("create", vol_create),     OPERATION("remove", vol_delete),
	OPERATION("rename", vol_rename),     OPERATION("resize", vol_resize),
	OPERATION("wipe", vol_wipe),	     OPERATION("flatten", vol_flatten),
	OPERATION("snapshots", snap_create),
};

static int add_operations(struct buf *out, const struct backend *b)
{
	int r = buf_puts(out, "operations:");

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations) && !r; i++) {
		size_t at = operations[i].member;
		void (*fn)(void);

		if (at + sizeof(fn) > b->size)
			continue;
		memcpy(&fn, (const char *)b + at, sizeof(fn));
		if (fn)
			r = buf_printf(out, " %s", operations[i].word);
	}
	return r ? r : buf_putc(out, '\n');
}

static int add_tools(struct buf *out, const struct backend *b)
{
	const char *const *tool = BACKEND_HAS(b, tools) ? b->tools : NULL;
	int r = buf_puts(out, "tools:");

	if (!tool || !*tool)
		return r ? r : buf_puts(out, " -\n");
	for (; *tool && !r; tool++)
		r = buf_printf(out, " %s%s", *tool, run_have(*tool) ? "" : " (missing)");
	return r ? r : buf_putc(out, '\n');
}

int backend_show(const char *type, struct buf *out, struct error *err)
{
	const struct pool_type *t = pool_type_find(type);
	struct error why = { 0 };
	const struct backend *b;
	int r;

	if (!t)
		return error_set(err, ENOENT, "there is no type of pools '%s'", type);
	b = registry_get(type, &why);
	r = buf_printf(out, "type: %s\ninstalled: %s\n", type, b ? "yes" : why.text);
	if (!r)
		r = add_list(out, "pool formats", t->formats);
	if (!r)
		r = add_list(out, "volume formats", t->volume_formats);
	if (!r && b)
		r = add_operations(out, b);
	if (!r && b)
		r = add_tools(out, b);
	return r < 0 ? error_code(err, -r, "cannot describe the backend '%s'", type) : 0;
}

/* -- discovery -- */

struct found {
	struct pool_source *sources;
	size_t n;
};

static void found_clear(struct found *f)
{
	for (size_t i = 0; i < f->n; i++)
		pool_source_clear(&f->sources[i]);
	free(f->sources);
}

static int add_source(void *arg, const struct pool_source *source)
{
	struct found *f = arg;
	struct pool_source *more = reallocarray(f->sources, f->n + 1, sizeof(*more));
	struct pool_spec shallow = POOL_SPEC_INIT, copy = POOL_SPEC_INIT;

	if (!more)
		return -ENOMEM;
	f->sources = more;
	shallow.source = *source;
	if (pool_spec_copy(&shallow, &copy) < 0)
		return -ENOMEM;
	f->sources[f->n++] = copy.source;
	copy.source = (struct pool_source){ 0 };
	pool_spec_clear(&copy);
	return 0;
}

static int refuse_host(const char *text, struct error *err)
{
	return error_set(
		err, EINVAL,
		"'%s' is no host: a name or address is, with :PORT where that is not the "
		"usual one, and [] around an IPv6 address before it",
		text);
}

/* "HOST", "HOST:PORT", "[ADDRESS]:PORT", or an IPv6 address alone. */
static int parse_host(const char *text, struct pool_host *out, struct error *err)
{
	bool bracket = *text == '[';
	const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
	const char *port = NULL;
	unsigned long number = 0;
	char *rest;

	if (bracket && end && (!end[1] || end[1] == ':'))
		port = end[1] ? end + 2 : NULL;
	else if (bracket)
		return refuse_host(text, err);
	else if (end && strchr(end + 1, ':'))
		end = NULL; /* an IPv6 address */
	else if (end)
		port = end + 1;
	if (port) {
		number = strtoul(port, &rest, 10);
		if (!isdigit((unsigned char)*port) || *rest || !number || number > 65535)
			return refuse_host(text, err);
	}
	text += bracket;

	size_t len = end ? (size_t)(end - text) : strlen(text);

	if (!len || memchr(text, '/', len))
		return refuse_host(text, err);
	out->name = strndup(text, len);
	out->port = number;
	return out->name ? 0 : error_code(err, ENOMEM, "cannot ask '%s'", text);
}

/* Whom to ask, and with which credentials. The host of the path counts. */
static int make_question(const char *host, const struct buf *text,
			 struct pool_source *from, struct error *err)
{
	struct pool_host asked = { 0 };
	int r = 0;

	if (text && text->len)
		r = source_xml_parse(text->data, text->len, from, err);
	if (r < 0 || !host)
		return r;
	r = parse_host(host, &asked, err);
	if (r < 0)
		return r;
	if (!from->n_hosts) {
		from->hosts = calloc(1, sizeof(*from->hosts));
		if (!from->hosts) {
			free(asked.name);
			return error_code(err, ENOMEM, "cannot ask '%s'", host);
		}
		from->n_hosts = 1;
	}
	free(from->hosts[0].name);
	from->hosts[0].name = asked.name;
	if (asked.port)
		from->hosts[0].port = asked.port;
	return 0;
}

static int host_secret(void *ctx, const struct secret_ref *ref, struct buf *value,
		       struct error *err)
{
	return secret_get(ref, value, err);
}

static void host_changed(void *ctx, enum change change, const char *volume)
{
}

static void host_lost(void *ctx, const struct error *err)
{
}

static void host_failed(void *ctx, const char *volume, const struct error *err)
{
}

int sources_show(const char *type, const char *host, const struct buf *question,
		 struct call *call, struct buf *out, struct error *err)
{
	static const struct host nobody = { NULL, host_secret, host_changed, host_lost,
					    host_failed };
	CLEANUP(found_clear) struct found found = { 0 };
	AUTO_POOL_SOURCE struct pool_source from = { 0 };
	const struct backend *b;
	int r;

	if (!pool_type_find(type))
		return error_set(err, ENOENT, "there is no type of pools '%s'", type);
	r = make_question(host, question, &from, err);
	if (r < 0)
		return r;
	b = registry_get(type, err);
	if (!b)
		return -err->code;
	if (!BACKEND_HAS(b, discover))
		return error_set(err, EOPNOTSUPP,
				 "sources of type '%s' cannot be discovered", type);
	r = b->discover(&from, &nobody, add_source, &found, call, err);
	if (r < 0)
		return error_prefix(err, "cannot find sources of type '%s'%s%s", type,
				    host ? " on " : "", host ? host : "");
	return sources_xml_print(type, found.sources, found.n, out, err);
}
