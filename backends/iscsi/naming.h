/*
 * The name that a unit has in the whole world (its WWID), asked for when somebody wants
 * to know it: all units of a target are listed without. In the session's turn.
 */
#pragma once

#include "backends/iscsi/lun.h"

struct naming {
	struct command command;
	struct session *session;
	struct lun *lun; /* a reference is the caller's to hold */
	void (*done)(struct naming *, int result, const struct error *);
};

/* Asks; done is called once, maybe at once: with 0 the unit is named, or has no name.
 * early: see struct command. */
void naming_start(struct naming *, struct session *, struct lun *, bool early,
		  void (*done)(struct naming *, int result, const struct error *));
