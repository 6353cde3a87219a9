/*
 * XML documents: parsed as they are written, committed in the write that completes them,
 * so that even a shell's echo learns of a bad one.
 *
 * A handle's lock guards its feed; it is not held while a document is carried out.
 */
#include <errno.h>
#include <string.h>

#include "backends/model/pool_xml.h"
#include "backends/support/process.h"
#include "nodes/table.h"

static int document_open(struct handle *h, bool created, pid_t pid, struct call *call,
			 struct error *err)
{
	if ((h->flags & O_ACCMODE) != O_RDONLY)
		h->opener = process_of(pid);
	return value_open(h, created, pid, call, err);
}

static int refuse(struct handle *h, struct error *err, const struct error *why)
{
	h->refused = *why;
	return error_copy(err, why);
}

/* Feeds a write. 1: it completed the document, whose text is added to out. */
static int feed(struct handle *h, const void *data, size_t size, uint64_t off,
		struct buf *out, struct error *err)
{
	struct error why = { 0 };

	SCOPED_LOCK(&h->lock);
	if (h->refused.code)
		return error_copy(err, &h->refused);
	if (!h->feed) {
		h->feed = xml_feed_new();
		h->feed_base = (h->flags & O_APPEND) ? off : 0;
	}
	if (!h->feed)
		return error_set(err, ENOMEM, "cannot read the document: out of memory");
	if (off != h->feed_base + xml_feed_text(h->feed)->len)
		return error_set(err, EINVAL,
				 "a document is written from its beginning to its end in order");

	enum xml_state before = xml_feed_state(h->feed);
	enum xml_state after = xml_feed_add(h->feed, data, size, &why);

	if (after == XML_REFUSED)
		return refuse(h, err, &why);
	if (after != XML_COMPLETE || before == XML_COMPLETE)
		return 0;
	if (buf_add(out, xml_feed_text(h->feed)->data, xml_feed_text(h->feed)->len) < 0)
		return error_set(err, ENOMEM, "cannot keep the document: out of memory");
	return 1;
}

static ssize_t document_write(struct handle *h, const void *data, size_t size,
			      uint64_t off, struct call *call, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	struct error why = { 0 };
	int r = feed(h, data, size, off, &text, err);

	if (r <= 0)
		return r < 0 ? r : (ssize_t)size;
	r = h->node.row->store(&h->node, text.data, text.len, call, &why);
	if (r == 0)
		return size;

	SCOPED_LOCK(&h->lock);
	return refuse(h, err, &why);
}

static int document_truncate(struct handle *h, uint64_t size, struct call *call,
			     struct error *err)
{
	SCOPED_LOCK(&h->lock);
	if (size == 0) {
		xml_feed_free(take(h->feed));
		h->refused.code = 0;
		h->said = false;
		return 0;
	}
	if (h->feed && size == h->feed_base + xml_feed_text(h->feed)->len)
		return 0;
	return error_set(err, EINVAL, "a document has the size of its text");
}

/* Why what was written so far is no document; 0: it is one, or nothing was written. */
static int unfinished(struct handle *h, struct error *err)
{
	SCOPED_LOCK(&h->lock);
	if (h->refused.code)
		return error_copy(err, &h->refused);
	if (!h->feed || xml_feed_state(h->feed) == XML_COMPLETE ||
	    xml_feed_state(h->feed) == XML_EMPTY)
		return 0;
	return xml_feed_why(h->feed, err);
}

/* Only the opener's own close can say that the document ends here: { cat a; cat b; }
 * >xml. */
static int document_flush(struct handle *h, pid_t pid, struct call *call,
			  struct error *err)
{
	struct error why = { 0 };
	int r = h->opener ? unfinished(h, &why) : 0;

	if (r < 0 && (h->opener == pid || h->opener == process_of(pid)))
		return error_copy(err, &why);
	return 0;
}

static int document_fsync(struct handle *h, bool data_only, struct call *call,
			  struct error *err)
{
	return unfinished(h, err);
}

/* Editors copy mode and owner onto what they saved; both come from the mount options. */
static int document_setattr(const struct node *n, const struct node_attr *a,
			    struct call *call, struct error *err)
{
	if ((a->attr.mask & NODE_SIZE) && a->size)
		return error_set(err, EINVAL, "a document has the size of its text");
	return 0;
}

const struct kind document_kind = {
	.type = S_IFREG,
	.stat = value_stat,
	.setattr = document_setattr,
	.open = document_open,
	.write = document_write,
	.truncate = document_truncate,
	.flush = document_flush,
	.fsync = document_fsync,
	.where = value_where,
};

/* -- a whole text taking the document's name -- */

struct commit {
	struct task task;
	struct node doc;
	struct buf text;
};

static void run_commit(struct task *t)
{
	struct commit *c = container_of(t, struct commit, task);
	struct call call = { 0 };
	struct error err = { 0 };

	if (c->doc.row->store(&c->doc, c->text.data, c->text.len, &call, &err) < 0)
		node_remember(&c->doc, NULL, &err);
	node_clear(&c->doc);
	buf_free(&c->text);
	free(c);
}

static int commit_later(const struct node *doc, const struct buf *text, struct error *err)
{
	AUTO_POOL_SPEC struct pool_spec spec = POOL_SPEC_INIT;
	struct commit *c;

	if (pool_xml_parse(text->data, text->len, "name", &spec, err) < 0)
		return -EBADMSG;
	c = calloc(1, sizeof(*c));
	if (!c || node_copy(doc, &c->doc) < 0 ||
	    buf_add(&c->text, text->data, text->len) < 0) {
		if (c)
			node_clear(&c->doc);
		free(c);
		return error_set(err, ENOMEM, "cannot keep the document: out of memory");
	}
	c->task.run = run_commit;

	int r = executor_submit(pool_executor(doc->pool), &c->task);

	if (r < 0) {
		node_clear(&c->doc);
		buf_free(&c->text);
		free(c);
		return error_set(err, -r,
				 "cannot take the document now: the pool is busy");
	}
	return 0;
}

int document_commit(const struct node *doc, const struct buf *text, bool wait,
		    struct call *call, struct error *err)
{
	struct error why = { 0 };
	struct xml_feed *f = xml_feed_new();
	int r = 0;

	if (!f)
		return error_set(err, ENOMEM, "cannot read the document: out of memory");
	if (xml_feed_add(f, buf_text(text), text->len, &why) != XML_COMPLETE)
		r = why.code ? -why.code : xml_feed_why(f, &why);
	xml_feed_free(f);
	if (r == 0 && !wait)
		r = commit_later(doc, text, &why);
	else if (r == 0)
		r = doc->row->store(doc, text->data, text->len, call, &why);
	if (r == 0)
		return 0;
	/* rename(2) has a meaning of its own for EINVAL, and mv prints that */
	if (why.code == EINVAL || why.code == 0)
		why.code = EBADMSG;
	return error_copy(err, &why);
}
