# shellcheck shell=bash
# The scripts' functions for this machine: they install Debian packages and start a separate PostgreSQL. Source this file in
# the root of the source tree.

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

# Prints the Debian packages for those arguments whose programs are missing.
missing_packages() {
    local package
    for package; do
        case $package in
            gcc) command -v cc >/dev/null || echo gcc libc6-dev ;;
            shellcheck) command -v shellcheck >/dev/null || echo shellcheck ;;
            postgresql) postgres_bin >/dev/null || echo postgresql ;;
            wrk) command -v wrk >/dev/null || echo wrk ;;
            chromium) [[ -x ${CHROMIUM:-/usr/bin/chromium} ]] || echo chromium ;;
            firefox-esr) [[ -x ${FIREFOX:-/usr/bin/firefox-esr} ]] || echo firefox-esr ;;
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
    command -v apt-get >/dev/null || fail "this machine has no apt-get; install the equivalent of these Debian packages: $missing"
    ((EUID == 0)) || command -v sudo >/dev/null || fail "run as root: apt-get install $missing"
    as_root apt-get -q update </dev/null
    # shellcheck disable=SC2086 # A list of names without spaces.
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

# Installs the programs of these packages. The services that Debian sets up for them are neither started nor enabled.
need_programs() {
    local policy=/usr/sbin/policy-rc.d missing package
    missing=$(missing_packages "$@" | xargs)
    [[ -n $missing ]] || return 0
    if [[ ! -e $policy ]]; then
        own_policy=$policy
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    # shellcheck disable=SC2086 # A list of names without spaces.
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
    # Keep compiled Python out of the source tree. The SDK is large, and only the modules in use are compiled.
    export PYTHONPYCACHEPREFIX=$PWD/target/pycache
    install_python "$venv" tests/clients/requirements.txt
}

# Installs the packages of a list in a separate virtual environment.
install_python() {
    local environment=$1 list=$2
    need_packages python3-venv
    # If the interpreter was replaced, the environment no longer runs.
    if ! "$environment/bin/python" -c '' 2>/dev/null; then
        rm -rf "$environment"
        "$(find_python)" -m venv "$environment"
    fi
    unless_same "$environment/.installed" "$list" \
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -r "$list"
}

# The programs of the lint part, in directories under $lint_tools.
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
    # Without optimisation, it takes half the time to build, and two seconds longer to run.
    CARGO_PROFILE_DEV_DEBUG=false need_tool cargo-deny 0.20.2 --debug
}

# Installs this version of a program from its crate, in target/tools.
need_tool() {
    local crate=$1 version=$2 tools=$PWD/target/tools
    shift 2
    if [[ $("$tools/bin/$crate" --version 2>/dev/null) != *"$version" ]]; then
        announce "install $crate"
        cargo install --quiet --locked --force --root "$tools" "$@" "$crate@$version"
    fi
}

# Finds a Python that can create virtual environments, which Debian's cannot without python3-venv.
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

# Runs an installation command, unless it has already run for the same list.
unless_same() {
    local mark=$1 list=$2
    shift 2
    if ! cmp --silent "$list" "$mark"; then
        "$@"
        cp "$list" "$mark"
    fi
}

# --- PostgreSQL -------------------------------------------------------------------------------------------------------

# Debian keeps the server's programs in a directory per version, outside PATH. Prints that of the newest version.
postgres_bin() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [[ -x $initdb ]] && dirname "$initdb"
}

# PostgreSQL refuses to run as root. The working directory must be one that the other user can enter.
as_postgres() (
    cd /
    if ((EUID == 0)); then
        exec runuser -u postgres -- "$@"
    else
        exec "$@"
    fi
)

# Starts a separate cluster, which stop_postgres removes. Its URL is in LATCHKEY_TEST_POSTGRES. Any other PostgreSQL on
# this machine is left alone.
need_postgres() {
    local bin port tries=0
    [[ -z $postgres_dir ]] || return 0
    need_packages postgresql
    announce "start a PostgreSQL"
    bin=$(postgres_bin) || fail "PostgreSQL is installed, but not in Debian's directory: /usr/lib/postgresql"
    # Not under TMPDIR: another user must be able to enter it, and the length of a socket's path is limited.
    postgres_dir=$(mktemp -d /tmp/latchkey-postgres.XXXXXX)
    ((EUID != 0)) || chown postgres "$postgres_dir"
    as_postgres "$bin/initdb" --pgdata "$postgres_dir/data" --username postgres --auth trust --encoding UTF8 \
        --locale C.UTF-8 --no-sync >"$postgres_dir/setup" 2>&1 || show_postgres_log "initdb failed"
    cat >>"$postgres_dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$postgres_dir'
max_connections = 200
# The data need not survive a crash.
fsync = off
synchronous_commit = off
full_page_writes = off
CONF
    # A port below the ephemeral range. Whether it is free shows when the server binds it.
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
