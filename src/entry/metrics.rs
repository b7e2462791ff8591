//! `/metrics`: the metrics for Prometheus, on a separate listener.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::telemetry;
use crate::types::error::Error;

/// Creates the router, which has a single route.
pub fn router(app: App) -> Router {
    Router::new().route("/metrics", get(show)).with_state(app)
}

async fn show(State(app): State<App>) -> Response {
    match text(&app) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The counters and the lengths of the queues, in the OpenMetrics text format.
fn text(app: &App) -> Result<String, Error> {
    let mut all = Registry::with_prefix("latchkey");
    app.metrics.register(&mut all);
    let lines_lost = Counter::<u64>::default();
    lines_lost.inc_by(telemetry::lines_lost());
    all.register("log_lines_lost", "Log lines that could not be written", lines_lost);
    let gauges = [
        ("keys_in_memory", "Keys in memory, including deleted ones", app.registry.len()),
        ("lease_held", "Whether requests are answered without a read", usize::from(app.registry.holds_lease())),
        ("use_records_waiting", "Usage records that wait to be written", app.usage.waiting()),
        ("password_hashes_waiting", "Passwords that wait to be hashed", app.hasher.waiting()),
    ];
    for (name, help, value) in gauges {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        all.register(name, help, gauge);
    }
    let mut text = String::new();
    encode(&mut text, &all).map_err(Error::internal)?;
    Ok(text)
}
