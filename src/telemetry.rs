//! Logs: JSON lines on stderr. No secret, token, code, cookie or query ever.

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` as in `RUST_LOG`; without one `info`, and of the database driver only what is wrong.
pub fn start(filter: Option<&str>) {
    let filter =
        filter.and_then(|filter| EnvFilter::try_new(filter).ok()).unwrap_or_else(|| EnvFilter::new("info,sqlx=warn"));
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false);
    lines.with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Logs a panic in its own words, which the client is not told.
pub fn log_panic(panic: &(dyn std::any::Any + Send)) {
    let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = message.unwrap_or("without a message"), "a handler panicked");
}
