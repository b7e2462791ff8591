use proptest::prelude::*;

use super::*;

fn hosts(url: &str) -> Vec<(String, u16)> {
    let address = Address::parse(url).unwrap();
    address.hosts.iter().map(|host| (host.get_host().trim_matches(['[', ']']).to_owned(), host.get_port())).collect()
}

fn refused(url: &str) -> AddressError {
    match Address::parse(url) {
        Err(OpenError::Address(error)) => error,
        other => panic!("{url}: {other:?}"),
    }
}

fn is_verified(url: &str) -> bool {
    matches!(Address::parse(url).unwrap().hosts[0].get_ssl_mode(), PgSslMode::VerifyFull)
}

#[test]
fn hosts_are_split_as_libpq_splits_them() {
    let of = |hosts: &[(&str, u16)]| hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect::<Vec<_>>();
    assert_eq!(hosts("postgres://u:p@h1:5433/db"), of(&[("h1", 5433)]));
    assert_eq!(hosts("postgresql://u@h1:5433,h2,[::1]:6000/db"), of(&[("h1", 5433), ("h2", 5432), ("::1", 6000)]));
    assert_eq!(hosts("postgres://u@h1:1,h2:2/db?port=7"), of(&[("h1", 7), ("h2", 7)]));
    assert_eq!(
        hosts("postgres://u@/db?host=h1,h2,2001:db8::1&port=1,2,3"),
        of(&[("h1", 1), ("h2", 2), ("2001:db8::1", 3)])
    );
    assert_eq!(hosts("postgres://u:a,b@h1,h2/db?target_session_attrs=read-write").len(), 2);
    let socket = Address::parse("postgres:///db?host=/run/postgresql&user=u").unwrap();
    assert_eq!(socket.hosts[0].get_socket().map(|path| path.display().to_string()).as_deref(), Some("/run/postgresql"));
    assert!(!is_verified("postgres:///db?host=/run/postgresql&user=u"));
}

#[test]
fn writes_are_wanted_where_there_is_a_choice() {
    for (url, wanted) in [
        ("postgres://h/db", false),
        ("postgres://h1,h2/db", true),
        ("postgres://h1,h2/db?target_session_attrs=any", false),
        ("postgres://h/db?target_session_attrs=read-write", true),
        ("postgres://h/db?target_session_attrs=primary", true),
    ] {
        assert_eq!(Address::parse(url).unwrap().writable, wanted, "{url}");
    }
    for target in ["read-only", "standby", "prefer-standby", ""] {
        assert_eq!(refused(&format!("postgres://h1,h2/db?target_session_attrs={target}")), AddressError::Target);
    }
}

#[test]
fn only_a_parameter_says_how_to_encrypt() {
    for url in [
        "postgres://u:sslmode=disable@db.example/d",
        "postgres://sslmode=disable@db.example/d",
        "postgres://db.example/sslmode=disable",
        "postgres://db.example/d?application_name=sslmode%3Ddisable",
        "postgres://db.example/d?options=sslmode=disable",
    ] {
        assert!(is_verified(url), "{url}");
    }
    for mode in ["sslmode=disable", "sslmode=require", "ssl-mode=prefer", "application_name=x&sslmode=disable"] {
        assert!(!is_verified(&format!("postgres://u:p@db.example/d?{mode}")), "{mode}");
    }
    let modes = Address::parse("postgres://u@localhost,db.example/d").unwrap().hosts;
    let modes: Vec<_> = modes.iter().map(|host| matches!(host.get_ssl_mode(), PgSslMode::VerifyFull)).collect();
    assert_eq!(modes, [false, true], "each host by itself");
}

#[test]
fn what_is_not_encoded_is_said_and_not_repeated() {
    for password in ["p/w", "p?w", "p#w", "12/34", "12?34", "12#34", "/", "#", "p/w@x", "p?w@x"] {
        let url = format!("postgres://latchkey:{password}@db.example/latchkey");
        assert_eq!(refused(&url), AddressError::NotEncoded, "{password}");
        assert_eq!(for_people(&url), None, "{password}");
    }
    for url in [
        "postgres://latchkey:secret",
        "postgres://u@h:x/d",
        "postgres://u@h:0/d",
        "postgres://u@h:65536/d",
        "postgres://u@[::1/d",
        "postgres://u@[x]:1/d",
        "postgres://u@::1/d",
        "postgres://u@h1:1,h2:y/d",
    ] {
        assert_eq!(refused(url), AddressError::Host, "{url}");
        assert_eq!(for_people(url), None, "{url}");
    }
    assert_eq!(refused("postgres://u@h1,h2/d?port=1,2,3"), AddressError::Ports);
    assert_eq!(for_people("postgres://u:p@ss:w@h1:1,h2/d?password=x").as_deref(), Some("postgres://u@h1:1,h2/d"));
    assert_eq!(for_people("postgres:///d?host=/run&password=x").as_deref(), Some("postgres:///d"));
}

proptest! {
    /// A password that is percent-encoded can be anything: it is read unchanged, and never shown.
    #[test]
    fn a_password_that_is_encoded_can_be_anything(password in "\\PC{1,24}", count in 1_usize..4) {
        let hosts = vec!["db.example:5433"; count].join(",");
        let encoded = password.bytes().map(|b| format!("%{b:02X}")).collect::<Vec<_>>().concat();
        let url = format!("postgres://u:{encoded}@{hosts}/d");
        let address = Address::parse(&url).unwrap();
        prop_assert_eq!(address.hosts.len(), count);
        for host in &address.hosts {
            prop_assert_eq!((host.get_host(), host.get_port(), host.get_username()), ("db.example", 5433, "u"));
            prop_assert!(matches!(host.get_ssl_mode(), PgSslMode::VerifyFull));
        }
        prop_assert_eq!(for_people(&url).unwrap(), format!("postgres://u@{hosts}/d"));
    }

    #[test]
    fn no_address_panics_or_shows_its_password(rest in "\\PC{0,40}", password in "[a-z]{12}") {
        let _ = Address::parse(&format!("postgres://{rest}"));
        for url in [format!("postgres://u:{password}{rest}@h/d"), format!("postgres://u:{rest}{password}@h/d")] {
            let error = Address::parse(&url).err().map(|error| error.to_string()).unwrap_or_default();
            prop_assert!(!error.contains(&password), "{}", error);
            prop_assert!(!for_people(&url).unwrap_or_default().contains(&password));
        }
    }
}
