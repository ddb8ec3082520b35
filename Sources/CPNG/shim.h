// libpng's simplified interface, which reports errors by return value: images are written through it from Swift.
#pragma once
#include <png.h>
