/* The program disk-table: what is asked of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/disk/tool.h"

#define USAGE                                                                        \
	"disk-table [-p PREFIX] DEVICE show | vacate LABEL | label LABEL | clear | " \
	"create NUMBER KIND FORMAT SIZE | grow NUMBER SIZE | shrink NUMBER SIZE | "  \
	"remove NUMBER"

static int misused(struct error *err)
{
	return error_set(err, EINVAL, "usage: " USAGE);
}

static bool read_number(const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return end != text && !*end && !errno && *out <= most && *text != '-';
}

static int run_show(struct tool *t, char **argv, struct error *err)
{
	return 0;
}

static int run_vacate(struct tool *t, char **argv, struct error *err)
{
	return tool_vacate(t, argv[0], err);
}

static int run_label(struct tool *t, char **argv, struct error *err)
{
	return tool_make_label(t, argv[0], err);
}

static int run_clear(struct tool *t, char **argv, struct error *err)
{
	return tool_clear(t, err);
}

static int run_create(struct tool *t, char **argv, struct error *err)
{
	enum disk_kind kind;
	uint64_t number, size;

	if (!read_number(argv[0], DISK_PARTS_MAX, &number) || !number ||
	    !disk_kind_find(argv[1], &kind) || kind == DISK_METADATA ||
	    !disk_format_known(argv[2]) || !read_number(argv[3], INT64_MAX, &size))
		return misused(err);
	return tool_create(t, number, kind, argv[2], size, err);
}

static int resize(struct tool *t, char **argv, bool shrink, struct error *err)
{
	uint64_t number, size;

	if (!read_number(argv[0], DISK_PARTS_MAX, &number) ||
	    !read_number(argv[1], INT64_MAX, &size))
		return misused(err);
	return tool_resize(t, number, size, shrink, err);
}

static int run_grow(struct tool *t, char **argv, struct error *err)
{
	return resize(t, argv, false, err);
}

static int run_shrink(struct tool *t, char **argv, struct error *err)
{
	return resize(t, argv, true, err);
}

static int run_remove(struct tool *t, char **argv, struct error *err)
{
	uint64_t number;

	if (!read_number(argv[0], DISK_PARTS_MAX, &number))
		return misused(err);
	return tool_remove(t, number, err);
}

static const struct operation {
	const char *name;
	int arguments;
	bool needs_table, writes;
	int (*run)(struct tool *, char **argv, struct error *);
} operations[] = {
	{ "show", 0, false, false, run_show },	 { "vacate", 1, false, true, run_vacate },
	{ "label", 1, false, true, run_label },	 { "clear", 0, true, true, run_clear },
	{ "create", 4, true, true, run_create }, { "grow", 2, true, true, run_grow },
	{ "shrink", 2, true, true, run_shrink }, { "remove", 1, true, true, run_remove },
};

static const struct operation *find_operation(const char *name, int arguments)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (!strcmp(operations[i].name, name) &&
		    operations[i].arguments == arguments)
			return &operations[i];
	return NULL;
}

static int carry_out(struct tool *t, const struct operation *o, char **argv,
		     struct error *err)
{
	int r = tool_open(t, err);

	if (r < 0)
		return r;
	if (o->needs_table && !t->disk)
		return error_set(err, EINVAL,
				 "there is no table of partitions on '%s' any longer",
				 t->path);
	r = o->needs_table ? tool_check_alone(t, err) : 0;
	if (r == 0)
		r = o->run(t, argv, err);
	if (r == 0 && o->run == run_vacate)
		return tool_show(t, err);
	/* what was written is what counts: not every mark can be */
	if (r == 0 && o->writes)
		r = tool_read(t, err);
	if (r == 0)
		r = kernel_sync(t, err);
	if (r < 0)
		return r;
	if (o->writes)
		kernel_tell_udev(t);
	return tool_show(t, err);
}

static int take_arguments(int argc, char **argv, struct tool *t, struct error *err)
{
	const struct operation *o;

	argv++;
	argc--;
	if (argc >= 2 && !strcmp(argv[0], "-p")) {
		t->prefix = argv[1];
		argv += 2;
		argc -= 2;
	}
	o = argc >= 2 ? find_operation(argv[1], argc - 2) : NULL;
	if (!o)
		return misused(err);
	t->path = argv[0];
	t->writes = o->writes;
	t->anew = o->run == run_vacate || o->run == run_label;
	return carry_out(t, o, argv + 2, err);
}

int main(int argc, char **argv)
{
	struct tool t = { .fd = -1 };
	struct error err = { 0 };

	if (take_arguments(argc, argv, &t, &err) < 0) {
		printf("error %d %s\n", err.code, err.text);
		fflush(stdout);
	}
	tool_close(&t);
	return 0;
}
