#!/bin/sh
# Makes dist/cinseq-VERSION-py3-none-manylinux_2_28_ARCH.whl: one file for every Linux with glibc 2.28 or newer, which carries what it needs.
# usage: scripts/wheel.sh FOLDER DIST     FOLDER: for what is made on the way; `make wheel` calls it with the packages it needs in the PATH
#
# zig (from PyPI, a whole C and C++ compiler) knows the symbols of every glibc and links to the oldest; its C++ library goes in. The static
# libraries of Debian's development packages go in as they are, sentencepiece is built from its source on PyPI. oneDNN stays out: products
# are our own (gemm=vector, amx). libcurl and libcrypto are the system's, if it has them, when something is downloaded.
set -eu
mkdir -p "$1" "$2"
folder=$(cd "$1" && pwd)
dist=$(cd "$2" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
arch=$(uname -m)
glibc=2.28
spm=0.2.0
spm_hash=a52c19171daaf2e697dc6cbe67684e0fa341b1248966f6aebb541de654d15843

# ---- the compiler ----
zig=$(python -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')
export ZIG_GLOBAL_CACHE_DIR="$folder/zig" ZIG_LOCAL_CACHE_DIR="$folder/zig"
mkdir -p "$folder/bin"
for tool in cc c++ ar ranlib; do
  case $tool in c*) target="-target $arch-linux-gnu.$glibc" ;; *) target='' ;; esac
  printf '#!/bin/sh\nexec "%s" %s %s "$@"\n' "$zig" "$tool" "$target" >"$folder/bin/$tool"
  chmod +x "$folder/bin/$tool"
done
unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER CFLAGS CXXFLAGS LDFLAGS
export CC="$folder/bin/cc" CXX="$folder/bin/c++"
tools="-DCMAKE_AR=$folder/bin/ar -DCMAKE_RANLIB=$folder/bin/ranlib"

# zig's own answer to __builtin_cpu_supports is always no; that of gcc's library goes before it.
(cd "$folder" && ar x "$(gcc -print-libgcc-file-name)" cpuinfo.o)

# ---- libraries: headers and static libraries, and what pkg-config is to say of them ----
deps=$folder/deps
rm -rf "$deps" "$folder/raw" "$folder/licenses" "$dist"/cinseq-*.whl
mkdir -p "$deps/include" "$deps/lib" "$deps/pkgconfig" "$folder/licenses"
module() { # NAME VERSION [LIBRARY]
  printf 'Name: %s\nDescription: %s\nVersion: %s\nCflags: -I%s\nLibs: -L%s %s\n' \
    "$1" "$1" "$2" "$deps/include" "$deps/lib" "${3:+-l$3}" >"$deps/pkgconfig/$1.pc"
}
triplet=$(gcc -print-multiarch)
header() { # of Debian: in one of two folders
  for name in "$@"; do
    for at in /usr/include "/usr/include/$triplet"; do
      if [ -e "$at/$name" ]; then cp -RL "$at/$name" "$deps/include/"; fi
    done
    [ -e "$deps/include/$name" ]
  done
}
header jansson.h jansson_config.h pcre2.h utf8proc.h zlib.h zconf.h curl openssl
for row in jansson:jansson libpcre2-8:pcre2-8 libutf8proc:utf8proc zlib:z; do
  name=${row%:*} library=${row#*:}
  cp "/usr/lib/$triplet/lib$library.a" "$deps/lib/"
  module "$name" "$(pkg-config --modversion "$name")" "$library"
done
for name in libcurl libcrypto; do module "$name" "$(pkg-config --modversion "$name")"; done
for name in libjansson libpcre2 libutf8proc; do cp "/usr/share/doc/$name-dev/copyright" "$folder/licenses/$name"; done
cp /usr/share/doc/zlib1g-dev/copyright "$folder/licenses/zlib"
cp /usr/share/doc/gcc-12-base/copyright "$folder/licenses/libgcc"
cp "$(dirname "$zig")/lib/libcxx/LICENSE.TXT" "$folder/licenses/libcxx"
# Debian's libjansson.a is not made for shared libraries: json_loadf, which we do not call, asks whether a file is stdin.
objcopy --redefine-sym stdin=cinseq_no_stdin "$deps/lib/libjansson.a"
echo 'void *cinseq_no_stdin __attribute__((visibility("hidden")));' >"$folder/no_stdin.c"
"$CC" -O2 -fPIC -c "$folder/no_stdin.c" -o "$folder/no_stdin.o"
"$folder/bin/ar" qs "$deps/lib/libjansson.a" "$folder/no_stdin.o"

if [ ! -f "$folder/spm/src/libsentencepiece.a" ]; then
  echo "sentencepiece==$spm --hash=sha256:$spm_hash" >"$folder/sentencepiece.txt"
  for try in 1 2 3; do
    python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes -d "$folder" \
      -r "$folder/sentencepiece.txt" && break
    if [ "$try" = 3 ]; then
      echo "SKIPPED: the source of sentencepiece $spm is not to be had from PyPI"
      exit 0
    fi
    sleep 10
  done
  tar -xzf "$folder/sentencepiece-$spm.tar.gz" -C "$folder"
  # shellcheck disable=SC2086  tools are words
  cmake -G Ninja -S "$folder/sentencepiece-$spm/sentencepiece" -B "$folder/spm" -Wno-dev -DCMAKE_BUILD_TYPE=Release $tools \
    -DSPM_ENABLE_SHARED=OFF -DSPM_ENABLE_TCMALLOC=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_POLICY_VERSION_MINIMUM=3.5 >"$folder/spm.log" 2>&1
  ninja -C "$folder/spm" --quiet sentencepiece-static
fi
source=$folder/sentencepiece-$spm/sentencepiece
cp "$folder/spm/src/libsentencepiece.a" "$deps/lib/"
cp "$source/src/sentencepiece_processor.h" "$deps/include/"
module sentencepiece "$spm" sentencepiece
cp "$source/LICENSE" "$folder/licenses/sentencepiece"
for name in absl darts_clone protobuf-lite; do cp "$source/third_party/$name/LICENSE" "$folder/licenses/$name"; done

# ---- the wheel ----
export PKG_CONFIG_LIBDIR="$deps/pkgconfig" PKG_CONFIG_PATH=
export SKBUILD_BUILD_DIR="$folder/build"
export SKBUILD_CMAKE_ARGS="-GNinja;-DCINSEQ_ONEDNN=OFF;-DCINSEQ_LICENSES=$folder/licenses;-DCMAKE_SHARED_LINKER_FLAGS=-s $folder/cpuinfo.o;-DCMAKE_EXE_LINKER_FLAGS=-s $folder/cpuinfo.o;$(echo "$tools" | tr ' ' ';')"
python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w "$folder/raw" "$root/python"
auditwheel repair --plat "manylinux_$(echo "$glibc" | tr . _)_$arch" --only-plat -w "$dist" "$folder"/raw/*.whl >"$folder/auditwheel.log" 2>&1 || {
  cat "$folder/auditwheel.log" >&2
  exit 1
}
ninja -C "$folder/build" --quiet tokenizer_lines # for tests/wheel
ls "$dist"/cinseq-*-manylinux_*.whl
