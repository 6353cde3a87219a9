/*
 * What a reader will ask for next, read before it does: at most 16 MiB of a pool, for at
 * most a quarter of a second. All of it is the loop's.
 */
#pragma once

#include "backends/sheepdog/sheep_op.h"

/* Bytes behind the read, which has just begun, that are worth reading now. */
uint64_t ahead_reach(struct sheep_op *);

/* Reads those. */
void ahead_read(struct sheep_inode *, uint64_t from, uint64_t reach);

/* How many bytes from a place on are read ahead, or not, in one piece. */
uint64_t ahead_piece(const struct sheep_inode *, uint64_t at);

/* True: the part has ended, or will, with what was read ahead. */
bool ahead_serves(struct sheep_part *);

/* The operation has been answered: what it was lent for that is not needed any more. */
void ahead_returned(struct sheep_op *);

/* Nobody who reads from here on gets what was read before. */
void ahead_drop(struct sheep_inode *);

/* Drops what is too old; lowers *until. */
void ahead_prepare(struct sheep_pool *, uint64_t *until);
