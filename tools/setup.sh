# What demo and check share: the Debian packages they need, and the release build. Sourced, not run; the working
# directory is the project's.

# Debian's own programs first: another python3 or meson on PATH may lack the packages installed here.
PATH=/usr/bin:/bin:$PATH
export LC_ALL=C.UTF-8

build_packages=(gcc libc6-dev meson ninja-build pkg-config libjansson-dev libsqlite3-dev zlib1g-dev libzip-dev
    libcsv-dev librandom123-dev libcmocka-dev libmicrohttpd-dev scdoc)
[ "$(uname -m)" != x86_64 ] || build_packages+=(libisal-dev) # docs/dependencies.md tells why on x86-64 only
check_packages=(git clang libclang-rt-14-dev clang-format clang-tidy cppcheck python3 python3-jsonschema python3-numpy
    python3-torch python3-sklearn libsimde-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
    dataset-fashion-mnist zsh fish valgrind locales
    libbz2-dev liblzma-dev libssl-dev libzstd-dev) # the last line: what linking libzip statically asks for

# packages_install NAME…: installs with apt-get those that are missing. Fails, saying which, where that is not possible.
packages_install() {
    local missing=() as_root=() name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null || {
        echo "these Debian packages, or what your system calls them, are needed: ${missing[*]}"
        return 0
    }
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || { echo "missing packages; as root: apt-get install ${missing[*]}"; return 1; }
        as_root=(sudo -n)
    fi
    echo "installing ${missing[*]}"
    mkdir -p build
    if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            "${missing[@]}"; } >build/apt.log 2>&1 </dev/null; then
        tail -n 20 build/apt.log
        return 1
    fi
}

# configure FOLDER OPTION…: a build folder with these options; one that is there is configured again only when the
# options changed since.
configure() {
    local folder=$1 wanted="${*:2} ${CC:-}"
    shift
    [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/.options" 2>/dev/null)" = "$wanted" ] && return 0
    rm -rf "$folder/meson-private" "$folder/meson-info" "$folder/build.ninja"
    meson setup "$folder" "$@" || return 1
    printf '%s' "$wanted" >"$folder/.options"
}

# The release program, at build/relume.
release_build() {
    configure build || return 1
    ninja -C build
}
