/*
 * The file `events`: the kept lines of the event log, and whatever comes behind them.
 *
 * A node is the log from where it began when the name was looked up (its ident): its size
 * only grows while a reader follows it, though the oldest lines go. Who looks the name up
 * after that gets another node, of exactly what is there.
 */
#include "nodes/table.h"

uint64_t stream_ident(void)
{
	return events_first();
}

static int stream_stat(const struct node *n, struct stat *st, struct call *call,
		       struct error *err)
{
	st->st_size = events_end() - n->ident;
	st->st_blocks = (st->st_size + 511) / 512;
	clock_gettime(CLOCK_REALTIME, &st->st_mtim);
	return 0;
}

static int stream_open(struct handle *h, bool created, pid_t pid, struct call *call,
		       struct error *err)
{
	h->base = h->seen = h->node.ident;
	return 0;
}

/* A reader that was overtaken by trimming goes on with the oldest line that is left. */
static int stream_read(struct handle *h, uint64_t off, size_t size, struct buf *out,
		       struct error *err)
{
	size_t had = out->len;
	uint64_t from;

	SCOPED_LOCK(&h->lock);
	from = events_read(h->base + off, size, out);
	if (from > h->base + off)
		h->base = from - off;
	h->seen = h->base + off + (out->len - had);
	return 0;
}

bool handle_readable(struct handle *h)
{
	SCOPED_LOCK(&h->lock);
	return events_end() > h->seen;
}

const struct kind stream_kind = {
	.type = S_IFREG,
	.stat = stream_stat,
	.open = stream_open,
	.read = stream_read,
};
