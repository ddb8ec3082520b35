// Nothing: SwiftPM asks pkg-config for flags on behalf of a module of the system alone, and this one is there for them.
#pragma once
