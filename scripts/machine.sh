# shellcheck shell=bash
# What the scripts do with the machine: install what Debian has, start a PostgreSQL of their own. To be sourced, in the root of
# the source tree.

step="starting"
postgres_dir=""
own_policy=""
venv=$PWD/target/clients-venv
lint_tools=$PWD/target/lint

announce() {
    step=$1
    printf '\n== %s\n' "$step"
}

fail() {
    printf '%s: %s\n' "scripts/${0##*/}" "$1" >&2
    exit 1
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

# The package's name for each of the arguments, if the machine lacks what it is needed for.
missing_packages() {
    local package
    for package; do
        case $package in
            gcc) command -v cc >/dev/null || echo gcc libc6-dev ;;
            shellcheck) command -v shellcheck >/dev/null || echo shellcheck ;;
            postgresql) postgres_bin >/dev/null || echo postgresql ;;
            wrk) command -v wrk >/dev/null || echo wrk ;;
            chromium) [[ -x ${CHROMIUM:-/usr/bin/chromium} ]] || echo chromium ;;
            python3-venv) find_python >/dev/null || echo python3 python3-venv ;;
            *) [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) = installed ]] || echo "$package" ;;
        esac
    done
}

need_packages() {
    local missing
    missing=$(missing_packages "$@" | xargs)
    [[ -n $missing ]] || return 0
    announce "install $missing"
    command -v apt-get >/dev/null || fail "this machine has no apt-get; install what Debian calls: $missing"
    ((EUID == 0)) || command -v sudo >/dev/null || fail "run as root: apt-get install $missing"
    as_root apt-get -q update </dev/null
    # shellcheck disable=SC2086 # A list of names.
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends $missing </dev/null
}

need_command() {
    command -v "$1" >/dev/null || fail "$1 is not installed; $2"
}

need_cargo() {
    need_command cargo "install Rust with rustup"
    need_packages gcc
}

# The programs of these packages alone: the services that Debian makes of them are neither started nor enabled.
need_programs() {
    local policy=/usr/sbin/policy-rc.d missing package
    missing=$(missing_packages "$@" | xargs)
    [[ -n $missing ]] || return 0
    if [[ ! -e $policy ]]; then
        own_policy=$policy
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    # shellcheck disable=SC2086 # A list of names.
    need_packages $missing
    let_services_start
    for package in $missing; do
        as_root systemctl --quiet disable "$package" 2>/dev/null || true
    done
}

let_services_start() {
    [[ -z $own_policy ]] || as_root rm -f "$own_policy"
    own_policy=""
}

# --- Python -----------------------------------------------------------------------------------------------------------

need_clients_venv() {
    announce "install the client tests' packages"
    # One place for compiled Python, out of the source tree. The SDK is large: only what is used gets compiled.
    export PYTHONPYCACHEPREFIX=$PWD/target/pycache
    install_python "$venv" tests/clients/requirements.txt
}

# What a list names, in a virtual environment of its own.
install_python() {
    local environment=$1 list=$2
    need_packages python3-venv
    # An interpreter that was replaced leaves an environment that does not run.
    if ! "$environment/bin/python" -c '' 2>/dev/null; then
        rm -rf "$environment"
        "$(find_python)" -m venv "$environment"
    fi
    unless_same "$environment/.installed" "$list" \
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -r "$list"
}

# The lint part's programs, in directories of their own under $lint_tools.
need_lint_tools() {
    local name
    need_packages shellcheck
    need_command npm "install Node 20 or later, with npm"
    announce "install the linters"
    install_python "$lint_tools/python" scripts/lint/requirements.txt
    mkdir -p "$lint_tools/node"
    for name in .npmrc package.json package-lock.json; do
        cp "scripts/lint/$name" "$lint_tools/node/$name"
    done
    (cd "$lint_tools/node" && unless_same node_modules/.installed package-lock.json npm ci --no-audit --no-fund)
    # Without optimisation: it is built in half the time, and takes two seconds longer to run.
    CARGO_PROFILE_DEV_DEBUG=false need_tool cargo-deny 0.20.2 --debug
}

# A program of a crate, in target/tools, in this version.
need_tool() {
    local crate=$1 version=$2 tools=$PWD/target/tools
    shift 2
    if [[ $("$tools/bin/$crate" --version 2>/dev/null) != *"$version" ]]; then
        announce "install $crate"
        cargo install --quiet --locked --force --root "$tools" "$@" "$crate@$version"
    fi
}

# A Python that can make virtual environments, which Debian's cannot without python3-venv.
find_python() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# Runs an installing command, unless it was run for the same list before.
unless_same() {
    local mark=$1 list=$2
    shift 2
    if ! cmp --silent "$list" "$mark"; then
        "$@"
        cp "$list" "$mark"
    fi
}

# --- PostgreSQL -------------------------------------------------------------------------------------------------------

# Debian keeps the server's programs out of PATH, one directory a version. The newest.
postgres_bin() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [[ -x $initdb ]] && dirname "$initdb"
}

# PostgreSQL refuses to run as root. The directory is one that the other user may enter.
as_postgres() (
    cd /
    if ((EUID == 0)); then
        exec runuser -u postgres -- "$@"
    else
        exec "$@"
    fi
)

# A cluster of our own that is gone after stop_postgres; its address is in LATCHKEY_TEST_POSTGRES. What else runs on this machine is let be.
need_postgres() {
    local bin port tries=0
    [[ -z $postgres_dir ]] || return 0
    need_packages postgresql
    announce "start a PostgreSQL"
    bin=$(postgres_bin) || fail "PostgreSQL is installed, but not where Debian puts it: /usr/lib/postgresql"
    # Not under TMPDIR: another user must reach it, and the path of a socket is short by law.
    postgres_dir=$(mktemp -d /tmp/latchkey-postgres.XXXXXX)
    ((EUID != 0)) || chown postgres "$postgres_dir"
    as_postgres "$bin/initdb" --pgdata "$postgres_dir/data" --username postgres --auth trust --encoding UTF8 \
        --locale C.UTF-8 --no-sync >"$postgres_dir/setup" 2>&1 || show_postgres_log "initdb failed"
    cat >>"$postgres_dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$postgres_dir'
max_connections = 200
# The data need not outlive a crash.
fsync = off
synchronous_commit = off
full_page_writes = off
CONF
    # A port below those that the system hands out. Whether it is free shows when the server takes it.
    while port=$((20000 + RANDOM % 10000)) &&
        ! as_postgres "$bin/pg_ctl" start --silent --wait --pgdata "$postgres_dir/data" --log "$postgres_dir/log" \
            --options "-p $port" >>"$postgres_dir/setup" 2>&1; do
        ((++tries < 5)) || show_postgres_log "PostgreSQL does not start"
    done
    as_postgres "$bin/psql" --quiet --no-psqlrc --host 127.0.0.1 --port "$port" --username postgres --dbname postgres \
        --command "CREATE ROLE latchkey LOGIN CREATEDB"
    export LATCHKEY_TEST_POSTGRES=postgres://latchkey@127.0.0.1:$port/postgres
}

show_postgres_log() {
    cat "$postgres_dir/setup" "$postgres_dir/log" >&2 2>/dev/null || true
    fail "$1; its messages are above"
}

stop_postgres() {
    local bin
    [[ -n $postgres_dir ]] || return 0
    if [[ -e $postgres_dir/data/postmaster.pid ]] && bin=$(postgres_bin); then
        as_postgres "$bin/pg_ctl" stop --silent --mode immediate --pgdata "$postgres_dir/data" || true
    fi
    rm -rf "$postgres_dir"
    postgres_dir=""
}
