/*
 * Fibre Channel hosts by their world-wide names, and virtual ports (NPIV): made by
 * writing both names to the parent, and marked as ours by their symbolic name, which the
 * kernel keeps as long as the port lives.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/file_pool.h"
#include "backends/common/sysfs.h"
#include "backends/scsi/scsi.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"

#define HOSTS	   "/sys/class/fc_host"
#define ONLINE_NS  (10 * NS_PER_S) /* for a new port to be known by the fabric */
#define REMOVED_NS (10 * NS_PER_S)
#define LOOK_NS	   (50 * NS_PER_MS)

bool port_name(unsigned number, const char *attribute, char out[17])
{
	char line[SYS_LINE];

	if (sys_read(line, sizeof(line), HOSTS "/host%u/%s", number, attribute) < 0 ||
	    strncmp(line, "0x", 2) || strlen(line) != 18)
		return false;
	for (int i = 0; i < 17; i++)
		out[i] = tolower((unsigned char)line[2 + i]);
	return true;
}

/* -- finding -- */

struct names {
	const char *wwnn, *wwpn, *fabric; /* NULL: any */
	bool capable;			  /* one that can have another virtual port */
	int found;
};

static bool has_name(unsigned number, const char *attribute, const char *want)
{
	char name[17];

	return !want || (port_name(number, attribute, name) && !strcasecmp(name, want));
}

static bool is_capable(unsigned number)
{
	uint64_t most = 0, used = 0;
	char state[SYS_LINE] = "";

	sys_number(&most, HOSTS "/host%u/max_npiv_vports", number);
	sys_number(&used, HOSTS "/host%u/npiv_vports_inuse", number);
	sys_read(state, sizeof(state), HOSTS "/host%u/port_state", number);
	return used < most && !strcmp(state, "Online") &&
	       sys_exists(HOSTS "/host%u/vport_create", number);
}

static int compare(void *arg, unsigned number)
{
	struct names *n = arg;

	if (n->found != HOST_NONE || !sys_exists(HOSTS "/host%u", number) ||
	    !has_name(number, "node_name", n->wwnn) ||
	    !has_name(number, "port_name", n->wwpn) ||
	    !has_name(number, "fabric_name", n->fabric) ||
	    (n->capable && !is_capable(number)))
		return 0;
	n->found = number;
	return 0;
}

static int find(struct names n)
{
	n.found = HOST_NONE;
	adapter_each(compare, &n);
	return n.found;
}

int port_find(const char *wwnn, const char *wwpn)
{
	return find((struct names){ .wwnn = wwnn, .wwpn = wwpn });
}

/* ".../host2/vport-2:0-0/host5": the parent's number, and the virtual port's name. */
static int vport_of(unsigned number, char vport[64])
{
	AUTO_FREE char *real = sys_real(HOSTS "/host%u", number);
	const char *at = real;
	int parent = HOST_NONE;
	unsigned h, c, n;

	while (at && (at = strstr(at, "/vport-"))) {
		if (sscanf(at, "/vport-%u:%u-%u/", &h, &c, &n) == 3) {
			parent = h;
			snprintf(vport, 64, "vport-%u:%u-%u", h, c, n);
		}
		at++;
	}
	return parent;
}

int port_parent(unsigned number)
{
	char vport[64];

	return vport_of(number, vport);
}

/* -- making -- */

static int check_parent(unsigned number, struct error *err)
{
	uint64_t most = 0, used = 0;

	if (!sys_exists(HOSTS "/host%u", number))
		return error_set(err, ENODEV, "adapter host%u is no Fibre Channel host",
				 number);
	if (!sys_exists(HOSTS "/host%u/vport_create", number))
		return error_set(err, EOPNOTSUPP,
				 "adapter host%u cannot have virtual ports (NPIV)",
				 number);
	sys_number(&most, HOSTS "/host%u/max_npiv_vports", number);
	sys_number(&used, HOSTS "/host%u/npiv_vports_inuse", number);
	if (used >= most)
		return error_set(
			err, EBUSY,
			"adapter host%u has all of its %llu virtual ports in use", number,
			(unsigned long long)most);
	return number;
}

/* Whether the definition names a parent at all. */
static bool names_parent(const struct pool_adapter *a)
{
	return a->parent || (a->parent_wwnn && a->parent_wwpn) || a->parent_fabric_wwn;
}

static int find_parent(const struct pool_adapter *a, struct error *err)
{
	int n;

	if (a->parent)
		return adapter_find(&(struct pool_adapter){ .type = ADAPTER_SCSI_HOST,
							    .name = a->parent },
				    err);
	if (a->parent_wwnn && a->parent_wwpn) {
		n = port_find(a->parent_wwnn, a->parent_wwpn);
		return n != HOST_NONE
			       ? n
			       : error_set(err, ENODEV,
					   "no Fibre Channel host has the parent's names "
					   "'%s' and '%s'",
					   a->parent_wwnn, a->parent_wwpn);
	}
	n = find((struct names){ .fabric = a->parent_fabric_wwn, .capable = true });
	if (n != HOST_NONE)
		return n;
	if (a->parent_fabric_wwn)
		return error_set(
			err, ENODEV,
			"no Fibre Channel host on fabric '%s' is online and can have "
			"one more virtual port",
			a->parent_fabric_wwn);
	return error_set(err, ENODEV,
			 "no Fibre Channel host is online and can have one more virtual "
			 "port");
}

static int pause_for(struct call *call, uint64_t until, struct error *err)
{
	struct timespec t = { .tv_nsec = LOOK_NS };
	int r = call_check(call, err);

	if (r < 0)
		return r;
	if (clock_now() >= until)
		return -ETIMEDOUT;
	nanosleep(&t, NULL);
	return 0;
}

static bool is_online(unsigned number)
{
	char state[SYS_LINE] = "";

	sys_read(state, sizeof(state), HOSTS "/host%u/port_state", number);
	return !strcmp(state, "Online");
}

/* Until the port is there, and then until the fabric knows it, which may be later: its
 * units come when they come. */
static int wait_made(const struct pool_adapter *a, unsigned parent, struct call *call,
		     struct error *err)
{
	uint64_t until = clock_now() + ONLINE_NS;
	int n, r = 0;

	while ((n = port_find(a->wwnn, a->wwpn)) == HOST_NONE && r == 0)
		r = pause_for(call, until, err);
	if (n == HOST_NONE)
		return r == -ETIMEDOUT ? error_set(err, EIO,
						   "the virtual port was made on host%u, "
						   "but no host has appeared for it",
						   parent)
				       : r;
	while (!is_online(n) && r == 0)
		r = pause_for(call, until, NULL);
	return n;
}

/* So that a later daemon knows that it may remove it. Not every driver can. */
static void put_mark(unsigned number, const char *mark)
{
	char vport[64];

	if (vport_of(number, vport) == HOST_NONE ||
	    sys_write(mark, "/sys/class/fc_vports/%s/symbolic_name", vport) < 0)
		log_debug("the virtual port of host%u takes no name", number);
}

static int make(const struct pool_adapter *a, const char *mark, struct call *call,
		struct error *err)
{
	char names[64];
	int parent = find_parent(a, err), n;

	if (parent >= 0)
		parent = check_parent(parent, err);
	if (parent < 0)
		return parent;
	snprintf(names, sizeof(names), "%s:%s", a->wwpn, a->wwnn);
	n = sys_write(names, HOSTS "/host%d/vport_create", parent);
	if (n < 0)
		return error_code(err, -n, "cannot make a virtual port %s on host%d",
				  names, parent);
	n = wait_made(a, parent, call, err);
	if (n >= 0)
		put_mark(n, mark);
	else
		sys_write(names, HOSTS "/host%d/vport_delete", parent);
	return n;
}

/* One that is there is taken, if it is where the definition has it. */
static int adopt(const struct pool_adapter *a, unsigned number, struct error *err)
{
	int is = port_parent(number), wanted;

	if (is == HOST_NONE || !names_parent(a))
		return number;
	wanted = find_parent(a, err);
	if (wanted < 0)
		return wanted;
	if (is != wanted)
		return error_set(
			err, EINVAL,
			"the virtual port '%s' is on host%d, and the definition has "
			"it on host%d",
			a->wwpn, is, wanted);
	return number;
}

int port_start(const struct pool_adapter *a, const char *mark, bool *made,
	       struct call *call, struct error *err)
{
	int n;

	*made = false;
	if (!a->wwnn || !a->wwpn)
		return error_set(err, EINVAL,
				 "an adapter of type fc_host has a wwnn and a wwpn");
	n = port_find(a->wwnn, a->wwpn);
	if (n != HOST_NONE)
		return adopt(a, n, err);
	n = make(a, mark, call, err);
	*made = n >= 0;
	return n;
}

/* -- removing -- */

bool port_is_ours(const struct scsi_pool *p, unsigned number)
{
	char vport[64], name[SYS_LINE] = "";

	if (p->adapter.type != ADAPTER_FC_HOST || p->adapter.managed == CHOICE_NO ||
	    vport_of(number, vport) == HOST_NONE)
		return false;
	sys_read(name, sizeof(name), "/sys/class/fc_vports/%s/symbolic_name", vport);
	return p->adapter.managed == CHOICE_YES || p->made_port || !strcmp(name, p->mark);
}

int port_remove(unsigned number, struct call *call, struct error *err)
{
	uint64_t until = clock_now() + REMOVED_NS;
	int parent = port_parent(number), r;
	char names[64], wwnn[17], wwpn[17];

	if (parent == HOST_NONE || !port_name(number, "node_name", wwnn) ||
	    !port_name(number, "port_name", wwpn))
		return error_set(err, ENODEV, "host%u is no virtual port", number);
	snprintf(names, sizeof(names), "%s:%s", wwpn, wwnn);
	r = sys_write(names, HOSTS "/host%d/vport_delete", parent);
	if (r < 0)
		return error_code(err, -r, "cannot remove the virtual port %s of host%d",
				  names, parent);
	while (sys_exists(HOSTS "/host%u", number) && r == 0)
		r = pause_for(call, until, err);
	return r == -ETIMEDOUT
		       ? error_set(err, EIO,
				   "the kernel was told to remove the virtual port "
				   "%s of host%d, and has not",
				   names, parent)
		       : r;
}
