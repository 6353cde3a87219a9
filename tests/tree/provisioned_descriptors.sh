#!/bin/sh
# The same on volumes that have a descriptor, as block devices do.
# limit: 120
# shellcheck disable=SC2034
descriptors=yes
. "${0%/*}/provisioned.sh"
