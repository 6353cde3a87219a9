/* Questions to the session. */
#include "backends/iscsi/ask.h"

#include <errno.h>
#include <stdlib.h>

struct question {
	struct ask ask;
	void (*run)(struct ask *);
};

static void run_question(struct loop_task *task)
{
	struct question *q = container_of(task, struct question, ask.call.task);

	q->run(&q->ask);
}

static void release_question(struct loop_call *c)
{
	struct question *q = container_of(c, struct question, ask.call);

	lun_unref(q->ask.lun);
	free(q->ask.answer);
	free(q);
}

int ask(struct iscsi_pool *p, const struct ask_about *about, void (*run)(struct ask *),
	struct ask **out, struct call *call, struct error *err)
{
	struct question *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return error_code(err, ENOMEM, "cannot ask the target");
	q->run = run;
	q->ask.pool = p;
	q->ask.about = *about;
	q->ask.lun = about->lun ? lun_ref(about->lun) : NULL;
	list_init(&q->ask.link);
	loop_call_init(&q->ask.call, run_question, release_question);
	if (about->answer_size)
		q->ask.answer = calloc(1, about->answer_size);
	r = !about->answer_size || q->ask.answer
		    ? loop_call_wait(p->session.loop, &q->ask.call, call, err)
		    : error_code(err, ENOMEM, "cannot ask the target");
	if (r == -ETIMEDOUT)
		error_set(err, ETIMEDOUT, "the target '%s' at %s does not answer",
			  p->target, p->portal);
	if (r >= 0 && out)
		*out = &q->ask;
	else
		ask_put(&q->ask);
	return r;
}

void ask_answer(struct ask *a, int result, const struct error *err)
{
	loop_call_done(&a->call, result, err);
}

void ask_put(struct ask *a)
{
	loop_call_put(&a->call);
}
