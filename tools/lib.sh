# shellcheck shell=bash
# Shared by the scripts in this folder: where things are, what is said, how a missing thing is got.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# How the module is compiled. V8 leaves `memory.copy` and `memory.fill` to a slow call of C++, so these instructions are not
# used (filter/copying.rs): of all that is newer than WebAssembly's beginnings, what is named here. Functions are put into
# one another only where they are small: that is a tenth less code for Envoy to compile before it is ready, and no slower.
wasm_features="-C target-cpu=mvp -C target-feature=+simd128,+sign-ext,+nontrapping-fptoint,+mutable-globals"
# shellcheck disable=SC2034
wasm_flags="$wasm_features -C llvm-args=-inline-threshold=25"
debian_rust=(rustc-web cargo-web rust-web-src lld-22)

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Installs Debian packages that are not there yet; only root can, others are told what to do.
debian_install() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    have apt-get || fail "needs ${missing[*]} (Debian's names), and this machine has no apt-get"
    [ "$(id -u)" = 0 ] || fail "needs Debian packages; run: sudo apt-get install --no-install-recommends ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    local log
    log="$(mktemp)"
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install ${missing[*]}"
    fi
    rm -f "$log"
}

rustup_has() { test -d "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/$1/lib"; }

# Finds a way to compile for the wasm target $1 with rustc flags $2 and sets
#   way    what to tell the user
#   cargo  the command, with its environment
#   std    the flags that name the target, and build its standard library where no built one is to be had
# The flags stay out of .cargo/config.toml, for the two ways need different ones.
# shellcheck disable=SC2034  # way, cargo and std are for the caller
wasm_toolchain() {
    local target="$1" flags="$2"
    std=(--target "$target")
    if have rustc && ! rustup_has "$target" && have rustup && [ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ]; then
        say "adding the target $target to the rustup toolchain"
        (cd "$root" && rustup target add "$target") || fail "rustup could not add $target (to build with Debian's packages instead, set RUSTUP_AUTO_INSTALL=0)"
    fi
    if have rustc && rustup_has "$target"; then
        way="$(rustc --version | cut -d' ' -f1,2) with its own $target"
        cargo=(env "RUSTFLAGS=$flags" cargo)
        return
    fi
    local packages=("${debian_rust[@]}")
    if [ "$target" = wasm32-wasip1 ]; then
        packages+=(wasi-libc)
        flags="$flags -C linker=/usr/bin/wasm-ld-22 -C link-self-contained=no -L native=/usr/lib/wasm32-wasi"
    else
        flags="$flags -C linker=/usr/bin/wasm-ld-22"
    fi
    debian_install "${packages[@]}"
    way="Debian's $(/usr/bin/rustc --version | cut -d' ' -f1,2), std built from source: no rustup target $target here, and RUSTUP_AUTO_INSTALL=${RUSTUP_AUTO_INSTALL:-unset}"
    cargo=(env -u RUSTUP_TOOLCHAIN "PATH=/usr/bin:$PATH" RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1 "RUSTFLAGS=$flags" /usr/bin/cargo)
    std+=("-Zbuild-std=std,panic_abort")
}
