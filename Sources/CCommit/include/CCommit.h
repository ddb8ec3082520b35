// The commit that this program was built from, as Package.swift has it.
#ifndef IMAGELORA_CCOMMIT_H
#define IMAGELORA_CCOMMIT_H

/// As `git describe` names it; empty where the build does not state it.
const char *imagelora_commit(void);

#endif
