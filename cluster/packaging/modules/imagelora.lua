-- imagelora as a module of Lmod: in a folder of MODULEPATH as imagelora/VERSION.lua.
help([[Distributed trainer of LoRA and Image-LoRA for Qwen vision-language models, over MPI.]])
whatis("Name: imagelora")
whatis("Version: VERSION")
whatis("URL: https://arxiv.org/abs/2512.19219")

-- Where the tarball was unpacked.
local prefix = "PREFIX"

-- Any Open MPI 4 or 5: what this cluster calls it.
depends_on("openmpi")

prepend_path("PATH", pathJoin(prefix, "bin"))
prepend_path("MANPATH", pathJoin(prefix, "share/man"))
setenv("IMAGELORA_ROOT", prefix)
