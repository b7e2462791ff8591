//! `latchkey nodes`: the servers that check requests by leases.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::output;
use crate::app::App;
use crate::config::Settings;
use crate::db::nodes::{self, Node};
use crate::start_error::StartError;
use crate::types::clock::{Clock, Timestamp};
use crate::types::error::Error;

#[derive(Debug, Args)]
pub(super) struct Nodes {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(asked: &Nodes, settings: Settings) -> Result<(), StartError> {
    let app = App::open(settings, Clock::system()).await?;
    let listed = nodes::list(&app.db).await;
    app.close().await;
    let listed = listed.map_err(Error::from)?;
    if asked.json {
        return output::line(json!(listed.iter().map(as_object).collect::<Vec<_>>()));
    }
    let mut table =
        format!("{:<32}  {:<8}  {:<6}  {:<7}  {:<20}  RENEWED\n", "NODE", "VERSION", "LEASE", "BEHIND", "STARTED");
    for node in &listed {
        let lease = humantime::format_duration(lease(node)).to_string();
        let (started, renewed) = (node.started_at.rfc3339(), node.renewed_at.rfc3339());
        let _ = writeln!(
            table,
            "{:<32}  {:<8}  {lease:<6}  {:<7}  {started}  {renewed}",
            node.name, node.version, node.lag
        );
    }
    output::write(table.as_bytes())
}

fn lease(node: &Node) -> Duration {
    Duration::from_millis(node.lease_ms.try_into().unwrap_or(0))
}

fn as_object(node: &Node) -> serde_json::Value {
    let at = |at: Timestamp| at.rfc3339();
    json!({
        "name": node.name,
        "version": node.version,
        "lease_seconds": lease(node).as_secs_f64(),
        "changes_behind": node.lag,
        "started": at(node.started_at),
        "renewed": at(node.renewed_at),
    })
}
