/* The life of a request: made, dispatched, claimed, answered, released. */
#include "fs/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/pools.h"
#include "backends/support/log.h"
#include "fs/io.h"
#include "fs/notify.h"
#include "fs/own.h"
#include "fs/parked.h"

static void fill_call(struct request *r)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(r->req);

	r->started_ns = clock_now();
	r->pid = ctx->pid;
	r->call = (struct call){
		.deadline_ns = r->started_ns + model_options()->timeout_s * NS_PER_S,
		.cancelled = &r->cancelled,
		.uid = ctx->uid,
		.gid = ctx->gid,
		.pid = ctx->pid,
	};
}

struct request *request_new(fuse_req_t req, const struct op *op, fuse_ino_t ino,
			    const struct fuse_file_info *fi)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	r->refs = 1;
	r->op = op;
	r->req = req;
	fill_call(r);
	list_init(&r->link);
	list_init(&r->waiting);
	r->inode = inode_get(ino, &r->node);
	if (fi && r->inode)
		r->file = file_get(fi->fh);
	if (!r->inode || (fi && !r->file)) {
		fuse_reply_err(req, r->inode ? EBADF : ESTALE);
		request_unref(r);
		return NULL;
	}
	return r;
}

bool request_to(struct request *r, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	r->to_inode = inode_get(ino, &r->to_node);
	if (fi && r->to_inode)
		r->to_file = file_get(fi->fh);
	if (r->to_inode && (!fi || r->to_file))
		return true;
	fuse_reply_err(r->req, r->to_inode ? EBADF : ESTALE);
	request_unref(r);
	return false;
}

void request_ref(struct request *r)
{
	atomic_fetch_add(&r->refs, 1);
}

void request_unref(struct request *r)
{
	if (atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	node_clear(&r->out.node);
	buf_free(&r->out.buf);
	buf_free(&r->out.ids);
	if (r->file)
		file_put(r->file);
	if (r->to_file)
		file_put(r->to_file);
	if (r->inode)
		inode_put(r->inode);
	if (r->to_inode)
		inode_put(r->to_inode);
	free(r->names[0]);
	free(r->names[1]);
	if (r->copy)
		explicit_bzero(r->copy, r->size); /* it may be a secret's */
	free(r->copy);
	io_release(r);
	free(r);
}

bool request_claim(struct request *r)
{
	if (atomic_exchange(&r->answered, true))
		return false;
	if (!r->parked)
		return true;
	/* returns when a callback that runs right now has ended */
	fuse_req_interrupt_func(r->req, NULL, NULL);
	parked_remove(r);
	return true;
}

void request_count(enum metric_op op, uint64_t started_ns, int code)
{
	metrics_request(op, started_ns, code);
}

/* Whether the code is a plain answer that no administrator needs to hear of. */
static bool is_answer(struct request *r, int code)
{
	const struct op *op = r->op;

	switch (code) {
	case ENOENT:
		return op->may_miss;
	case EAGAIN:
		return op->retries;
	case EOPNOTSUPP:
	case ERANGE:
		return op->probes;
	case EINTR: /* a job that was cancelled leaves its sentence */
		return atomic_load(&r->interrupted);
	case ESTALE: /* the kernel looks the name up and tries again */
	case EXDEV:
	case ENXIO:
	case ENODATA:
	case ENOTTY:
		return true;
	default:
		return false;
	}
}

static bool has_said(struct request *r, const struct error *err)
{
	return r->file && r->file->handle && handle_has_said(r->file->handle, err);
}

static void remember(const struct node *n, const char *name, const struct error *err)
{
	node_remember(n, name, err);
	log_error("%s", err->text);
}

void request_fail(struct request *r, int result, struct error *err)
{
	int code = result == -ENOSYS ? EOPNOTSUPP : -result;

	if (!err->text[0])
		error_code(err, code, "the operation failed");
	err->code = code;
	if (!is_answer(r, code) && !has_said(r, err))
		remember(r->node, r->name, err);
	request_count(r->op->metric, r->started_ns, code);
	fuse_reply_err(r->req, code);
	if (r->parked && r->op->holds_directory)
		notify_directory_released(r->inode);
}

void reply_error(fuse_req_t req, const struct node *n, const char *name,
		 const struct error *err)
{
	remember(n, name, err);
	fuse_reply_err(req, err->code);
}

static void answer(struct request *r, int result, struct error *err)
{
	if (result < 0) {
		request_fail(r, result, err);
		return;
	}
	request_count(r->op->metric, r->started_ns, 0);
	r->op->reply(r);
	if (r->parked && r->op->holds_directory)
		notify_directory_released(r->inode);
}

/* The kernel has had its answer: what comes now is released, and a real failure still
 * told. */
static void late(struct request *r, int result, struct error *err)
{
	if (result >= 0) {
		if (r->op->drop)
			r->op->drop(r);
	} else if (result != -ECANCELED && result != -ETIMEDOUT &&
		   !is_answer(r, -result)) {
		err->code = -result;
		remember(r->node, r->name, err);
	}
}

void request_done(struct request *r, int result, struct error *err)
{
	if (request_claim(r))
		answer(r, result, err);
	else
		late(r, result, err);
	request_unref(r);
}

static void execute(struct request *r)
{
	struct error err = { 0 };
	int ret = r->op->run(r, &err);

	notify_settle();
	if (ret == REQUEST_PENDING)
		return;
	if (ret == -EAGAIN && r->op->retries && r->sleep) {
		atomic_store(&r->queued, false);
		if (r->parked || request_park(r))
			request_unref(r); /* parked.c's reference stays */
		return;
	}
	request_done(r, ret, &err);
}

static void run_task(struct task *t)
{
	struct request *r = container_of(t, struct request, task);

	if (atomic_load(&r->answered)) /* it waited in the queue for too long */
		request_unref(r);
	else
		execute(r);
}

/* One at a time. Where there is no room it is asked the next time. */
static void retry_on(struct request *r, struct executor *e)
{
	if (atomic_exchange(&r->queued, true))
		return;
	request_ref(r);
	r->task.run = run_task;
	if (executor_submit(e, &r->task) < 0) {
		atomic_store(&r->queued, false);
		request_unref(r);
	}
}

void request_retry(struct request *r)
{
	struct executor *e = node_executor(r->node, r->op->node_op, NULL);
	struct error err = { 0 };
	int ret;

	if (e) {
		retry_on(r, e);
		return;
	}
	ret = r->op->run(r, &err);
	if (ret == -EAGAIN)
		return;
	request_ref(r);
	request_done(r, ret, &err);
}

static void on_interrupt(fuse_req_t req, void *data)
{
	parked_interrupt(data);
}

static bool copy_name(const char **name, char **own)
{
	if (!*name)
		return true;
	*name = *own = strdup(*name);
	return *own;
}

/* libfuse reuses its buffer when the op returns. */
static bool copy_arguments(struct request *r)
{
	if (!copy_name(&r->name, &r->names[0]) || !copy_name(&r->to_name, &r->names[1]))
		return false;
	if (!r->data)
		return true;
	r->copy = malloc(r->size ? r->size : 1);
	if (!r->copy)
		return false;
	memcpy(r->copy, r->data, r->size);
	r->data = r->copy;
	return true;
}

bool request_park(struct request *r)
{
	struct error err = { 0 };
	int code = ENOMEM;

	if (copy_arguments(r)) {
		r->parked = true;
		if (r->op->holds_directory)
			notify_directory_parked(r->inode);
		if (r->op->holds_file)
			inode_renew(r->inode);
		fuse_req_interrupt_func(r->req, on_interrupt, r);
		if (parked_add(r))
			return true;
		code = EIO;
	}
	request_done(
		r,
		error_set(&err, code,
			  code == EIO ? "storagefs is being unmounted" : "out of memory"),
		&err);
	return false;
}

void dispatch_here(struct request *r)
{
	execute(r);
}

void request_queue(struct request *r, struct executor *e)
{
	struct error err = { 0 };
	char path[300];
	int ret;

	r->task.run = run_task;
	ret = executor_submit(e, &r->task);
	if (ret == 0)
		return;
	node_path(r->node, path, sizeof(path));
	request_done(r,
		     error_set(&err, EAGAIN,
			       "'%s': too many operations wait for this pool; "
			       "see its state",
			       path),
		     &err);
}

void dispatch_on(struct request *r, struct executor *e)
{
	atomic_store(&r->queued, e);
	if (!e)
		execute(r);
	else if (request_park(r))
		request_queue(r, e);
}

void dispatch(struct request *r)
{
	dispatch_on(r, node_executor(r->node, r->op->node_op, &r->verb));
}

void reply_done(struct request *r)
{
	fuse_reply_err(r->req, 0);
}

void reply_count(struct request *r)
{
	fuse_reply_write(r->req, r->out.count);
}

void reply_attr(struct request *r)
{
	fuse_reply_attr(r->req, &r->out.st, node_caching(r->node).attr_s);
}

void drop_node(struct request *r)
{
	node_clear(&r->out.node);
}

/* A text's size is asked for at each use; one tick lets an open use what its lookup has
 * just said. */
#define ONE_TICK_S 0.001

void reply_entry(struct request *r)
{
	struct caching caching = node_caching(&r->out.node);
	struct fuse_entry_param e = {
		.attr = r->out.st,
		.attr_timeout = caching.attr_s > 0 ? caching.attr_s : ONE_TICK_S,
		.entry_timeout = caching.entry_s,
		.ino = inode_lookup(&r->out.node),
	};

	own_end(r->inode->id, r->name);
	if (!e.ino)
		fuse_reply_err(r->req, ENOMEM);
	else if (fuse_reply_entry(r->req, &e) == -ENOENT)
		inode_forget(e.ino, 1);
}
