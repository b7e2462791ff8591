//! The distinction between temporary errors of the database, which pass by themselves or once somebody has made room or
//! released a lock, and all others.

use crate::types::error::Error;

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        if is_outage(&cause) { Self::Unavailable(cause) } else { Self::internal(cause) }
    }
}

/// Returns `true` if the database cannot be used at the moment. Any other error means that a query or its result was
/// wrong.
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

/// Goes by the low byte of the code, which is its kind: BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN and PROTOCOL.
fn is_outage_code(extended: i32) -> bool {
    matches!(extended & 0xff, 5 | 6 | 8 | 10 | 13 | 14 | 15)
}

/// Goes by the `SQLSTATE`: no connection, no resources (a full disk among them), shut down by the operator, a lock held
/// by somebody else, a deadlock, or a server that does not accept writes, such as a replica.
fn is_outage_of_postgres(state: &str) -> bool {
    matches!(state.get(..2), Some("08" | "53" | "57" | "58" | "40")) || matches!(state, "25006" | "55P03")
}
