/* sources/scsi: the adapters of this host, by what stays the same over a restart. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/scsi/scsi.h"

struct found {
	source_each each;
	void *arg;
};

static char *name_of(unsigned number)
{
	char *name;

	return asprintf(&name, "scsi_host%u", number) < 0 ? NULL : name;
}

static int add_port(struct pool_adapter *a, unsigned number)
{
	char wwnn[17], wwpn[17];
	int parent = port_parent(number);

	if (!port_name(number, "node_name", wwnn) ||
	    !port_name(number, "port_name", wwpn))
		return 0;
	a->type = ADAPTER_FC_HOST;
	a->wwnn = strdup(wwnn);
	a->wwpn = strdup(wwpn);
	if (parent != HOST_NONE)
		a->parent = name_of(parent);
	return a->wwnn && a->wwpn && (parent == HOST_NONE || a->parent) ? 1 : -ENOMEM;
}

/* Numbers are given anew at each boot; a place on PCI stays. */
static int add_host(struct pool_adapter *a, unsigned number)
{
	struct pool_adapter by_address = { .type = ADAPTER_SCSI_HOST,
					   .has_parentaddr = true };
	struct pci_address at;

	if (adapter_address(number, &at)) {
		by_address.unique_id = at.unique_id;
		by_address.domain = at.domain;
		by_address.bus = at.bus;
		by_address.slot = at.slot;
		by_address.function = at.function;
		if (adapter_find(&by_address, NULL) == (int)number) {
			*a = by_address;
			return 0;
		}
	}
	a->type = ADAPTER_SCSI_HOST;
	a->name = name_of(number);
	return a->name ? 0 : -ENOMEM;
}

static int give(void *arg, unsigned number)
{
	struct found *f = arg;
	AUTO_POOL_SOURCE struct pool_source s = { 0 };
	int r = add_port(&s.adapter, number);

	if (r == 0)
		r = add_host(&s.adapter, number);
	return r < 0 ? r : f->each(f->arg, &s);
}

int scsi_discover(const struct pool_source *from, const struct host *host,
		  source_each each, void *arg, struct call *call, struct error *err)
{
	struct found f = { each, arg };
	int r = adapter_each(give, &f);

	if (r == -ENOMEM)
		return error_code(err, ENOMEM, "cannot list the SCSI adapters");
	return r < 0 ? r : 0;
}
