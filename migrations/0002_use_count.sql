-- Calls by key, state of the key, and hour. Records list some calls one by one; these count all.
create table use_count (
    secret_id text   not null references api_key (secret_id),
    -- When the key came into the state that the calls were checked against.
    since     bigint not null,
    -- Hours since 1970, in UTC.
    hour      bigint not null,
    accepted  bigint not null,
    refused   bigint not null,
    primary key (secret_id, since, hour)
);
create index use_count_by_hour on use_count (hour);

-- What has been listed so far; of calls before the state the key is in now, which state they met is not known.
insert into use_count (secret_id, since, hour, accepted, refused)
select use_record.secret_id, case when at >= state_changed_at then state_changed_at else 0 end, at / 3600000,
    count(case when accepted then 1 end), count(case when not accepted then 1 end)
from use_record join api_key on api_key.secret_id = use_record.secret_id
group by use_record.secret_id, case when at >= state_changed_at then state_changed_at else 0 end, at / 3600000;
