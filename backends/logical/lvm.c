/*
 * Runs lvm(8). What a host's lvm.conf(5) says of reports and questions is overruled on
 * the command line; everything else in it stands.
 */
#include "backends/logical/lvm.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "backends/support/clock.h"
#include "backends/support/run.h"

#define MORE_TIME_NS (60 * NS_PER_S)

static const char config[] = "report/mark_hidden_devices=1 "
			     "report/binary_values_as_numeric=0 "
			     "report/list_item_separator=\",\" "
			     "log/report_command_log=0 log/prefix=\"\" "
			     "activation/polling_interval=1";

static const struct {
	const char *says;
	int code;
} meanings[] = {
	{ "nsufficient free space", ENOSPC },
	{ "nsufficient suitable", ENOSPC },
	{ "insufficient free space", ENOSPC },
	{ "Not enough free", ENOSPC },
	{ "already exists", EEXIST },
	{ " in use", EBUSY },
	{ "is used by another device", EBUSY },
	{ "Can't open", EBUSY }, /* exclusively; "Mounted filesystem?" */
	{ "Failed to find logical volume", ENOENT },
};

static int meaning_of(const char *said)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (strstr(said, meanings[i].says))
			return meanings[i].code;
	if (strstr(said, "Volume group \"") && strstr(said, "\" not found"))
		return ENODEV;
	return EIO;
}

/* One line without lvm's warnings, which would come first and are not why it failed. */
static void tidy(char *text)
{
	char *from = strstr(text, "): "), *to, *rest = NULL;

	if (!from)
		return;
	to = from += strlen("): ");
	for (char *line = strtok_r(from, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		line += strspn(line, " \t");
		if (!strncmp(line, "WARNING:", strlen("WARNING:")) && *rest)
			continue;
		if (to > from)
			*to++ = ' ';
		memmove(to, line, strlen(line));
		to += strlen(line);
	}
	*to = '\0';
}

static void add(struct lvm_command *c, va_list ap)
{
	const char *word;

	while ((word = va_arg(ap, const char *))) {
		assert(c->n < LVM_ARGS_MAX - 1);
		c->argv[c->n++] = word;
	}
	c->argv[c->n] = NULL;
}

void lvm_begin(struct lvm_command *c, const char *name, ...)
{
	va_list ap;

	*c = (struct lvm_command){ { "lvm", name, "--config", config }, 4 };
	va_start(ap, name);
	add(c, ap);
	va_end(ap);
}

void lvm_add(struct lvm_command *c, ...)
{
	va_list ap;

	va_start(ap, c);
	add(c, ap);
	va_end(ap);
}

static int run(struct lvm_command *c, struct buf *out, uint64_t deadline,
	       const atomic_bool *cancelled, struct error *err)
{
	struct run r = { .argv = c->argv,
			 .output = out,
			 .deadline_ns = deadline,
			 .cancelled = cancelled };
	struct error said = { 0 };
	int code = run_tool(&r, &said);

	if (code == -EIO) {
		said.code = meaning_of(said.text);
		tidy(said.text);
	}
	return code < 0 ? error_copy(err, &said) : 0;
}

int lvm_ask(struct lvm_command *c, struct buf *out, struct call *call, struct error *err)
{
	return run(c, out, call->deadline_ns, call->cancelled, err);
}

int lvm_change(struct lvm_command *c, struct call *call, struct error *err)
{
	uint64_t deadline = call->deadline_ns;

	return run(c, NULL, deadline ? deadline + MORE_TIME_NS : 0, NULL, err);
}
