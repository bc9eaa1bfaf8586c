# What the parts of ./check are made of. Sourced by it, not run: gate, say and the counters are there.

# ── builds that several parts use, once ─────────────────────────────────────────────────────────────────────────────

# The release build. Nothing in it gives cause for a warning, whatever the compiler.
release=
ready() {
    if [ -z "$release" ]; then
        release=broken
        gate build release_build && gate warnings no_warnings build && release=ready
    fi
    [ $release = ready ]
}

# What the page is built and tested with.
tools=
page_tools() {
    if [ -z "$tools" ]; then
        tools=broken
        web_packages && tools=ready
    fi
    [ $tools = ready ]
}

# The release program with its page in it.
page=
with_page() {
    if [ -z "$page" ]; then
        page=broken
        page_tools && ready && gate web-build page_build && page=ready
    fi
    [ $page = ready ]
}

# clang's address and undefined-behaviour sanitizers, with assertions; the fuzz targets are libFuzzer's.
sanitized=
with_sanitizers() {
    if [ -z "$sanitized" ]; then
        sanitized=broken
        # -g1: lines for what is reported; the rest of the debug information takes as long as the code
        CC=clang made sanitizers build-asan -Dfuzz=true -Db_lundef=false -Db_sanitize=address,undefined \
            -Db_ndebug=false -Dbuildtype=debug -Doptimization=1 -Dc_args=-g1 -Dexamples=false -Dbenches=false &&
            sanitized=ready
    fi
    [ $sanitized = ready ]
}

# ── what a gate does ────────────────────────────────────────────────────────────────────────────────────────────────

small_gates() {
    timed includes
    timed names
    timed format
}

# no_warnings GATE: what this gate logged has no warning of a compiler.
no_warnings() { ! grep -a -A5 'warning: ' "$logs/$1.log"; }

# fuzz_run SECONDS: each target counts as one.
fuzz_run() {
    local line began=$SECONDS
    while IFS= read -r line; do
        case $line in
            ok\ *) passed=$((passed + 1)) ;;
            not\ ok\ *) failed=$((failed + 1)) ;;
        esac
        say fuzz "${line#ok }"
    done < <(JOBS=$jobs tools/fuzz build-asan "$1")
    wait $! # so that its processors' time is counted
    say fuzz "all targets ($((SECONDS - began)) s)"
}

valgrind_test() {
    local name
    local RELUME_CORPUS=$PWD/fuzz/corpus
    export RELUME_CORPUS
    for name in test_safetensors test_network_io test_builtin test_inputs test_files; do
        valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite,possible \
            "build/tests/unit/$name" || return 1
    done
    # what a target keeps from input to input is held by pointers behind the heads of its blocks, which memcheck calls
    # "possibly lost"
    for name in csv npy npz idx gzip safetensors network dataset; do
        valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite \
            "build/fuzz/fuzz_$name" "fuzz/corpus/$name" || return 1
    done
}

# Counters become one file of lines; the report for people is build/check/coverage.txt.
coverage_test() {
    local counts=$logs/coverage.json
    gcovr --root . --object-directory build-coverage --filter src/ --json "$counts" &&
        gcovr --root . -a "$counts" --filter src/ --txt "$logs/coverage.txt" --print-summary --fail-under-line 92 &&
        gcovr --root . -a "$counts" --filter src/formats/ --print-summary --fail-under-line 97
}

clang_build() { CC=clang make_folder build-clang -Dwerror=true; }

# tracked PATTERN…: tracked files that are still there.
tracked() { git ls-files -z -- "$@" | while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\n' "$file"; done; }

format_test() { tracked '*.c' '*.h' | xargs -r clang-format --dry-run -Werror; }

# What the page is built and tested with. Node may come from elsewhere than Debian, so commands are looked for.
web_packages() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        gate web-node packages_install nodejs npm || return 1
    fi
    gate web-packages packages_install chromium fonts-inter python3-jsonschema && gate web-npm npm_install
}
npm_install() { [ web/node_modules/.package-lock.json -nt web/package-lock.json ] || (cd web && npm ci); }
# A build folder that was configured without npm's packages does not know the page yet.
page_build() { { [ -f build/src/report/page.html ] || meson setup --reconfigure build; } && ninja -C build; }
web_types() { web/node_modules/.bin/tsc --noEmit -p web; }

# A wrong edge put into a copy of the tree must be found.
includes_test() ( # in a subshell, so that the trap ends with it
    copy=$(mktemp -d) || exit 1
    trap 'rm -rf "$copy"' EXIT
    for rule in 'src/base/error.c kernels/kernels.h' 'src/kernels/dispatch.c formats/tensor.h' \
        'src/network/network.c train/trainer.h' 'cli/main.c base/alloc.h' 'include/relume/status.h base/alloc.h'; do
        rm -rf "${copy:?}/"*
        cp -r src include "$copy/"
        mkdir -p "$copy/cli"
        printf '\n#include "%s"\n' "${rule#* }" >>"$copy/${rule%% *}"
        if tools/check-includes "$copy"; then
            echo "not noticed: $rule"
            exit 1
        fi
    done
)

# A file is looked at once, not once for each program it is compiled for. Nearly all the time goes into the analyzer's paths
# through large functions; a third of its usual number of states takes a third of the time, `full` takes them all.
tidy_test() {
    local states=75000 found
    [ -z "${RELUME_FULL:-}" ] || states=225000
    clang_build && mkdir -p "$logs/tidy" && python3 -c '
import json, sys
print(json.dumps(list({entry["file"]: entry for entry in json.load(sys.stdin)}.values())))
' <build-clang/compile_commands.json >"$logs/tidy/compile_commands.json" &&
        run-clang-tidy -quiet -p "$logs/tidy" -j "$jobs" -extra-arg=-Xclang -extra-arg=-analyzer-config \
            -extra-arg=-Xclang -extra-arg=max-nodes=$states "^$PWD/(src|cli|tests|examples|fuzz)/" && return
    found=$(grep -a 'error: ' "$logs/tidy.log") # again at the end, where it is seen
    echo "$found"
    return 1
}

# In one process: cppcheck looks across files only then.
cppcheck_test() {
    cppcheck --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --quiet \
        --suppress=missingIncludeSystem -Isrc -Iinclude -D__x86_64__ -D__GNUC__=12 \
        --cppcheck-build-dir="$logs" src cli
}

# Installs into an empty folder and looks at it as a stranger's program would.
install_test() {
    local root=$PWD/$logs/root flags file config
    rm -rf "$root"
    meson install -C build --no-rebuild --destdir "$root" || return 1
    config=$(find "$root" -name relume.pc)
    export PKG_CONFIG_PATH=${config%/*} LD_LIBRARY_PATH=${config%/pkgconfig/*}
    flags="--define-variable=prefix=$root/usr/local"
    for file in include/relume/*.h; do # each header stands alone, in C and in C++
        printf '#include <relume/%s>\nextern int something;\n' "${file##*/}" >"$logs/header.c"
        gcc -std=c17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$root/usr/local/include" "$logs/header.c" ||
            return 1
        clang++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I"$root/usr/local/include" -x c++ "$logs/header.c" ||
            return 1
    done
    if nm -D --defined-only "$LD_LIBRARY_PATH/librelume.so" | grep -v ' relume_'; then
        echo "these names are exported and do not begin with relume_"
        return 1
    fi
    printf '#include <relume/relume.h>\n#include <stdio.h>\nint main(void) { return puts(relume_version()) < 0; }\n' \
        >"$logs/version.c"
    # shellcheck disable=SC2046 # pkg-config prints words
    for file in "$logs/version.c" examples/*.c; do
        [ -f "$file" ] || continue
        gcc -std=c17 -Wall -Wextra -Werror "$file" $(pkg-config "$flags" --cflags --libs relume) -o "$logs/installed" &&
            "$logs/installed" || return 1
        gcc -std=c17 "$file" -static-libgcc $(pkg-config "$flags" --static --cflags --libs relume) -o "$logs/installed" ||
            return 1
    done
}
