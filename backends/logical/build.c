/*
 * What a logical pool stands on: making the volume group on its devices, and removing it.
 * Only blank devices are taken, or with `build overwrite` any that nothing uses; a group
 * with logical volumes is never removed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/device.h"
#include "backends/logical/logical.h"
#include "backends/logical/name.h"

#define DEVICES_MAX (LVM_ARGS_MAX - 8)

static int check_spec(const struct pool_spec *spec, struct error *err)
{
	const char *vg = spec->source.name;

	if (!vg || !logical_name_valid(vg))
		return error_set(
			err, EINVAL,
			"'%s' is no name for a volume group: LVM takes a-z A-Z 0-9 "
			"+ _ . - and no '-' at its beginning",
			vg ? vg : "");
	if (!spec->source.n_devices)
		return error_set(
			err, EINVAL,
			"which devices is volume group '%s' to be made of? give the "
			"definition a <device path='/dev/...'/> in <source>",
			vg);
	if (spec->source.n_devices > DEVICES_MAX)
		return error_set(
			err, EINVAL,
			"a volume group is made of no more than %d devices at once: "
			"add the others with vgextend",
			DEVICES_MAX);
	return 0;
}

/* Fails unless the device may be taken; the marks of what was on it are removed only when
 * all may (wipe). */
static int look_at_device(const char *path, bool overwrite, bool wipe, struct error *err)
{
	AUTO_FD int fd = device_claim(path, err);
	struct device_content found;
	int r;

	if (fd < 0)
		return fd;
	if (overwrite)
		return wipe ? device_wipe_marks(fd, path, err) : 0;
	r = device_probe(fd, path, &found, err);
	if (r > 0)
		return error_set(
			err, EEXIST,
			"device '%s' is not empty (%s), so no volume group is made "
			"on it: 'build overwrite' makes one over it",
			path, found.type);
	return r;
}

static int look_at_devices(const struct pool_spec *spec, bool overwrite, bool wipe,
			   struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->source.n_devices; i++)
		r = look_at_device(spec->source.devices[i].path, overwrite, wipe, err);
	return r;
}

/* Whether the path is one of the definition's devices, by whatever name. */
static bool is_listed(const struct pool_spec *spec, const char *path)
{
	dev_t device, other;

	if (device_number(path, &device, NULL) < 0)
		return false;
	for (size_t i = 0; i < spec->source.n_devices; i++)
		if (device_number(spec->source.devices[i].path, &other, NULL) == 0 &&
		    other == device)
			return true;
	return false;
}

/* A group of the name is made over only when it is on these devices alone. */
static int check_group(const struct pool_spec *spec, bool overwrite, struct call *call,
		       struct error *err)
{
	const char *name = spec->source.name;
	struct vg g = { 0 };
	struct error why = { 0 };
	int r = group_ask(name, &g, call, &why);

	if (r == 0 && !overwrite)
		r = error_set(&why, EEXIST,
			      "there is a volume group '%s' already: echo start > ctl",
			      name);
	for (size_t i = 0; r == 0 && i < g.n_pvs; i++)
		if (!is_listed(spec, g.pvs[i]))
			r = error_set(
				&why, EEXIST,
				"there is a volume group '%s' already, on '%s', which "
				"is no device of this pool",
				name, g.pvs[i]);
	vg_clear(&g);
	return r == -ENODEV || r == 0 ? 0 : error_copy(err, &why);
}

int logical_build(const struct pool_spec *spec, const struct host *host,
		  enum build_mode mode, struct call *call, struct error *err)
{
	bool overwrite = mode == BUILD_OVERWRITE;
	struct lvm_command c;
	int r = check_spec(spec, err);

	if (r == 0)
		r = check_group(spec, overwrite, call, err);
	if (r == 0)
		r = look_at_devices(spec, overwrite, false, err);
	if (r == 0 && overwrite)
		r = look_at_devices(spec, true, true, err);
	if (r < 0)
		return r;
	lvm_begin(&c, "vgcreate", "--yes", spec->source.name, NULL);
	for (size_t i = 0; i < spec->source.n_devices; i++)
		lvm_add(&c, spec->source.devices[i].path, NULL);
	r = lvm_change(&c, call, err);
	return r < 0 ? error_prefix(err, "cannot make volume group '%s'",
				    spec->source.name)
		     : 0;
}

/* -- removing -- */

static int check_empty(const struct pool_spec *spec, struct call *call, struct error *err)
{
	struct vg report = { 0 };
	int r = group_ask(spec->source.name, &report, call, err);

	if (r == 0 && report.n_lvs)
		r = error_set(
			err, EBUSY,
			"volume group '%s' has logical volumes, such as '%s': remove "
			"them first",
			spec->source.name, report.lvs[0].name);
	vg_clear(&report);
	return r;
}

/* Without --yes lvm asks before it removes what is in use, and gets no answer. */
int logical_remove(const struct pool_spec *spec, const struct host *host,
		   struct call *call, struct error *err)
{
	struct lvm_command c;
	int r = check_empty(spec, call, err);

	if (r < 0)
		return r;
	lvm_begin(&c, "vgremove", spec->source.name, NULL);
	r = lvm_change(&c, call, err);
	if (r < 0)
		return error_prefix(err, "cannot remove volume group '%s'",
				    spec->source.name);
	if (!spec->source.n_devices)
		return 0;
	lvm_begin(&c, "pvremove", NULL);
	for (size_t i = 0; i < spec->source.n_devices && i < DEVICES_MAX; i++)
		lvm_add(&c, spec->source.devices[i].path, NULL);
	r = lvm_change(&c, call, err);
	return r < 0 ? error_prefix(
			       err,
			       "volume group '%s' is removed, but not LVM's marks on "
			       "its devices",
			       spec->source.name)
		     : 0;
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

/* The group's, made where it is not known yet; NULL: no memory. */
static struct pool_source *source_of(struct found *f, const char *vg)
{
	struct pool_source *more, *s;

	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->sources[i].name, vg))
			return &f->sources[i];
	more = reallocarray(f->sources, f->n + 1, sizeof(*more));
	if (!more)
		return NULL;
	f->sources = more;
	s = &more[f->n++];
	*s = (struct pool_source){ .name = strdup(vg), .format = strdup("lvm2") };
	if (s->name && s->format)
		return s;
	pool_source_clear(s);
	f->n--;
	return NULL;
}

static int add_pv(void *arg, const char *vg, const char *pv)
{
	struct pool_source *s = source_of(arg, vg);
	struct pool_device *more;

	if (!s)
		return -ENOMEM;
	more = reallocarray(s->devices, s->n_devices + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->devices = more;
	more[s->n_devices] = (struct pool_device){ .path = strdup(pv) };
	return more[s->n_devices++].path ? 0 : -ENOMEM;
}

int logical_discover(const struct pool_source *from, const struct host *host,
		     source_each each, void *arg, struct call *call, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	CLEANUP(found_clear) struct found found = { 0 };
	struct lvm_command c;
	int r;

	lvm_begin(&c, "pvs", NULL);
	for (size_t i = 0; report_pvs_words[i]; i++)
		lvm_add(&c, report_pvs_words[i], NULL);
	r = lvm_ask(&c, &text, call, err);
	if (r == 0)
		r = report_pvs_parse(text.data, text.len, add_pv, &found, err);
	if (r == -ENOMEM)
		return error_code(err, ENOMEM, "cannot list the volume groups");
	for (size_t i = 0; r >= 0 && i < found.n; i++)
		r = each(arg, &found.sources[i]);
	return r < 0 ? r : 0;
}
