-- One text for SQLite and PostgreSQL. It uses only the types that both store alike (bigint, boolean, bytea, text).
-- Times are milliseconds since 1970 in a bigint. No default is computed by the engine.

-- One row, which says whether the first account has been created. Only one setup can set it to true, which closes the
-- first setup.
create table installation (
    id          bigint primary key check (id = 1),
    set_up      boolean not null,
    -- The console's address when a server last started, for links that commands print.
    console_url text
);
insert into installation (id, set_up) values (1, false);

-- One row. The number rises with every change to any key, in the transaction of the change, and the key's row is
-- stamped with it: a reader that has seen number N knows every key stamped up to N. Each change draws a random mark,
-- which tells apart two histories that have reached the same number.
create table key_change (
    id     bigint primary key check (id = 1),
    number bigint not null,
    mark   bigint not null
);
insert into key_change (id, number, mark) values (1, 0, 0);

-- The latest changes with their marks. A server that has seen number N with this mark has followed this history. A
-- server that has not, because the database went back to an earlier state, loads all keys again.
create table key_history (
    number bigint primary key,
    mark   bigint not null
);
insert into key_history (number, mark) values (0, 0);

-- The nodes: servers that check requests by leases. Empty on SQLite. A row is committed before its first lease begins.
create table node (
    -- Drawn at random for each registration.
    id          bigint primary key,
    name        text   not null,
    version     text   not null,
    -- How long its leases are.
    lease_ms    bigint not null,
    -- Rises with every lease. A row whose number has not moved for as long as a lease has none.
    renewals    bigint not null,
    -- The latest change that the node has taken in.
    seen_number bigint not null,
    seen_mark   bigint not null,
    started_at  bigint not null,
    -- For lists only. No decision depends on it.
    renewed_at  bigint not null
);

-- One row. The incarnation of the database in which the rows of node are known to be complete, and the longest lease
-- that was ever given; 0 if there was none. A database that goes back may have lost a registration; it is then in another
-- incarnation.
create table lease_term (
    id          bigint primary key check (id = 1),
    incarnation text   not null,
    longest_ms  bigint not null
);
insert into lease_term (id, incarnation, longest_ms) values (1, '', 0);

-- The versions of the master key that this database has been sealed under. check_value is a known text sealed under
-- that version, so that a wrong master key is noticed at the start.
create table master_key (
    version     bigint primary key,
    check_value bytea  not null,
    created_at  bigint not null
);

-- Keys that the product itself uses (for the audit chain and form tokens), sealed under a master key so that they
-- survive its rotation.
create table data_key (
    name        text   primary key,
    sealed      bytea  not null,
    key_version bigint not null
);

create table account (
    uin                  bigint primary key,
    app_id               bigint not null unique,
    name                 text   not null,
    canonical_name       text   not null unique,
    -- Null until the account's setup link has been used.
    password_hash        text,
    totp_seed            bytea,
    totp_key_version     bigint,
    -- The latest TOTP step that was spent. Only a later one is accepted.
    totp_spent_step      bigint not null,
    -- Rises when the password or a factor changes. Sessions of an older epoch are over.
    credential_epoch     bigint not null,
    created_at           bigint not null,
    last_sign_in_at      bigint,
    last_sign_in_address text,
    -- The operator's latest link for recovery; told at the next sign-in.
    recovery_link_at     bigint,
    check ((totp_seed is null) = (totp_key_version is null))
);

-- TOTP seeds whose enrolment waits for a first code. The session that enrols one has its name.
create table pending_seed (
    name        text   primary key,
    -- The account that it is for; null if the account does not exist yet.
    uin         bigint references account (uin),
    seed        bytea  not null,
    key_version bigint not null,
    expires_at  bigint not null
);

create table recovery_code (
    uin       bigint not null references account (uin),
    code_hash bytea  not null,
    spent_at  bigint,
    primary key (uin, code_hash)
);

-- One-time links: 'first' makes the first account, 'account' completes one made on the command line,
-- 'mfa' enrols a new second factor for one that lost its own, 'recovery' replaces password and second factor of an owner
-- who has lost both.
create table setup_link (
    token_hash bytea  primary key,
    purpose    text   not null check (purpose in ('first', 'account', 'mfa', 'recovery')),
    uin        bigint references account (uin),
    expires_at bigint not null,
    used_at    bigint,
    check ((purpose = 'first') = (uin is null))
);

-- A completed sign-in, and where it came from. Its session's ID changes with every step-up, but this row stays.
-- Deleting it ends the session for good, even while a request is changing the ID.
create table sign_in (
    -- A random name, for forms. It grants no access.
    handle     text   primary key,
    uin        bigint not null references account (uin),
    user_agent text,
    address    text,
    started_at bigint not null
);
create index sign_in_by_account on sign_in (uin);

create table session (
    id_hash    bytea  primary key,
    uin        bigint references account (uin),
    -- Null until the sign-in is complete.
    handle     text   references sign_in (handle) on delete cascade,
    data       text   not null,
    seen_at    bigint not null,
    expires_at bigint not null
);
create index session_by_account on session (uin);
create index session_by_sign_in on session (handle);

-- At most ten per account: slot and account are unique together.
create table passkey (
    -- A random name, for forms. It grants no access.
    handle        text   primary key,
    uin           bigint not null references account (uin),
    slot          bigint not null check (slot between 1 and 10),
    credential_id bytea  not null unique,
    -- The public key, counter and flags, as the WebAuthn library serialises them.
    credential    text   not null,
    name          text   not null,
    created_at    bigint not null,
    last_used_at  bigint,
    unique (uin, slot)
);

-- Pending passkey challenges. The browser that was sent a challenge, or its session, holds the token. The first
-- response takes the row.
create table passkey_challenge (
    token_hash bytea  primary key,
    ceremony   text   not null,
    -- An account, a browser that has signed in before, or an address. The number of pending challenges is limited for
    -- each.
    asker      text   not null,
    expires_at bigint not null
);
create index passkey_challenge_by_asker on passkey_challenge (asker, expires_at);
create index passkey_challenge_by_expiry on passkey_challenge (expires_at);

-- Browsers that have signed in to an account before. The wrong passwords of anonymous clients do not slow them down.
create table known_device (
    token_hash bytea  primary key,
    uin        bigint not null references account (uin),
    expires_at bigint not null
);

-- A recorded reveal that has not been used yet. The request that shows the secret takes it, once.
create table reveal_ticket (
    token_hash bytea  primary key,
    uin        bigint not null references account (uin),
    secret_id  text   not null,
    expires_at bigint not null
);

-- Refused sign-ins of each account since its last completed one. The row of uin 0 counts those that named no account.
-- An attempt during a wait is counted here, but not recorded.
create table refused_sign_in (
    uin   bigint primary key,
    tries bigint not null
);

create table throttle (
    scope         text   not null,
    subject       text   not null,
    failures      bigint not null,
    blocked_until bigint not null,
    updated_at    bigint not null,
    primary key (scope, subject)
);

-- A deleted key stays as a tombstone, with its stamp, but without slot and secret.
create table api_key (
    secret_id          text   primary key,
    uin                bigint not null references account (uin),
    slot               bigint check (slot in (1, 2)),
    state              text   not null check (state in ('enabled', 'disabled', 'deleted')),
    secret             bytea,
    secret_key_version bigint,
    remark             text,
    created_at         bigint not null,
    state_changed_at   bigint not null,
    -- Not null while the key is disabled by the emergency stop: enabling it takes a step-up then.
    stopped_at         bigint,
    change_number      bigint not null,
    unique (uin, slot),
    check ((state = 'deleted') = (slot is null)),
    check ((state = 'deleted') = (secret is null)),
    check ((state = 'deleted') = (secret_key_version is null))
);
create index api_key_by_change on api_key (change_number, secret_id);

-- The tables of usage have no foreign keys: checking one locks the key's row, and no usage record may hold up a change
-- to a key.

-- The latest accepted call of each key.
create table last_use (
    secret_id text   primary key,
    at        bigint not null,
    action    text   not null,
    address   text   not null
);

create table use_record (
    secret_id  text    not null,
    at         bigint  not null,
    -- The ID that the caller was told.
    request_id text    not null,
    action     text    not null,
    address    text    not null,
    accepted   boolean not null,
    -- The reason for the refusal, in full. The caller is told less.
    reason     text    not null
);
create index use_record_by_key on use_record (secret_id, at);

-- Calls by key, state of the key, and hour. use_record lists some calls individually; this table counts all of them.
create table use_count (
    secret_id text   not null,
    -- The time at which the key entered the state that the calls were checked against.
    since     bigint not null,
    -- Hours since 1970, in UTC.
    hour      bigint not null,
    accepted  bigint not null,
    refused   bigint not null,
    primary key (secret_id, since, hour)
);
create index use_count_by_hour on use_count (hour);

-- The diagnoses of some refused requests, so that the key's owner can see what their client did differently.
create table refused_call (
    request_id        text   primary key,
    secret_id         text   not null,
    at                bigint not null,
    signed_at         bigint not null,
    action            text   not null,
    address           text   not null,
    reason            text   not null,
    canonical_request text   not null,
    string_to_sign    text   not null,
    -- The part that differs; empty if none was found.
    cause             text   not null
);
create index refused_call_by_key on refused_call (secret_id, at);

-- Append-only. Each record's MAC covers the record and the MAC before it. Only numbers from 1 to that of audit_head are
-- part of the chain.
create table audit_record (
    number     bigint not null primary key check (number >= 1),
    -- The format in which the record is authenticated.
    format     bigint not null check (format >= 1),
    at         bigint not null,
    uin        bigint,
    actor      text   not null check (actor in ('account', 'key', 'operator', 'stranger')),
    -- The key that a program acted with.
    actor_key  text,
    action     text   not null,
    target     text,
    address    text,
    request_id text,
    result     text   not null check (result in ('done', 'refused')),
    detail     text,
    mac        bytea  not null,
    check ((actor = 'key') = (actor_key is not null))
);
-- An account's records with one result are read along one of these, by time from wherever a page begins: all of them,
-- those of an event, those about a key, or those of what was done with it, of any event or of one.
create index audit_record_by_result on audit_record (uin, result, at, number);
create index audit_record_by_action on audit_record (uin, action, result, at, number);
-- Both indexes of a key have the same columns: SQLite prefers a smaller index to one that fits better.
create index audit_record_by_target on audit_record (uin, target, result, at, number, action)
    where target is not null;
create index audit_record_by_target_action on audit_record (uin, target, action, result, at, number)
    where target is not null;
create index audit_record_by_actor_key on audit_record (uin, actor_key, result, at, number, action)
    where actor_key is not null;
create index audit_record_by_actor_key_action on audit_record (uin, actor_key, action, result, at, number)
    where actor_key is not null;

-- One row: the end of the chain, so that a truncated chain is detected as well.
create table audit_head (
    id     bigint primary key check (id = 1),
    number bigint not null check (number >= 0),
    mac    bytea
);
insert into audit_head (id, number, mac) values (1, 0, null);
