//! The counters and histograms of the running server. `entry::metrics` exposes them to Prometheus.

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::types::reason::Reason;

/// An entry point at which signed requests are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryPoint {
    /// The actions at `/`.
    Action,
    /// `/forward-auth`.
    ForwardAuth,
    /// `/v1/verify`.
    Verify,
    /// The guard proxy.
    Guard,
}

/// A listener that answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listener {
    /// The console, for people.
    Console,
    /// The signed API, for programs.
    Api,
    /// The guard, in front of a back end.
    Guard,
    /// The metrics, for Prometheus.
    Metrics,
}

impl EntryPoint {
    /// All variants, in the order of declaration: a variant is an index into an array of counters.
    const ALL: [Self; 4] = [Self::Action, Self::ForwardAuth, Self::Verify, Self::Guard];

    fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::ForwardAuth => "forward_auth",
            Self::Verify => "verify",
            Self::Guard => "guard",
        }
    }
}

impl Listener {
    /// All variants, in the order of declaration: a variant is an index into an array of counters.
    const ALL: [Self; 4] = [Self::Console, Self::Api, Self::Guard, Self::Metrics];

    /// The listener's name in logs and counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Api => "api",
            Self::Guard => "guard",
            Self::Metrics => "metrics",
        }
    }
}

/// The reason why the server closed a connection that the client had not finished with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// The connection was idle, and its place was needed for another one.
    MadeWay,
    /// Its address already had the maximum number of connections, none of them idle.
    Share,
    /// The client did not read what was written to it.
    Stalled,
    /// The key that signed its request is no longer enabled.
    KeyDisabled,
}

impl Cut {
    fn as_str(self) -> &'static str {
        match self {
            Self::MadeWay => "made way",
            Self::Share => "share",
            Self::Stalled => "stalled",
            Self::KeyDisabled => "key disabled",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CutConnection {
    listener: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Check {
    entry_point: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Response {
    listener: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedSignIn {
    of: &'static str,
}

/// The counters. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    checks: Family<Check, Counter>,
    answers: Family<Response, Counter>,
    cut: Family<CutConnection, Counter>,
    refused_sign_ins: Family<RefusedSignIn, Counter>,
    /// The most frequent counters, held here to save the look-up: accepted checks by entry point, and, in `ok`,
    /// responses with status 200 by listener.
    accepted: [Counter; EntryPoint::ALL.len()],
    ok: [Counter; Listener::ALL.len()],
    /// The duration of each read of the change number, in seconds, including the loading of changed keys.
    pub barrier_reads: Histogram,
    /// The number of requests that shared each read.
    pub barrier_requests: Histogram,
    /// Reads that failed or took too long. All requests that waited for them were refused.
    pub barrier_failures: Counter,
    /// Leases that this server has taken, as a node.
    pub leases_renewed: Counter,
    /// Leases that this server could not take.
    pub lease_renewals_failed: Counter,
    /// The number of nodes, as this server last saw it.
    pub nodes: Gauge,
    /// The time, in seconds, from the commit of a change to its acknowledgement.
    pub acknowledgements: Histogram,
    /// Usage records that were dropped because there were too many.
    pub use_records_dropped: Counter,
    /// Usage records that the database did not accept.
    pub use_records_lost: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let checks = Family::<Check, Counter>::default();
        let answers = Family::<Response, Counter>::default();
        let accepted = |entry_point: EntryPoint| {
            checks.get_or_create_owned(&Check { entry_point: entry_point.as_str(), result: "accepted" })
        };
        let ok = |listener: Listener| Response { listener: listener.as_str(), status: 200 };
        Self {
            accepted: EntryPoint::ALL.map(accepted),
            ok: Listener::ALL.map(|listener| answers.get_or_create_owned(&ok(listener))),
            checks,
            answers,
            cut: Family::default(),
            refused_sign_ins: Family::default(),
            barrier_reads: Histogram::new(exponential_buckets(0.000_025, 2.0, 16)),
            barrier_requests: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            barrier_failures: Counter::default(),
            leases_renewed: Counter::default(),
            lease_renewals_failed: Counter::default(),
            nodes: Gauge::default(),
            acknowledgements: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            use_records_dropped: Counter::default(),
            use_records_lost: Counter::default(),
        }
    }
}

impl Metrics {
    /// Counts an accepted request.
    pub fn accepted(&self, entry_point: EntryPoint) {
        self.accepted[entry_point as usize].inc();
    }

    /// Counts a refused request, by the actual reason.
    pub fn refused(&self, entry_point: EntryPoint, reason: Reason) {
        let check = Check { entry_point: entry_point.as_str(), result: reason.as_str() };
        self.checks.get_or_create(&check).inc();
    }

    /// Counts an answered request.
    pub fn answered(&self, listener: Listener, status: StatusCode) {
        if status == StatusCode::OK {
            self.ok[listener as usize].inc();
            return;
        }
        self.answers.get_or_create(&Response { listener: listener.as_str(), status: status.as_u16() }).inc();
    }

    /// Counts a connection closed by the server.
    pub fn cut(&self, listener: Listener, why: Cut) {
        self.cut.get_or_create(&CutConnection { listener: listener.as_str(), reason: why.as_str() }).inc();
    }

    /// Counts a refused sign-in: for an existing account, or with a name or passkey that no account has.
    pub fn count_refused_sign_in(&self, of_account: bool) {
        let of = if of_account { "account" } else { "nobody" };
        self.refused_sign_ins.get_or_create(&RefusedSignIn { of }).inc();
    }

    /// Registers every counter and histogram under its name.
    pub fn register(&self, all: &mut Registry) {
        all.register("checks", "Checked requests, by entry point and outcome", self.checks.clone());
        all.register("http_requests", "Answered requests, by listener and status", self.answers.clone());
        all.register("connections_cut", "Connections closed by the server, by listener and reason", self.cut.clone());
        all.register(
            "refused_sign_ins",
            "Refused sign-ins, for an existing account or for nobody",
            self.refused_sign_ins.clone(),
        );
        all.register_with_unit(
            "barrier_read",
            "Duration of a read of the change number, including the loading of changed keys",
            Unit::Seconds,
            self.barrier_reads.clone(),
        );
        all.register("barrier_requests", "Requests that shared a read", self.barrier_requests.clone());
        all.register("barrier_failures", "Reads that failed or took too long", self.barrier_failures.clone());
        all.register("leases_renewed", "Leases taken by this server", self.leases_renewed.clone());
        all.register("lease_renewals_failed", "Leases not taken", self.lease_renewals_failed.clone());
        all.register("nodes", "Servers with leases, as this one last saw them", self.nodes.clone());
        all.register_with_unit(
            "change_acknowledgement",
            "Time from the commit of a change to its acknowledgement",
            Unit::Seconds,
            self.acknowledgements.clone(),
        );
        all.register(
            "use_records_dropped",
            "Usage records dropped because there were too many; the calls are counted",
            self.use_records_dropped.clone(),
        );
        all.register("use_records_lost", "Usage records not accepted by the database", self.use_records_lost.clone());
    }
}
