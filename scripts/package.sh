#!/usr/bin/env bash
# Makes what a machine without Swift needs: imagelora-VERSION-linux-x86_64.tar.zst and imagelora_VERSION_amd64.deb.
# Usage: scripts/package.sh [--tarball] [--jobs N] [FOLDER] (from any folder; default: .build-package/packages)
#
# The program has Swift, OpenBLAS, HDF5, OpenSSL's libcrypto and the image libraries in it, so that none of them can
# clash with those that an MPI loads. Beside it lie oneDNN and what that needs. MPI (the binary interface of Open MPI 4
# and 5, libmpi.so.40), libc and GCC's runtime are the system's. --tarball: no .deb. --jobs: compiles in N jobs instead
# of one, which is faster; on a busy machine their order may leave other bytes.
#
# The same commit, toolchain and Debian packages give the same bytes: dates are those of the commit, names are sorted,
# and no path of this machine is kept. There are two programs, for x86-64-v3 and for x86-64-v4, and the first begins the
# second where the processor can run it; a machine with any processor may make them. They are built in .build-package.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
cd "$repository"
usage() { echo "usage: package.sh [--tarball] [--jobs N] [FOLDER]" >&2; exit 64; }
deb=1 jobs=1
while [[ ${1:-} == --* ]]; do
  case $1 in
    --tarball) deb='' ;;
    --jobs) jobs=${2:-}; [[ $# -ge 2 ]] || usage; shift ;;
    *) usage ;;
  esac
  shift
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || usage
[[ $# -le 1 && ${1:-} != -* ]] || usage
build=$repository/.build-package
out=${1:-$build/packages}
mkdir -p "$build" "$out"
out=$(realpath "$out")
if [[ $(uname -m) != x86_64 ]]; then
  echo "scripts/package.sh: packages are made on x86-64 alone, not on $(uname -m)" >&2
  exit 1
fi

scripts/install-dependencies.sh --package
commit=$(git describe --always --dirty --abbrev=12)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
# The compiler's own tables of hashes have random orders otherwise.
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC SWIFT_DETERMINISTIC_HASHING=1
umask 022

# Some orders in the compiler follow names of folders, addresses, threads, and whether a C module was compiled before:
# it finds this folder at one place, runs at the same addresses in one thread, and the first users of C modules come
# one after the other. The environment is copied to where addresses begin, so that it is the same too.
place=/usr/src

# Archives of libraries alone, in a folder that the linker searches first.
static=$build/static
rm -rf "$static"
mkdir -p "$static/pkgconfig"
system=$(gcc -print-multiarch)
archives=()
for name in hdf5 openblas sz aec png16 jpeg webp tiff lzma jbig Lerc deflate zstd z crypto gfortran quadmath; do
  case $name in
    hdf5) file=/usr/lib/$system/hdf5/serial/libhdf5.a ;;
    openblas) file=$(pkg-config --variable=libdir openblas)/libopenblas.a ;;
    gfortran | quadmath) file=$(gcc -print-file-name=lib$name.a) ;;
    *) file=/usr/lib/$system/lib$name.a ;;
  esac
  [[ -f $file ]] || { echo "scripts/package.sh: $file is missing: install its -dev package" >&2; exit 1; }
  file=$(realpath "$file")
  archives+=("$file")
  ln -s "$file" "$static/lib$name.a"
done
ln -s libpng16.a "$static/libpng.a"
# described NAME LIBRARIES: for pkg-config, which SwiftPM asks.
described() {
  printf 'Name: %s\nDescription: its archive\nVersion: 0\nCflags: %s\nLibs: -L%s %s\n' \
    "$1" "$(pkg-config --cflags "$1")" "$place/.build-package/static" "$2" >"$static/pkgconfig/$1.pc"
}
described openblas "-lopenblas -lgfortran -lquadmath -lm -lpthread"
described hdf5 "-lhdf5 -lsz -laec -lz -ldl -lm"
described libcrypto "-lcrypto -ldl -lpthread"
described libpng "-lpng16 -lz -lm"

# What the archives need of each other comes last. The path of libraries is an RPATH and no RUNPATH, since it is to be
# that of the libraries' own libraries too.
linker=("-L$place/.build-package/static" --as-needed --exclude-libs=ALL --build-id=none
  --disable-new-dtags -ltiff -ljpeg -lwebp -llzma -ljbig -lLerc -ldeflate -lzstd -lz)
first=(Files Digests HDF5 Tensors)
options=(-c release --jobs "$jobs" --static-swift-stdlib -Xswiftc -num-threads -Xswiftc 1 -Xswiftc -gnone -Xcc -g0)
for word in "${linker[@]}"; do options+=(-Xlinker "$word"); done
# Debian's libraries, whatever is chosen for a build on this machine.
unset "${!IMAGELORA_BLAS@}" "${!IMAGELORA_ONEDNN@}" "${!IMAGELORA_PREFIX@}" "${!IMAGELORA_MPI@}"
flags=$(MPICC=${MPICC:-mpicc.openmpi} scripts/mpi-flags.sh)
eval "$flags"
apart=(unshare --mount)
if [[ $EUID -ne 0 ]]; then apart+=(--map-root-user); fi
export IMAGELORA_COMMIT=$commit PKG_CONFIG_PATH=$place/.build-package/static/pkgconfig
swift_build=$(command -v swift)
environment=(PATH=/usr/bin:/bin "HOME=$place/.build-package/home")
for name in SOURCE_DATE_EPOCH LC_ALL TZ SWIFT_DETERMINISTIC_HASHING PKG_CONFIG_PATH "${!IMAGELORA_@}"; do
  environment+=("$name=${!name}")
done
# shellcheck disable=SC2016 # the inner shell's
placed='mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"'
# in_place COMMAND...: with this folder at its place; output goes to the log, of which the end is shown on failure.
in_place() {
  if ! "${apart[@]}" bash -c "$placed" placed "$repository" "$place" "$@" >>"$build/build.log" 2>&1; then
    tail -n 20 "$build/build.log" >&2
    exit 1
  fi
}
: >"$build/build.log"
# build LEVEL LIBRARIES: the program for a level of processors, which finds its libraries from its own folder.
build() {
  local part scratch=(--scratch-path "$place/.build-package/$1")
  # Fetching takes the user's own environment.
  in_place swift package "${scratch[@]}" resolve
  for part in "${first[@]/#/--target=}" --product=imagelora; do
    in_place env -i "${environment[@]}" "IMAGELORA_MARCH=$1" setarch --addr-no-randomize "$swift_build" build \
      "${options[@]}" "${scratch[@]}" --force-resolved-versions -Xlinker "-rpath=\$ORIGIN/$2" "${part%=*}" "${part#*=}"
  done
}
build x86-64-v3 ../lib/imagelora
build x86-64-v4 ..
unset PKG_CONFIG_PATH

# The tree, which is that of a prefix.
program=$build/x86-64-v3/release/imagelora
version=$("$program" --version | head -n 1)
name=imagelora-$version-linux-x86_64
stage=$build/stage
rm -rf "$stage"
tree=$stage/$name
mkdir -p "$tree/bin" "$tree/lib/imagelora"
# stripped FROM TO: without symbols, and without Swift's hashes of its modules, which nothing reads in a program and
# which folders' names change where they change no code.
stripped() {
  local size
  strip --strip-all -o "$2" "$1"
  size=$(objdump -h "$2" | awk '$2 == ".swift_modhash" { print $3 }')
  head -c "$((16#$size))" /dev/zero >"$stage/zeros"
  objcopy --update-section ".swift_modhash=$stage/zeros" "$2"
}
stripped "$program" "$tree/bin/imagelora"
mkdir "$tree/lib/imagelora/x86-64-v4"
stripped "$build/x86-64-v4/release/imagelora" "$tree/lib/imagelora/x86-64-v4/imagelora"

needed() { objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }'; }
# copy FILE: the libraries that a program or library needs, and theirs.
copy() {
  local library path
  for library in $(needed "$1"); do
    case $library in
      libmpi.so.40 | ld-linux-*) ;;                    # MPI
      lib[cm].so.* | libdl.so.* | libpthread.so.* | librt.so.*) ;; # libc
      libstdc++.so.6 | libgcc_s.so.1) ;;               # GCC's runtime
      libdnnl.so.* | libgomp.so.* | libOpenCL.so.* | libtbb*.so.*)
        [[ ! -e $tree/lib/imagelora/$library ]] || continue
        path=$(ldd "$program" | awk -v name="$library" '$1 == name { print $3 }')
        path=$(realpath "$path")
        archives+=("$path")
        install -m 644 "$path" "$tree/lib/imagelora/$library"
        copy "$path"
        ;;
      *)
        echo "scripts/package.sh: $1 needs $library: decide whether a package has it" >&2
        exit 1
        ;;
    esac
  done
}
copy "$program"

IMAGELORA=$program scripts/install.sh --prefix "$stage/installed" >/dev/null
cp -r "$stage/installed/share" "$tree/share"
own=$tree/share/imagelora
mkdir -p "$own/quickstart/data" "$own/cluster"
install -m 755 scripts/quickstart.sh "$own/"
cp -r scripts/quickstart/model scripts/quickstart/run.yaml "$own/quickstart/"
cp scripts/quickstart/data/*.jsonl scripts/quickstart/data/LICENSE.miniwob "$own/quickstart/data/"
# A bare system unpacks gzip, but not xz.
xz -dc scripts/quickstart/data/pages.tar.xz | gzip -9n >"$own/quickstart/data/pages.tar.gz"
find cluster -maxdepth 1 -type f -exec cp --preserve=mode {} "$own/cluster/" \;

# Licences: of the program, of Swift and its packages, and of every Debian package whose code is in or beside it.
text=$tree/share/doc/imagelora
mkdir -p "$text/licenses"
cp LICENSE README.md CHANGELOG.md "$text/"
swift=$(dirname "$(realpath "$(command -v swift)")")/..
cp "$swift/share/swift/LICENSE.txt" "$text/licenses/swift"
for package in swift-argument-parser Yams; do
  cp "$build/x86-64-v3/checkouts/$package"/LICENSE* "$text/licenses/$package"
done
cp /usr/share/doc/icu-devtools/copyright "$text/licenses/icu"
while IFS= read -r package; do
  cp "/usr/share/doc/$package/copyright" "$text/licenses/$package"
done < <(dpkg -S "${archives[@]}" | sed 's/:.*//' | sort -u)
# shellcheck disable=SC2016 # dpkg's own
{
  echo "imagelora $version ($commit), kernels compiled for x86-64-v3 and x86-64-v4"
  echo "In the program:"
  dpkg -S "${archives[@]}" | sed 's/: .*//' | sort -u |
    xargs dpkg-query --show --showformat '  ${Package} ${Version}\n'
  swift --version 2>/dev/null | sed -n 's/.*\(Swift version [^)]*)\).*/  \1/p'
  echo "Needed of the system:"
  objdump -T "$tree/bin/imagelora" "$tree"/lib/imagelora/*.so.* | grep -oE '\((GLIBC|GLIBCXX|GCC|CXXABI)_[0-9.]+\)' |
    tr -d '()' | sort -V | awk -F_ '{ newest[$1] = $0 } END { for (n in newest) print "  " newest[n] }' | sort
  echo "  libmpi.so.40"
} >"$text/contents.txt"

find "$tree" -type d -exec chmod 755 {} +
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
tarball=$out/$name.tar.zst
tar -C "$stage" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar \
  -cf - "$name" | zstd -T2 -12 --quiet --force -o "$tarball"
(cd "$out" && sha256sum "${tarball##*/}" | tee "${tarball##*/}.sha256")
[[ -n $deb ]] || exit 0

# The same tree under /usr.
root=$stage/deb
mkdir -p "$root/DEBIAN"
cp -r "$tree" "$root/usr"
gzip -9n "$root/usr/share/man/man1/imagelora.1" "$root/usr/share/doc/imagelora/CHANGELOG.md"
mv "$root/usr/share/doc/imagelora/LICENSE" "$root/usr/share/doc/imagelora/copyright"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<CONTROL
Package: imagelora
Version: $version
Architecture: amd64
Maintainer: imagelora's authors
Section: science
Priority: optional
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f 1)
Depends: libc6 (>= 2.35), libstdc++6 (>= 12), libgcc-s1 (>= 12),
 libopenmpi40 | libopenmpi3t64 | libopenmpi3 (>= 4.1), openmpi-bin
Description: distributed trainer of LoRA and Image-LoRA for Qwen vision-language models
 Trains adapters of Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Qwen3.5 on clusters of
 processors, over MPI. It needs a processor of the level x86-64-v3 and has its
 numeric libraries in it.
CONTROL
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
package=$out/imagelora_${version}_amd64.deb
dpkg-deb --root-owner-group -Zxz -z3 --threads-max=1 --build "$root" "$package" >/dev/null
(cd "$out" && sha256sum "${package##*/}" | tee "${package##*/}.sha256")
