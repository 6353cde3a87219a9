/* Verbs on volumes: wipe, revert, flatten. Each is a job, and has the volume alone
 * meanwhile. */
#include "backends/model/volume_verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/job.h"
#include "backends/model/volume_base.h"
#include "backends/model/volumes.h"

static const char *const algorithms[] = {
	"zero", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33",
	"random", "trim", NULL
};

static const struct verb {
	const char *name;
	const char *argument; /* what it takes, in words; NULL: nothing */
	const char *doing;
} verbs[] = {
	[VERB_WIPE] = { "wipe", "an algorithm, such as zero", "wiped" },
	[VERB_REVERT] = { "revert", "a snapshot", "reverted" },
	[VERB_FLATTEN] = { "flatten", NULL, "flattened" },
};
#define N_VERBS (sizeof(verbs) / sizeof(*verbs))

static int check_algorithm(const char *name, struct error *err)
{
	for (size_t i = 0; algorithms[i]; i++)
		if (!strcmp(algorithms[i], name))
			return 0;
	return error_set(err, EINVAL,
			 "there is no way to wipe called '%s': use zero, nnsa, dod, bsi, gutmann, "
			 "schneier, pfitzner7, pfitzner33, random or trim",
			 name);
}

int volume_verb_parse(const char *line, struct volume_verb *out, struct error *err)
{
	size_t len = strcspn(line, " "), i = 0;
	const char *argument = line + len;

	while (i < N_VERBS &&
	       (strlen(verbs[i].name) != len || strncmp(verbs[i].name, line, len)))
		i++;
	if (i == N_VERBS)
		return error_set(err, EINVAL,
				 "unknown verb '%.60s': use wipe ALGORITHM, revert SNAPSHOT or "
				 "flatten",
				 line);
	argument += *argument == ' ';
	if (!verbs[i].argument != !*argument)
		return error_set(err, EINVAL, "'%s' takes %s", verbs[i].name,
				 verbs[i].argument ? verbs[i].argument
						   : "nothing behind it");
	*out = (struct volume_verb){ .what = i, .argument = *argument ? argument : NULL };
	return i == VERB_WIPE ? check_algorithm(argument, err) : 0;
}

static bool can(const struct use *u, enum volume_verb_what what)
{
	switch (what) {
	case VERB_WIPE:
		return USE_HAS(u, vol_wipe);
	case VERB_REVERT:
		return USE_HAS(u, snap_revert);
	default:
		return USE_HAS(u, vol_flatten);
	}
}

static int carry_out(const struct use *u, const char *name,
		     const struct volume_verb *verb, struct call *call, struct error *err)
{
	const struct backend *b = u->backend;

	switch (verb->what) {
	case VERB_WIPE:
		return b->vol_wipe(u->pool, name, verb->argument, call, err);
	case VERB_REVERT:
		return b->snap_revert(u->pool, name, verb->argument, call, err);
	default:
		return b->vol_flatten(u->pool, name, call, err);
	}
}

/* A verb takes the time it takes: it ends by itself or is cancelled. */
static int run_as_job(struct pool *p, const struct use *u, const char *name,
		      const struct volume_verb *verb, struct call *caller,
		      struct error *err)
{
	char what[POOL_NAME_MAX + 300], pool[POOL_NAME_MAX];
	struct call call = *caller;
	int r;

	pool_name(p, pool);
	snprintf(what, sizeof(what), "%s volume '%.255s' of pool '%s'",
		 verbs[verb->what].name, name, pool);
	call.deadline_ns = 0;

	struct job *j = job_begin_for(what, &call);

	if (!j)
		return error_code(err, ENOMEM, "cannot %s", what);
	r = carry_out(u, name, verb, job_call(j), err);
	job_end(j);
	return r;
}

static int run_alone(struct pool *p, const struct use *u, const char *name,
		     const struct volume_verb *verb, struct call *call, struct error *err)
{
	struct volume_use alone = { 0 };
	struct vol_stat st = { 0 };
	int r = volumes_claim(pool_volumes(p), name, verbs[verb->what].doing, &alone,
			      err);

	if (r < 0)
		return r;
	r = volume_stat_in(p, u, name, &st, call, err);
	if (r == 0)
		r = run_as_job(p, u, name, verb, call, err);
	volumes_leave(pool_volumes(p), &alone);
	return r;
}

int volume_verb(struct pool *p, const char *name, const char *line, struct call *call,
		struct error *err)
{
	AUTO_USE struct use u = { 0 };
	struct volume_verb verb;
	char what[64];
	int r = volume_verb_parse(line, &verb, err);

	if (r < 0)
		return r;
	r = pool_begin(p, &u, err);
	if (r < 0)
		return r;
	snprintf(what, sizeof(what), "%s its volumes", verbs[verb.what].name);
	if (!can(&u, verb.what))
		return volume_unsupported(&u, what, err);
	if (verb.what != VERB_FLATTEN)
		r = volume_check_protected(p, verbs[verb.what].name, name, err);
	if (r == 0)
		r = run_alone(p, &u, name, &verb, call, err);
	if (r == 0)
		volume_event(p, EVENT_VOLUME_CHANGED, name, NULL);
	return r;
}

int volume_show_verbs(struct pool *p, const char *name, struct call *call,
		      struct buf *out, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	struct error ignored;
	int r = buf_puts(out, "verbs:");

	/* A plan, or a pool that is not running, has none; nothing is asked of the
	 * source. */
	if (!plan_exists(p, name) && pool_begin(p, &u, &ignored) == 0)
		for (size_t i = 0; r == 0 && i < N_VERBS; i++)
			if (can(&u, i))
				r = buf_printf(out, " %s", verbs[i].name);
	if (r == 0)
		r = buf_putc(out, '\n');
	return r < 0 ? error_code(err, ENOMEM, "cannot list the verbs") : 0;
}
