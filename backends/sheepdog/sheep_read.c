/* Reading a part: from the object of whichever VDI the map names, or zeros. */
#include <inttypes.h>

#include "backends/sheepdog/sheep_ahead.h"

static void done(struct sheep_msg *m, int r, const struct sheep_reply *reply,
		 const struct error *err)
{
	struct sheep_part *p = container_of(m, struct sheep_part, msg);
	const struct sheep_inode *i = p->op->inode;
	struct error why = { 0 };

	if (r < 0) {
		part_end(p, r, err);
		return;
	}
	if (reply->result == SHEEP_NO_OBJ && (p->tries == 0 || i->gone)) {
		/* given back by a change of the map: ours by now, or another client's */
		part_again(p, reply->result);
		return;
	}
	if (reply->result)
		r = sheep_failure(reply->result, &why,
				  "cannot read object %" PRIu32 " of volume '%s'",
				  p->index, i->vdi.name);
	part_end(p, r, &why);
}

void part_read(struct sheep_part *p)
{
	const struct sheep_inode *i = p->op->inode;
	struct sheep_slice bytes = part_slice(p);
	uint32_t owner = p->index < i->n ? i->map[p->index] : 0;

	p->vid = i->vdi.vid;
	if (!owner) {
		slice_clear(&bytes);
		part_end(p, 0, NULL);
		return;
	}
	if (ahead_serves(p))
		return;
	p->msg.request = (struct sheep_request){
		.opcode = SHEEP_READ,
		.obj = { .oid = sheep_data_oid(owner, p->index), .offset = p->inner },
	};
	part_ask(p, (struct sheep_slice){ 0 }, bytes, done);
}
