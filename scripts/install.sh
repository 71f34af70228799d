#!/bin/sh
# usage: scripts/install.sh install BUILD PREFIX     DESTDIR in the environment is put before PREFIX, for packagers
#        scripts/install.sh uninstall PREFIX         removes what an install has put there, by the list it has left
set -eu
manifest=share/cinseq/installed-files.txt # paths within the prefix, so that it may be moved

absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s/%s\n' "$PWD" "$1" ;;
  esac
}

install() {
  build=$1
  prefix=$(absolute "$2")
  root=${DESTDIR:-}$prefix
  cmake --install "$build" --prefix "$prefix" >"$build/install.log" || { cat "$build/install.log" >&2 && return 1; }
  { sed -n "s|^$prefix/||p" "$build/install_manifest.txt" && echo && echo "$manifest"; } | grep . >"$root/$manifest.new"
  mv "$root/$manifest.new" "$root/$manifest"
  if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" -eq 0 ]; then ldconfig 2>/dev/null || true; fi
  echo "installed cinseq in $root"
}

uninstall() {
  root=${DESTDIR:-}$(absolute "$1")
  [ -f "$root/$manifest" ] || { echo "no cinseq is installed in $root: no file $root/$manifest" >&2 && return 1; }
  list=$(cat "$root/$manifest")
  echo "$list" | while read -r file; do
    case /$file/ in */../*) continue ;; esac
    rm -f "$root/$file"
    folder=$(dirname "$file")
    while case $folder in *cinseq*) true ;; *) false ;; esac; do # its own folders, not those that it shares
      rmdir "$root/$folder" 2>/dev/null || break
      folder=$(dirname "$folder")
    done
  done
  if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" -eq 0 ]; then ldconfig 2>/dev/null || true; fi
  echo "removed cinseq from $root"
}

case ${1:-} in
  install) install "$2" "$3" ;;
  uninstall) uninstall "$2" ;;
  *) sed -n '2,3s/^# *//p' "$0" >&2 && exit 2 ;;
esac
