/*
 * Operations on open VDIs: each is cut into parts of one object, and each part goes
 * through its steps on the loop.
 */
#pragma once

#include "backends/sheepdog/sheep_inode.h"
#include "backends/sheepdog/sheep_pieces.h"

#define PART_MAX (UINT32_C(4) << 20) /* bytes of one request */

/* Reads that go on where the last one ended. */
struct sheep_row {
	uint64_t end, len;	   /* bytes: where it goes on, and so far but the first */
	uint64_t since_ns, upsets; /* when it began, and the inode's then */
	unsigned reading;	   /* those under way, of any row */
};

/* What vol_open gives out. */
struct sheep_volume {
	struct sheep_inode *inode;
	bool write;
	bool through; /* what is answered is stored */
	/* the loop's */
	bool used;
	uint64_t losses; /* that it has been told of */
	struct sheep_row row;
};

struct sheep_op {
	struct loop_task task;
	struct list link; /* of the inode's */
	struct sheep_waiter waiter;
	struct sheep_inode *inode;
	struct sheep_volume *volume; /* that it was asked of; NULL: none */
	struct io *io;		     /* NULL: answered, or never asked for by an io */
	struct loop_call *call;	     /* who waits for one that has no io */
	enum io_op what;
	const struct iovec *iov;
	int iovcnt;
	uint64_t from, next, end; /* bytes: first, of the next part, behind the last */
	struct list parts;
	unsigned running;
	bool going, begun;
	bool adopts;	 /* makes copies of its parents' objects, and changes no byte */
	bool overwrites; /* its zeros are written to what is the VDI's own */
	struct sheep_chunk *lender; /* of the bytes that it is answered with, or NULL */
	void *copy;		    /* of the payload, when its owner has given up */
	struct iovec copy_iov;
	/* sheep_behind.c's */
	bool gathered;
	struct sheep_pieces *pieces; /* what is gathered */
	uint64_t turn;		     /* among those; of a flush: the last before it */
	uint64_t losses;	     /* of a flush: before it */
	uint64_t since_ns, added_ns;
	struct list behind;    /* of the inode's */
	struct list followers; /* who waits for its end */
	int r;
	struct error err;
};

/* A piece of an operation inside one object. */
struct sheep_part {
	struct sheep_waiter waiter; /* its link: whatever it waits in */
	struct list link;	    /* of the operation's */
	struct sheep_op *op;
	uint32_t index, inner; /* object, and offset in it */
	uint32_t len;
	bool whole;   /* covers all of the object that the VDI has */
	uint32_t vid; /* the VDI that it was begun for, or who owned the object */
	struct sheep_object *object; /* locked */
	bool alone;
	uint32_t entry; /* what the map is to say */
	bool storing;	/* its entry in the map: no message of its own is out */
	unsigned tries, looks;
	uint64_t at; /* of its first byte in the payload */
	struct sheep_msg msg;
	struct iovec iov;
	uint8_t bytes[8];
};

/* -- sheep_op.c -- */

/* Ends a part; r < 0 is the operation's result. */
void part_end(struct sheep_part *, int r, const struct error *err);
/* Its bytes of the payload. */
struct sheep_slice part_slice(const struct sheep_part *);
/* Sends its message: the request is set, done is called. */
void part_ask(struct sheep_part *, struct sheep_slice out, struct sheep_slice in,
	      void (*done)(struct sheep_msg *, int, const struct sheep_reply *,
			   const struct error *));
/* The inode is not what it was taken for, as result says: again, after it was read. */
void part_again(struct sheep_part *, uint32_t result);

void op_init(struct sheep_op *, struct sheep_inode *, uint64_t from, uint64_t end);
void op_go(struct sheep_op *);
/* Tells who asked for it. */
void op_answer(struct sheep_op *);
void op_free(struct sheep_op *);

/* An operation on behalf of no io; waits. */
int op_adopt(struct sheep_inode *, struct call *, struct error *);
int op_overwrite(struct sheep_inode *, uint64_t off, uint64_t end, struct call *,
		 struct error *);
int op_run(struct sheep_inode *, enum io_op, uint64_t off, uint64_t end, struct call *,
	   struct error *);

/* -- sheep_read.c, sheep_write.c -- */

void part_read(struct sheep_part *);
void part_write(struct sheep_part *);
void part_unlock(struct sheep_part *);

/* -- sheep_update.c -- */

/* Stores the part's entry in the map, with those of its neighbours, and ends it. */
void update_add(struct sheep_part *);
