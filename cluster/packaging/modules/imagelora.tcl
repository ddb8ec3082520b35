#%Module1.0
# imagelora as a module of Environment Modules: in a folder of MODULEPATH as imagelora/VERSION.
proc ModulesHelp { } {
  puts stderr "Distributed trainer of LoRA and Image-LoRA for Qwen vision-language models, over MPI."
}
module-whatis "imagelora VERSION: LoRA and Image-LoRA for Qwen vision-language models, over MPI"

# Where the tarball was unpacked.
set prefix PREFIX

# Any Open MPI 4 or 5: what this cluster calls it.
prereq openmpi

prepend-path PATH $prefix/bin
prepend-path MANPATH $prefix/share/man
setenv IMAGELORA_ROOT $prefix
