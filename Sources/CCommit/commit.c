#include "CCommit.h"

const char *imagelora_commit(void) { return IMAGELORA_COMMIT; }
