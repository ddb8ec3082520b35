// The commit that this program was built from; Package.swift asks git for it.
#ifndef IMAGELORA_CCOMMIT_H
#define IMAGELORA_CCOMMIT_H

/// As git names it, with "+" behind it where the sources had changes; empty where they were built without git.
const char *imagelora_commit(void);

#endif
