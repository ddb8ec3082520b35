// Which processor the program was built for.
#pragma once

/// The kernels' -march, as x86-64-v3.
const char *imagelora_march(void);
