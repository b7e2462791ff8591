//! Which errors of the database pass by themselves, or once somebody has made room or let go.

use crate::types::error::Error;

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        if is_outage(&cause) { Self::Unavailable(cause) } else { Self::internal(cause) }
    }
}

/// Cannot the database be used for now? Otherwise it was asked something wrong, or answered something wrong.
pub fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() => {
            error.code().is_some_and(|code| code.parse().is_ok_and(is_outage_code))
        }
        sqlx::Error::Database(error) => error.code().is_some_and(|state| is_outage_of_postgres(&state)),
        _ => false,
    }
}

/// The low byte is the kind: BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN and PROTOCOL.
fn is_outage_code(extended: i32) -> bool {
    matches!(extended & 0xff, 5 | 6 | 8 | 10 | 13 | 14 | 15)
}

/// By `SQLSTATE`: no connection, no resources (a full disk among them), stopped by whoever runs it, a lock that somebody
/// holds or that two held for each other, a server that does not write, such as a replica.
fn is_outage_of_postgres(state: &str) -> bool {
    matches!(state.get(..2), Some("08" | "53" | "57" | "58" | "40")) || matches!(state, "25006" | "55P03")
}
