#!/usr/bin/env bash
# Create a virtual environment with all that demo, tests and benchmarks need. No step needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
venv=${1:-.venv}

say() { if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$*"; else printf '%s\n' "$*"; fi; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$candidate"; return; }
    done
    fail "Python 3.11 or newer is needed and was not found." \
         "  Debian/Ubuntu: sudo apt install python3 python3-venv     macOS: brew install python" \
         "  or name one yourself: PYTHON=/path/to/python3 make setup"
}

create_environment() {
    local python=$1
    say "Creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" >/dev/null || fail \
        "$python cannot create virtual environments." \
        "  Debian/Ubuntu: sudo apt install python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r requirements/bootstrap.txt
    # A company's own certificates are in the machine's store, which uv leaves aside unless told.
    [ -r /etc/ssl/certs/ca-certificates.crt ] && export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}
    say "Installing the pinned requirements (about 2 GB, a minute on a fast line)"
    # Compiled now, or every Spark worker would compile the packages that it imports.
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode --require-hashes \
        -r requirements/all.txt
    # Without what it asks for: PyAudio has no wheel for Linux and is only for playing aloud.
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes \
        -r requirements/tinysoundfont.txt
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
}

compile_loops() {  # alone: numba's cache of ufuncs is ruined where two processes fill it (numba/numba#10128)
    say "Compiling what is called often"
    "$venv/bin/python" -c 'import librosa.beat, librosa.core.audio, librosa.core.pitch, amper_spark.analysis'
}

has_java() {  # Spark 4 needs Java 17 or newer
    local java=$1 major
    [ -x "$java" ] || java=$(command -v "$java") || return 1
    major=$("$java" -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ]
}

unpack_java() (  # Debian's own package, unpacked into the environment
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch"
    for version in 17 21 25; do
        apt-get download -qq "openjdk-$version-jre-headless" >/dev/null 2>&1 && break
    done
    dpkg -x openjdk-*-jre-headless_*.deb root || exit 1
    home=$(echo "$scratch/root/usr/lib/jvm/java-$version-openjdk"-*)
    # The package links its configuration to /etc, which stays as it is: put the files themselves in place.
    find "$home" -type l | while read -r link; do
        target=$(readlink "$link")
        case $target in
            /etc/*) rm "$link"; [ -e "$scratch/root$target" ] && cp -r "$scratch/root$target" "$link" || true ;;
        esac
    done
    find "$home" -xtype l -delete
    cd "$root"
    rm -rf "$venv/jre" && cp -r "$home" "$venv/jre"
    has_java "$venv/jre/bin/java"
)

ensure_java() {
    has_some_java && return
    say "No Java 17 or newer found: unpacking the system's own package into $venv/jre"
    unpack_java || no_java
}

has_some_java() {
    { [ -n "${JAVA_HOME:-}" ] && has_java "$JAVA_HOME/bin/java"; } || has_java java
}

can_have_java() {  # asked first: better to fail before the long download than after it
    has_some_java || { command -v apt-get && command -v dpkg; } >/dev/null 2>&1
}

no_java() {
    fail "Spark needs Java 17 or newer, and none was found." \
         "  Debian/Ubuntu: sudo apt install openjdk-17-jre-headless     macOS: brew install openjdk@17" \
         "  or set JAVA_HOME to one that is there, then run make setup again."
}

fetch_network() {  # a machine without it can do all but remove vocals
    say "Getting the network that removes vocals"
    "$venv/bin/amper-spark" separation fetch --with-full-precision || say "Vocals cannot be removed until this works: amper-spark separation fetch"
}

fetch_fonts() {  # a machine without them can do all but render music
    say "Getting the fonts that music is rendered with"
    "$venv/bin/amper-spark" fonts fetch || say "Music cannot be rendered until this works: amper-spark fonts fetch"
}

python=$(find_python)
can_have_java || no_java
create_environment "$python"
compile_loops
ensure_java
fetch_network
fetch_fonts
say "Ready: $venv"
