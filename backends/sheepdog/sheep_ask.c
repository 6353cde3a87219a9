/*
 * Questions of a thread that may wait: copied to the loop, sent together, and answered
 * when all have their answers.
 *
 * What is in flight has memory of its own: who gave up waiting may be gone when the
 * cluster answers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep.h"
#include "backends/sheepdog/sheep_pages.h"

#define MUCH 65536

struct asked {
	struct sheep_msg msg;
	struct sheep_reply reply;
	struct iovec in, out;
	struct asking *of;
};

struct asking {
	struct loop_call call;
	struct sheep_session *session;
	size_t n, answered;
	int r;
	struct error err;
	char *memory;	    /* payloads, then room for replies */
	struct pages pages; /* where that is much */
	struct asked each[];
};

static void asking_free(struct loop_call *c)
{
	struct asking *a = container_of(c, struct asking, call);

	if (!a->pages.at)
		free(a->memory);
	pages_put(&a->pages);
	free(a);
}
DEFINE_CLEANUP(cleanup_call, struct loop_call *, loop_call_put)

static void answered(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		     const struct error *err)
{
	struct asked *one = container_of(m, struct asked, msg);
	struct asking *a = one->of;

	if (r < 0 && a->r == 0) {
		a->r = r;
		a->err = *err;
	}
	if (r == 0)
		one->reply = *reply;
	if (++a->answered == a->n)
		loop_call_done(&a->call, a->r, a->r < 0 ? &a->err : NULL);
}

static void ask(struct loop_task *t)
{
	struct asking *a = container_of(container_of(t, struct loop_call, task),
					struct asking, call);
	size_t n = a->n; /* the last may be answered, and a freed, in here */

	for (size_t i = 0; i < n; i++)
		session_send(a->session, &a->each[i].msg);
}

static struct asking *asking_new(struct sheep_session *s, const struct sheep_question *q,
				 size_t n)
{
	struct asking *a = calloc(1, sizeof(*a) + n * sizeof(a->each[0]));
	size_t size = 0;
	char *at;

	if (!a)
		return NULL;
	for (size_t i = 0; i < n; i++)
		size += q[i].out_len + q[i].in_len;
	if (size >= MUCH && pages_get(&a->pages, size))
		a->memory = a->pages.at;
	else
		a->memory = malloc(size ? size : 1);
	at = a->memory;
	if (!at) {
		free(a);
		return NULL;
	}
	loop_call_init(&a->call, ask, asking_free);
	a->session = s;
	a->n = n;
	for (size_t i = 0; i < n; i++) {
		struct asked *one = &a->each[i];

		one->of = a;
		one->out = (struct iovec){ at, q[i].out_len };
		if (q[i].out_len)
			memcpy(at, q[i].out, q[i].out_len);
		at += q[i].out_len;
		one->in = (struct iovec){ at, q[i].in_len };
		at += q[i].in_len;
		one->msg = (struct sheep_msg){
			.request = q[i].request,
			.out = { &one->out, 1, 0, q[i].out_len },
			.in = { &one->in, 1, 0, q[i].in_len },
			.once = q[i].once,
			.repeatable = q[i].repeatable,
			.asker = &a->call,
			.done = answered,
		};
	}
	return a;
}

static void take_answers(const struct asking *a, struct sheep_question *q)
{
	for (size_t i = 0; i < a->n; i++) {
		q[i].reply = a->each[i].reply;
		if (!q[i].reply.result && q[i].reply.data_length)
			memcpy(q[i].in, a->each[i].in.iov_base, q[i].reply.data_length);
	}
}

int sheep_ask(struct sheep_pool *sp, struct sheep_question *q, size_t n,
	      struct call *call, struct error *err)
{
	struct asking *a = asking_new(sp->session, q, n);
	CLEANUP(cleanup_call) struct loop_call *c = a ? &a->call : NULL;
	struct error why = { 0 };
	int r;

	if (!a)
		return error_code(err, ENOMEM, "cannot ask a sheep");
	r = loop_call_wait(sp->loop, c, call, &why);
	if (r == 0)
		take_answers(a, q);
	else if (loop_call_abandoned(c))
		error_set(err, -r, "the sheep at %s did not answer in time", sp->where);
	else
		error_copy(err, &why);
	return r;
}

/* -- something quick on the loop -- */

struct visit {
	struct loop_call call;
	void (*fn)(void *arg);
	void *arg;
};

static void visit(struct loop_task *t)
{
	struct visit *v =
		container_of(container_of(t, struct loop_call, task), struct visit, call);

	v->fn(v->arg);
	loop_call_done(&v->call, 0, NULL);
}

static void visit_free(struct loop_call *c)
{
	free(container_of(c, struct visit, call));
}

int sheep_on_loop(struct sheep_pool *sp, void (*fn)(void *arg), void *arg)
{
	struct visit *v = malloc(sizeof(*v));

	if (!v)
		return -ENOMEM;
	loop_call_init(&v->call, visit, visit_free);
	v->fn = fn;
	v->arg = arg;
	loop_call_wait(sp->loop, &v->call, NULL, NULL);
	loop_call_put(&v->call);
	return 0;
}
