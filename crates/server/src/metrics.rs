//! What this process counts about itself, for `GET /metrics`: how much and how long, never whose or what.
//!
//! What happens often is counted in atomics that were found beforehand; what can be asked for is asked when somebody reads.

use std::{collections::HashMap, fmt, sync::LazyLock, time::Duration};

use countersign_domain::{fold::Status, record::Outcome};
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The counts of this process.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

type Named = [(&'static str, &'static str); 1];

/// Status classes as the label has them; what is none of them is 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

pub(crate) struct Metrics {
    registry: Registry,
    /// By route, then by status class.
    requests: HashMap<&'static str, [Counter; 5]>,
    completed: Counter,
    failed: Counter,
    unknown: Counter,
    commands: Histogram,
    commit: Histogram,
    journal: Gauge,
    proposals: Family<Named, Gauge>,
    overdue: Gauge,
    open: Family<Named, Gauge>,
}

/// What is asked for when somebody reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) entries: u64,
    /// As journalled: what has run out counts as it was until an entry says so.
    pub(crate) proposals: Vec<(Status, u64)>,
    /// Proposals that have waited too long for whoever has to do something, as the radar has it.
    pub(crate) overdue: u64,
    pub(crate) waiting: u64,
    pub(crate) streams: u64,
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let requests = Family::<[(&'static str, &'static str); 2], Counter>::default();
        registry.register(
            "requests",
            "Requests answered, by route and status class",
            requests.clone(),
        );
        let routes = crate::http::routes().chain(["none"]).map(|route| {
            let of =
                CLASSES.map(|class| requests.get_or_create_owned(&[("route", route), ("status", class)]));
            (route, of)
        });
        let routes = routes.collect();
        let runs = Family::<Named, Counter>::default();
        registry.register(
            "runs",
            "Receipts accepted, by outcome; one that is given again counts again",
            runs.clone(),
        );
        let commands = Histogram::new(exponential_buckets(1.0, 2.0, 10));
        registry.register(
            "commit_commands",
            "Commands stored by one commit",
            commands.clone(),
        );
        let commit = Histogram::new(exponential_buckets(0.000_25, 2.0, 12));
        registry.register(
            "commit_seconds",
            "How long a commit took, its commands included",
            commit.clone(),
        );
        let journal = Gauge::default();
        registry.register("journal_entries", "Entries in all journals", journal.clone());
        let proposals = Family::<Named, Gauge>::default();
        registry.register("proposals", "Proposals by status", proposals.clone());
        let overdue = Gauge::default();
        registry.register(
            "overdue",
            "Proposals that have waited too long for somebody, of the oldest 500 of each status",
            overdue.clone(),
        );
        let open = Family::<Named, Gauge>::default();
        registry.register(
            "open_calls",
            "Calls that wait, and streams of events",
            open.clone(),
        );
        let outcome = |name| runs.get_or_create_owned(&[("outcome", name)]);
        Self {
            requests: routes,
            completed: outcome("completed"),
            failed: outcome("failed"),
            unknown: outcome("unknown"),
            commands,
            commit,
            journal,
            proposals,
            overdue,
            open,
            registry,
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &str, status: u16) {
        let of = self.requests.get(route).or_else(|| self.requests.get("none"));
        let class = usize::from((status / 100).clamp(1, 5)) - 1;
        if let Some(counter) = of.and_then(|of| of.get(class)) {
            counter.inc();
        }
    }

    /// A call ended.
    pub(crate) fn ran(&self, outcome: Outcome) {
        match outcome {
            Outcome::Completed => self.completed.inc(),
            Outcome::Failed => self.failed.inc(),
            Outcome::Unknown => self.unknown.inc(),
        };
    }

    /// A commit stored so many commands.
    pub(crate) fn committed(&self, commands: usize, took: Duration) {
        self.commands
            .observe(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
        self.commit.observe(took.as_secs_f64());
    }

    /// All of it as OpenMetrics text.
    ///
    /// # Errors
    /// When it cannot be formatted.
    pub(crate) fn text(&self, now: &Standing) -> Result<String, fmt::Error> {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.journal.set(gauge(now.entries));
        for (status, count) in &now.proposals {
            self.proposals
                .get_or_create(&[("status", status.name())])
                .set(gauge(*count));
        }
        self.overdue.set(gauge(now.overdue));
        self.open
            .get_or_create(&[("kind", "wait")])
            .set(gauge(now.waiting));
        self.open
            .get_or_create(&[("kind", "stream")])
            .set(gauge(now.streams));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
