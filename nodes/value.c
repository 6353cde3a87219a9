/* Values and verbs: a text made at open; one write is one value or one verb. */
#include <errno.h>
#include <string.h>

#include "backends/support/clock.h"
#include "nodes/table.h"

#define VALUE_LIMIT 4096

static int render(const struct node *n, struct call *call, struct buf *out,
		  struct error *err)
{
	return n->row->show ? n->row->show(n, call, out, err) : 0;
}

/* -- a text that was made a moment ago -- */

/*
 * open(2) looks up the name first, for which the text was made already: it is kept for
 * the open of the same thread, so that the size which that was told is the text's, too.
 * For longer than the kernel believes that size, so that an fstat(2) agrees as well.
 */
#define KEPT_NS (10 * NS_PER_MS)

static struct kept {
	uint64_t node; /* hash */
	uint64_t made_ns;
	pid_t pid;
	struct buf text;
} kept[16]; /* by pid; under kept_lock */
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

static struct kept *kept_of(pid_t pid)
{
	return &kept[pid % (sizeof(kept) / sizeof(*kept))];
}

static void keep(const struct node *n, pid_t pid, uint64_t made_ns, struct buf *text)
{
	struct kept *k = kept_of(pid), old;

	pthread_mutex_lock(&kept_lock);
	old = *k;
	*k = (struct kept){ node_hash(n), made_ns, pid, *text };
	pthread_mutex_unlock(&kept_lock);
	*text = old.text; /* for the caller to free */
}

static bool take_kept(const struct node *n, pid_t pid, struct buf *text)
{
	struct kept *k = kept_of(pid);

	SCOPED_LOCK(&kept_lock);
	if (!k->made_ns || k->pid != pid || k->node != node_hash(n) ||
	    clock_now() - k->made_ns > KEPT_NS)
		return false;
	*text = k->text;
	*k = (struct kept){ 0 };
	return true;
}

/* Something is written: all may be different now. */
void value_forget_kept(void)
{
	SCOPED_LOCK(&kept_lock);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		buf_free(&kept[i].text);
		kept[i] = (struct kept){ 0 };
	}
}

/* -- reading -- */

/* The exact size costs a rendering; what cannot be shown is empty here and says why at
 * open. */
int value_stat(const struct node *n, struct stat *st, struct call *call,
	       struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	bool is_recent = n->row->flags & ROW_RECENT;
	uint64_t now = clock_now();

	struct call recent = no_wait(call, n->pool);

	if (render(n, is_recent ? &recent : call, &text, NULL) == 0) {
		st->st_size = text.len;
		if (!is_recent && call && call->pid)
			keep(n, call->pid, now, &text);
	}
	st->st_blocks = (st->st_size + 511) / 512;
	return 0;
}

int value_open(struct handle *h, bool created, pid_t pid, struct call *call,
	       struct error *err)
{
	if ((h->flags & O_ACCMODE) == O_WRONLY ||
	    (call && call->pid && take_kept(&h->node, call->pid, &h->text)))
		return 0;
	return render(&h->node, call, &h->text, err);
}

static ssize_t value_write(struct handle *h, const void *data, size_t size, uint64_t off,
			   struct call *call, struct error *err)
{
	const struct node *n = &h->node;
	char line[VALUE_LIMIT + 1];
	size_t len = size;

	if (!n->row->store)
		return error_set(err, EPERM, "'%s' is read-only", n->row->name);
	if (len && ((const char *)data)[len - 1] == '\n')
		len--;
	if (len > VALUE_LIMIT || memchr(data, '\n', len) || memchr(data, '\0', len))
		return error_set(err, EINVAL, "'%s' takes exactly one line in one write",
				 n->row->name);
	memcpy(line, data, len);
	line[len] = '\0';

	int r = n->row->store(n, line, len, call, err);

	return r < 0 ? r : (ssize_t)size;
}

/* O_TRUNC and truncate to nothing are what a redirection does first: they change nothing.
 */
static int value_setattr(const struct node *n, const struct node_attr *a,
			 struct call *call, struct error *err)
{
	struct stat st;

	if ((a->attr.mask & NODE_SIZE) && a->size)
		return error_set(err, EINVAL, "'%s' has the size of its value",
				 n->row->name);
	stat_defaults(n, &st);
	return node_keeps_owner(n, a, &st, err);
}

struct executor *value_where(const struct node *n, enum node_op op, bool *verb)
{
	if (!n->pool)
		return NULL;
	if (op == NODE_WRITE && (n->row->flags & ROW_WORKS)) {
		*verb = true;
		return pool_executor(n->pool);
	}
	if (op == NODE_STAT && (n->row->flags & ROW_RECENT))
		return NULL;
	if ((op == NODE_STAT || op == NODE_OPEN) && (n->row->flags & ROW_ASKS))
		return pool_where(n->pool);
	return NULL;
}

const struct kind value_kind = {
	.type = S_IFREG,
	.stat = value_stat,
	.setattr = value_setattr,
	.open = value_open,
	.write = value_write,
	.where = value_where,
};
