# The binary of imagelora: Spack has no Swift toolchain to build it with.
from spack.package import depends_on, install_tree, license, requires, version
from spack_repo.builtin.build_systems.generic import Package


class Imagelora(Package):
    """Distributed trainer of LoRA and Image-LoRA for Qwen vision-language models, over MPI."""

    # The tarball of scripts/package.sh, put into a mirror or beside this file.
    url = "file:///TARBALL"
    license("MIT")

    version("VERSION", sha256="SHA256", url="file:///TARBALL")

    # Its binary interface is that of Open MPI 4 and 5.
    depends_on("openmpi@4:5", type=("build", "link", "run"))
    depends_on("zstd", type="build")

    requires("platform=linux target=x86_64_v3:", msg="the program needs a processor of x86-64-v3")

    def install(self, spec, prefix):
        install_tree(".", prefix)

    def setup_run_environment(self, env):
        env.prepend_path("LD_LIBRARY_PATH", self.spec["openmpi"].prefix.lib)
